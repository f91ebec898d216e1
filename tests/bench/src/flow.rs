//! A flow of one's own: a place on the servers, a fake Twitch in this process, and the real programs around them.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use fake_twitch::{FakeTwitch, Latency, Settings, World, WorldConfig};
use secrecy::ExposeSecret;
use shared::{
    clock::Clock,
    runtime::Announcer,
    schema::{PullId, PullRequested},
    store::{PullReport, Store, migrate},
    topology::{EXTRACTOR, RetryDelays},
};
use tokio::time::sleep;
use tokio_postgres::Client;

use crate::{
    outcome::Outcome,
    process::{Process, Recipe, WORKERS},
    services::Place,
    setting::Setting,
    truth::assert_matches_world,
};

/// Streams with fewer viewers are not wanted.
pub(crate) const MIN_VIEWERS: u64 = 10;
/// How often a pull is looked at: seldom enough to cost nothing.
const LOOK: Duration = Duration::from_millis(100);

/// What a flow may have differently.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub(crate) latency: Latency,
    /// Points of the bucket, and those that flow back each minute; without, it never runs empty.
    pub(crate) points: Option<u32>,
    /// Further settings for the programs.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// Serves such a world with a bucket of so many points; without, one that never runs empty: what is measured is us, not
/// Twitch's limit.
pub(crate) async fn serve(world: WorldConfig, latency: Latency, points: Option<u32>) -> Outcome<FakeTwitch> {
    let points = points.unwrap_or(1_000_000);
    let settings = Settings { limit: points, refill: points, latency, ..Settings::default() };
    Ok(FakeTwitch::serve(World::generate(world), settings).await?)
}

/// What tells a program where its servers are and which streams are wanted.
pub(crate) fn variables(place: &Place, twitch: &FakeTwitch) -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_URL", place.database_url().expose_secret().to_owned()),
        ("AMQP_URL", place.amqp_url().expose_secret().to_owned()),
        ("TWITCH_CLIENT_ID", twitch.client_id().to_owned()),
        ("TWITCH_CLIENT_SECRET", twitch.client_secret().to_owned()),
        ("TWITCH_API_URL", twitch.api_url()),
        ("TWITCH_TOKEN_URL", twitch.token_url()),
        ("MIN_VIEWERS", MIN_VIEWERS.to_string()),
    ]
}

/// The flow.
pub(crate) struct Flow {
    pub(crate) place: Place,
    pub(crate) twitch: FakeTwitch,
    pub(crate) store: Store,
    pub(crate) db: Client,
    pub(crate) announcer: Announcer,
    pub(crate) workers: Vec<Process>,
    connection: Box<dyn Send + Sync>,
    programs: PathBuf,
    logs: PathBuf,
    shape: Shape,
    started: usize,
}

impl Flow {
    /// A flow on a world of so many streams, without workers yet.
    pub(crate) async fn new(setting: &Setting, streams: usize, shape: Shape) -> Outcome<Self> {
        Self::on(setting, WorldConfig::sized(streams), shape).await
    }

    /// A flow on such a world, without workers yet.
    pub(crate) async fn on(setting: &Setting, world: WorldConfig, shape: Shape) -> Outcome<Self> {
        let place = setting.services().place().await?;
        migrate(&place.database_url()).await?;
        let store = Store::new(&place.database_url(), 4, "bench")?;
        let (announcer, connection) =
            Announcer::connect(&place.amqp_url(), &RetryDelays::default(), "bench").await?;
        Ok(Self {
            twitch: serve(world, shape.latency.clone(), shape.points).await?,
            db: place.client().await?,
            connection: Box::new(connection),
            workers: Vec::new(),
            programs: setting.programs.clone(),
            logs: setting.logs()?,
            started: 0,
            place,
            store,
            announcer,
            shape,
        })
    }

    fn recipe(&mut self, name: &'static str) -> Recipe {
        self.started += 1;
        let mut variables = variables(&self.place, &self.twitch);
        variables.push(("PULL_INTERVAL", "0".to_owned()));
        variables.extend(self.shape.variables.iter().cloned());
        Recipe {
            program: self.programs.join(name),
            arguments: Vec::new(),
            name,
            log: self.logs.join(format!("{}-{name}-{}.log", self.place.name(), self.started)),
            variables,
        }
    }

    /// Starts these programs, and waits until all are ready.
    pub(crate) async fn start(&mut self, names: &[&'static str]) -> Outcome<()> {
        let starting =
            names.iter().map(|name| Process::start(self.recipe(name))).collect::<Outcome<Vec<_>>>()?;
        for process in starting {
            let process = process.ready().await?;
            self.workers.push(process);
        }
        Ok(())
    }

    /// Starts so many of each worker.
    pub(crate) async fn start_all(&mut self, replicas: usize) -> Outcome<()> {
        for _ in 0..replicas {
            self.start(&WORKERS).await?;
        }
        Ok(())
    }

    /// Asks for a pull, as the operator does.
    pub(crate) async fn request(&self) -> Outcome<PullId> {
        let pull_id = self.store.request_pull("bench", Clock::System.now()).await?;
        self.announcer.announce(vec![EXTRACTOR.request(&PullRequested { pull_id })]).await?;
        Ok(pull_id)
    }

    /// The pull, as soon as it is as wanted. A pull that fails is nobody's wish; a database that is away is waited for.
    pub(crate) async fn until(
        &self,
        pull: PullId,
        patience: Duration,
        wanted: impl Fn(&PullReport) -> bool,
    ) -> Outcome<PullReport> {
        let begun = Instant::now();
        loop {
            let overdue = begun.elapsed() > patience;
            match self.store.pull_report(pull).await {
                Ok(report) if wanted(&report) => return Ok(report),
                Ok(report) if report.status == "failed" || overdue => {
                    return Err(format!("pull {pull} is not as wanted: {report:#?}").into());
                }
                Err(error) if overdue => return Err(error.into()),
                Ok(_) | Err(_) => sleep(LOOK).await,
            }
        }
    }

    /// The pull, once it has succeeded.
    pub(crate) async fn succeeded(&self, pull: PullId) -> Outcome<PullReport> {
        self.until(pull, Duration::from_mins(5), |report| report.status == "success").await
    }

    /// Every stored row of the pull against the world: none missing, none twice, none wrong. Says how many there are.
    pub(crate) async fn compare(&self, pull: PullId) -> usize {
        assert_matches_world(&self.db, pull, self.twitch.world(), MIN_VIEWERS).await
    }

    /// Messages that wait anywhere but where rejected records are kept.
    pub(crate) async fn left_over(&self) -> Outcome<u32> {
        let depths = self.announcer.depths().await?;
        let work = depths.iter().filter(|queue| queue.name != shared::topology::REJECTED);
        Ok(work.filter_map(|queue| queue.ready).sum())
    }

    /// Waits until no message waits anywhere.
    pub(crate) async fn drained(&self) -> Outcome<()> {
        let begun = Instant::now();
        loop {
            match self.left_over().await? {
                0 => return Ok(()),
                left if begun.elapsed() > Duration::from_mins(2) => {
                    return Err(format!(
                        "{left} messages are left over: {:?}",
                        self.announcer.depths().await?
                    )
                    .into());
                }
                _ => sleep(LOOK).await,
            }
        }
    }

    /// Connects again where the servers were killed.
    pub(crate) async fn reconnect(&mut self) -> Outcome<()> {
        let (announcer, connection) =
            Announcer::connect(&self.place.amqp_url(), &RetryDelays::default(), "bench").await?;
        (self.announcer, self.connection) = (announcer, Box::new(connection));
        self.db = self.place.client().await?;
        Ok(())
    }

    /// Stops everything and removes what it had; the programs must end well.
    pub(crate) async fn end(self) -> Outcome<()> {
        let stopping = self.workers.into_iter().map(Process::stop);
        for ended in futures::future::join_all(stopping).await {
            ended?;
        }
        drop((self.connection, self.store, self.db));
        self.place.remove().await
    }
}
