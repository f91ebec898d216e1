//! Those that are compared, each started in a place of its own.

use std::{fmt, time::Duration};

use fake_twitch::FakeTwitch;
use shared::schema::PullId;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::{baseline::Baseline, load::Load};
use crate::{
    Outcome, Setting,
    flow::{Flow, Shape},
    process::Process,
    services::Place,
};

/// How often it is asked at most whether the pull has succeeded.
const LOOK: Duration = Duration::from_millis(2);
/// How long a pull may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// One of those that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// One process, one `COPY`, no queue; stops at the first page whose last stream has too few viewers.
    Floor,
    /// The same, but it reads the list to its end.
    WholeListFloor,
    /// A Celery pool of four processes.
    Celery,
    /// So many of each of our workers.
    Ours(usize),
    /// One of each of our workers, which fetches the commonest languages side by side.
    SideBySide,
    /// One of each of our workers, of which the database keeps no provenance, events and histories.
    Unexplained,
}

/// Keeps what explains a pull out of its tables: what is left of its cost is the making of the rows and these triggers.
const UNEXPLAINED: &str = "
    create function leave_out() returns trigger language plpgsql as $$ begin return null; end $$;
    create trigger leave_out before insert on provenance for each row execute function leave_out();
    create trigger leave_out before insert on event for each row execute function leave_out();
    alter table pull disable trigger pull_history_note;
    alter table worker_state disable trigger worker_history_born;
    alter table worker_state disable trigger worker_history_moved;";

/// The languages that most of the world's streams are in.
const COMMON: &str = "en,es,ru,pt,de,fr,ja,ko";

impl fmt::Display for Candidate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Floor => formatter.write_str("floor"),
            Self::WholeListFloor => formatter.write_str("floor, whole"),
            Self::Celery => formatter.write_str("Celery × 4"),
            Self::Ours(1) => formatter.write_str("ours"),
            Self::Ours(replicas) => write!(formatter, "ours × {replicas}"),
            Self::SideBySide => formatter.write_str("ours, lists"),
            Self::Unexplained => formatter.write_str("ours, bare"),
        }
    }
}

/// A candidate that is ready for a pull.
pub(crate) enum Running {
    Baseline(Box<Baseline>),
    Ours(Box<Flow>),
}

impl Candidate {
    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(self, setting: &Setting, load: Load) -> Outcome<Running> {
        let running = match self {
            Self::Floor => baseline(Baseline::floor(setting, load, &[]).await?),
            Self::WholeListFloor => baseline(Baseline::floor(setting, load, &["--whole-list"]).await?),
            Self::Celery => baseline(Baseline::celery(setting, load).await?),
            Self::Ours(replicas) => ours(setting, load, replicas, Vec::new(), "").await?,
            Self::SideBySide => ours(setting, load, 1, vec![("SIDE_BY_SIDE", COMMON.to_owned())], "").await?,
            Self::Unexplained => ours(setting, load, 1, Vec::new(), UNEXPLAINED).await?,
        };
        running.db().batch_execute("create extension if not exists pg_stat_statements").await?;
        Ok(running)
    }
}

async fn ours(
    setting: &Setting,
    load: Load,
    replicas: usize,
    variables: Vec<(&'static str, String)>,
    before: &str,
) -> Outcome<Running> {
    let shape = Shape { latency: load.latency(), variables, ..Shape::default() };
    let mut flow = Flow::on(setting, load.world(), shape).await?;
    flow.db.batch_execute(before).await?;
    flow.start_all(replicas).await?;
    Ok(Running::Ours(Box::new(flow)))
}

fn baseline(baseline: Baseline) -> Running {
    Running::Baseline(Box::new(baseline))
}

impl Running {
    pub(crate) fn db(&self) -> &Client {
        match self {
            Self::Baseline(baseline) => &baseline.db,
            Self::Ours(flow) => &flow.db,
        }
    }

    pub(crate) fn place(&self) -> &Place {
        match self {
            Self::Baseline(baseline) => &baseline.place,
            Self::Ours(flow) => &flow.place,
        }
    }

    pub(crate) fn twitch(&self) -> &FakeTwitch {
        match self {
            Self::Baseline(baseline) => &baseline.twitch,
            Self::Ours(flow) => &flow.twitch,
        }
    }

    /// The processes that do the work; their descendants work too.
    pub(crate) fn processes(&self) -> Outcome<Vec<u32>> {
        match self {
            Self::Baseline(baseline) => Ok(vec![baseline.worker().pid()?]),
            Self::Ours(flow) => flow.workers.iter().map(Process::pid).collect(),
        }
    }

    /// Whether it works through RabbitMQ.
    pub(crate) fn uses_broker(&self) -> bool {
        match self {
            Self::Baseline(baseline) => baseline.uses_broker(),
            Self::Ours(_) => true,
        }
    }

    /// Asks for a pull.
    pub(crate) async fn request(&mut self) -> Outcome<PullId> {
        match self {
            Self::Baseline(baseline) => baseline.request().await,
            Self::Ours(flow) => flow.request().await,
        }
    }

    /// Waits until the pull has succeeded. Asks for one column only: what is measured should not be the asking.
    pub(crate) async fn succeeded(&self, pull: PullId) -> Outcome<()> {
        let status = self.db().prepare("/* bench::status */ select status from pull where id = $1").await?;
        let begun = Instant::now();
        loop {
            let row = self.db().query_one(&status, &[&pull.0]).await?;
            match row.try_get(0)? {
                "success" => return Ok(()),
                status if status == "failed" || begun.elapsed() > PATIENCE => {
                    return Err(format!("pull {pull} is {status} after {:?}", begun.elapsed()).into());
                }
                // A hundredth of the time is near enough, and the longer it takes the less the asking costs.
                _ => sleep(LOOK.max(begun.elapsed() / 100)).await,
            }
        }
    }

    /// Waits until nothing of its work is left in a queue.
    pub(crate) async fn drained(&self) -> Outcome<()> {
        match self {
            // The pull is done with its last message.
            Self::Baseline(_) => Ok(()),
            Self::Ours(flow) => flow.drained().await,
        }
    }

    /// Stops it and removes what it had.
    pub(crate) async fn end(self) -> Outcome<()> {
        match self {
            Self::Baseline(baseline) => baseline.end().await,
            Self::Ours(flow) => flow.end().await,
        }
    }
}
