//! A flow of one's own: a database, a vhost, a fake Twitch, and as many workers as a test starts.

mod programs;
mod waits;

use std::{path::Path, sync::Arc, time::Duration};

use extractor::Limits;
use fake_twitch::{FakeTwitch, Settings as TwitchSettings, World};
use secrecy::SecretString;
use shared::{
    clock::Clock,
    failure::Failure,
    runtime::{Announcer, Inspection, QueueDepth, Settings, Worker, run},
    schema::{PullId, PullRequested},
    store::Store,
    topology::{EXTRACTOR, RetryDelays, STAGES},
};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    eventually::{DEADLINE, eventually},
    services::{Database, Vhost},
};

/// What a test may set differently.
pub(crate) struct Setup {
    pub(crate) delays: RetryDelays,
    pub(crate) limits: Limits,
    pub(crate) collect_for: Duration,
    pub(crate) game_max_age: Duration,
    pub(crate) channel_max_age: Duration,
    pub(crate) missing_retry_after: Duration,
    pub(crate) max_rejected_share: f64,
    pub(crate) stalled_after: Duration,
    pub(crate) twitch: TwitchSettings,
    pub(crate) clock: Clock,
    /// How long a message may be in hand.
    pub(crate) max_in_hand: Duration,
    /// After so many dead letters in a row with the same cause a stage pauses; 0 never.
    pub(crate) pause_after: u32,
    /// Whether workers may declare what their queues should be like; in a deployment only the operator may.
    pub(crate) may_declare: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            delays: "50ms,100ms,200ms,400ms".parse().expect("delays"),
            limits: Limits {
                min_viewers: 10,
                max_pages: 0,
                stop_below_min_viewers: true,
                side_by_side: Vec::new(),
            },
            // Nobody waits so long: company is waited for while it can come.
            collect_for: Duration::from_secs(2),
            game_max_age: Duration::from_hours(7 * 24),
            channel_max_age: Duration::from_hours(24),
            max_rejected_share: 0.5,
            missing_retry_after: Duration::from_hours(1),
            stalled_after: Duration::from_mins(2),
            // A bucket no test empties by accident; those about the bucket bring their own.
            twitch: TwitchSettings { limit: 60_000, refill: 60_000, ..TwitchSettings::default() },
            clock: Clock::System,
            max_in_hand: Duration::from_mins(10),
            // Tests of dead letters make hundreds of one cause.
            pause_after: 0,
            may_declare: false,
        }
    }
}

/// A worker of a test.
pub(crate) struct Running {
    name: &'static str,
    stop: DropGuard,
    ended: JoinHandle<Result<(), Failure>>,
}

impl Running {
    /// Stops it as SIGTERM does; it must end well.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        let ended = tokio::time::timeout(DEADLINE, self.ended).await;
        let ended = ended.unwrap_or_else(|_| panic!("{} did not stop", self.name));
        ended.expect("a worker must not panic").unwrap_or_else(|failure| panic!("{}: {failure}", self.name));
    }

    /// The failure it ends with by itself.
    pub(crate) async fn failed(self) -> Failure {
        let ended = tokio::time::timeout(DEADLINE, self.ended).await;
        let ended = ended.unwrap_or_else(|_| panic!("{} goes on and on", self.name));
        ended.expect("a worker must not panic").expect_err("it should not have ended well")
    }

    /// Ends it between two instructions, as a crash does: nothing is finished, nothing given back.
    pub(crate) fn kill(self) {
        self.ended.abort();
    }
}

/// The flow.
pub(crate) struct Rig {
    pub(crate) setup: Setup,
    pub(crate) twitch: FakeTwitch,
    pub(crate) store: Store,
    pub(crate) db: tokio_postgres::Client,
    pub(crate) announcer: Announcer,
    pub(crate) database: Database,
    pub(crate) vhost: Vhost,
    /// Where the workers find the broker; a test may lead them there another way.
    pub(crate) amqp_url: SecretString,
    /// Where they find the database, such as `h1:1,h2:2`, or as whom too, such as `me:secret@h:1`; where the services have
    /// it and as their own users, if a test does not say.
    pub(crate) database_at: Option<String>,
    connection: Box<dyn Send + Sync>,
    workers: Vec<Running>,
}

impl Rig {
    /// A flow on this world, without workers yet.
    pub(crate) async fn new(world: World) -> Self {
        Self::with(world, Setup::default()).await
    }

    pub(crate) async fn with(world: World, setup: Setup) -> Self {
        let (database, vhost) = tokio::join!(Database::migrated(), Vhost::create());
        vhost.admit_programs().await;
        let store = Store::new(&database.url(), 8, "test").expect("a store");
        // A broker with much to do sometimes has no leader yet for a queue it has just made.
        let (announcer, connection) = eventually("the broker should answer", || {
            let (url, delays) = (vhost.url(), setup.delays.clone());
            async move { Announcer::connect(&url, &delays, "test").await }
        })
        .await;
        Self {
            twitch: FakeTwitch::serve(world, setup.twitch.clone()).await.expect("a fake Twitch"),
            db: database.client().await,
            connection: Box::new(connection),
            workers: Vec::new(),
            amqp_url: vhost.url(),
            database_at: None,
            setup,
            store,
            announcer,
            database,
            vhost,
        }
    }

    /// Starts an exporter to a folder for the rest of the test, once it hears of completed pulls: one that comes too late
    /// for an event looks for its pull minutes later.
    pub(crate) async fn start_exporter(&mut self, folder: &Path) {
        self.start(self.exporter(folder));
        eventually("the exporter should listen", || async {
            // Looked at anew each time: what is known of an optional stage holds for half a minute.
            let url = self.amqp_url_of("operator");
            let looking = Inspection::open(&url, &self.setup.delays, "test").await;
            let inspection = looking.map_err(|failure| failure.to_string())?;
            let depths = inspection.depths().await.map_err(|failure| failure.to_string())?;
            let listens = depths.iter().any(|depth| depth.name == "exporter" && depth.consumers > Some(0));
            if listens { Ok(()) } else { Err(format!("{depths:?}")) }
        })
        .await;
    }

    /// A worker as it runs here, not begun yet, until `stop` tells it to end.
    pub(crate) fn work<W: Worker>(
        &self,
        worker: W,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<(), Failure>> + use<W> {
        let settings = Settings {
            amqp_url: self.amqp_url_of(W::STAGE.info().name),
            delays: self.setup.delays.clone(),
            http_listen: ([127, 0, 0, 1], 0).into(),
            shutdown_deadline: Duration::from_secs(10),
            max_in_hand: self.setup.max_in_hand,
            pause_after: self.setup.pause_after,
            clock: self.setup.clock.clone(),
        };
        run(Arc::new(worker), settings, stop)
    }

    /// Runs a worker, to be stopped or killed by the caller.
    pub(crate) fn run<W: Worker>(&self, worker: W) -> Running {
        let stop = CancellationToken::new();
        let ended = tokio::spawn(self.work(worker, stop.clone()));
        Running { name: W::STAGE.info().name, stop: stop.drop_guard(), ended }
    }

    /// Runs the worker of this stage, to be stopped or killed by the caller.
    pub(crate) fn run_stage(&self, stage: &str) -> Running {
        match stage {
            "extractor" => self.run(self.extractor()),
            "game-enricher" => self.run(self.game_enricher()),
            "channel-enricher" => self.run(self.channel_enricher()),
            "finalizer" => self.run(self.finalizer()),
            other => panic!("there is no stage {other}"),
        }
    }

    /// Runs a worker for the rest of the test.
    pub(crate) fn start<W: Worker>(&mut self, worker: W) {
        let running = self.run(worker);
        self.workers.push(running);
    }

    /// Runs one of each worker for the rest of the test.
    pub(crate) fn start_all(&mut self) {
        self.start(self.extractor());
        self.start(self.game_enricher());
        self.start(self.channel_enricher());
        self.start(self.finalizer());
    }

    /// Asks for a pull, as the operator does.
    pub(crate) async fn pull(&self) -> PullId {
        let now = self.setup.clock.now();
        let pull_id = self.store.request_pull("test", now).await.expect("a pull");
        self.announcer
            .announce(vec![EXTRACTOR.request(&PullRequested { pull_id })])
            .await
            .expect("announced");
        pull_id
    }

    /// Lets fresh workers handle what second deliveries left in the queues, once all others have stopped. Stage by stage,
    /// because what one stage does is work for the next; what a worker has in hand when it stops is back in its queue.
    pub(crate) async fn mop_up(&self) {
        for stage in STAGES {
            while self.ready(stage.queue()).await > 0 {
                let worker = self.run_stage(stage.name);
                self.waits(stage.queue(), 0).await;
                worker.stop().await;
            }
        }
    }

    /// Whether nothing waits for any stage. What is in a worker's hand does not count.
    pub(crate) async fn is_done(&self) -> bool {
        let depths = self.announcer.depths().await.expect("depths");
        STAGES
            .iter()
            .all(|stage| depths.iter().any(|queue| queue.name == stage.queue() && queue.ready == Some(0)))
    }

    /// Stops what was started for the rest of the test.
    pub(crate) async fn stop_all(&mut self) {
        for worker in self.workers.drain(..) {
            worker.stop().await;
        }
    }

    /// Stops everything, lets what second deliveries left be handled, and shows that nothing is left over.
    pub(crate) async fn end_clean(mut self) {
        self.stop_all().await;
        self.mop_up().await;
        self.end(&[]).await;
    }

    /// Stops everything, and shows that nothing is left over but what `leftovers` names with its number.
    pub(crate) async fn end(mut self, leftovers: &[(&str, u32)]) {
        self.stop_all().await;
        let expected = |queue: &QueueDepth| {
            leftovers.iter().find(|(name, _)| *name == queue.name).map_or(0, |(_, number)| *number)
        };
        eventually("no message should be left over", || async {
            let depths = self.announcer.depths().await.expect("depths");
            let left: Vec<_> =
                depths.into_iter().filter(|queue| queue.ready != Some(expected(queue))).collect();
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await;
        drop(self.connection);
        self.vhost.drop().await;
        self.database.drop().await;
    }
}
