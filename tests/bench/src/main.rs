//! The drills: how fast a pull is, what it takes, and what it survives, with the programs as they are shipped.
//!
//! `tests/bench/run` builds the programs, brings up servers that write honestly to disk, and calls this. Each drill has
//! a database and a vhost of its own, runs the real programs as processes against a fake Twitch in this process, and
//! fails when a stored row differs from the world. Figures about speed only mean something next to others of the same
//! run. What was measured stands in `README.md` beside this crate.

mod digest;
mod drill;
mod flow;
mod measure;
mod outcome;
mod process;
mod process_tree;
mod server_url;
mod services;
mod setting;
mod tee;
/// The tests' own comparison: one truth, not two.
#[path = "../../suite/src/truth.rs"]
mod truth;

/// The tests' own world, larger.
#[path = "../../suite/src/console_world.rs"]
mod console_world;

use std::{
    error::Error,
    iter::successors,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, Subcommand};

use self::{
    console_world::Scale,
    outcome::{Outcome, say},
    setting::Setting,
};

/// Runs drills against the programs in `--programs` and the servers in `--services`.
#[derive(Debug, Parser)]
#[command(version = shared::version::VERSION)]
struct Cli {
    #[command(flatten)]
    setting: Setting,
    #[command(subcommand)]
    drill: Option<Drill>,
}

/// A drill; without one, all those that need no more than one RabbitMQ and one PostgreSQL.
#[derive(Debug, Clone, Subcommand)]
enum Drill {
    /// A cold and a warm pull: time, calls, memory, and every row right
    Pull,
    /// Two of every worker leave the same tables
    Replicas,
    /// Every message delivered three times leaves the same tables
    Thrice,
    /// SIGKILL for every worker in turn, or so many at random
    Kill {
        /// So many kills at random instead of one for each worker
        #[arg(long, default_value_t = 0, value_name = "N")]
        kills: u32,
        /// Pulls they are spread over
        #[arg(long, default_value_t = 50, value_name = "N")]
        pulls: u32,
        /// What the choice of victims follows from
        #[arg(long, default_value_t = 1, value_name = "N")]
        seed: u64,
        /// SIGTERM in place of SIGKILL, as a rolling restart does it: each must end well
        #[arg(long)]
        gently: bool,
    },
    /// SIGKILL for RabbitMQ, then for PostgreSQL, in the middle of a pull
    Restart,
    /// SIGKILL for each node of a RabbitMQ cluster in turn, in the middle of a pull (tests/bench/run brings up three)
    Cluster,
    /// SIGKILL for PostgreSQL's primary in the middle of a pull, and its standby promoted
    Failover,
    /// A broker that blocks publishers, then a database without connections, for minutes, while pulls are due
    Outage {
        /// Only this one
        #[arg(long)]
        trouble: Option<drill::Trouble>,
        /// For how long each
        #[arg(long, default_value_t = 11, value_name = "N")]
        minutes: u64,
    },
    /// SIGKILL for RabbitMQ while a thousand messages fail: a thousand dead letters
    Deaths,
    /// So many dead letters: memory, how long a person waits, and the pace of a pull
    Backlog {
        /// So many
        #[arg(long, default_value_t = 100_000, value_name = "N")]
        dead_letters: u32,
    },
    /// One and four channel-enrichers; memory at six times the streams
    Scale {
        /// How long Twitch takes to answer, in milliseconds
        #[arg(long, default_value_t = 80, value_name = "MS")]
        latency: u64,
    },
    /// A bucket of points that is smaller than the pull: time beside the least there is, and no call refused
    Points {
        /// Points of the bucket, and those that flow back each minute
        #[arg(long, default_value_t = 240, value_name = "N")]
        per_minute: u32,
        /// So many of each worker, one run each
        #[arg(long, value_delimiter = ',', default_value = "1,8", value_name = "N,N")]
        replicas: Vec<usize>,
    },
    /// What the statements cost, in an empty database and in one with history
    Table {
        /// Finished pulls put in place
        #[arg(long, default_value_t = 200, value_name = "N")]
        pulls: u32,
        /// Streams of each
        #[arg(long, default_value_t = 10_000, value_name = "N")]
        rows: u32,
    },
    /// Years of pulls behind it: what the next one costs, and how soon the operator answers
    Growth {
        /// Finished pulls put in place
        #[arg(long, default_value_t = 1_000, value_name = "N")]
        pulls: u32,
        /// Rows of each; at most as many as a pull stores
        #[arg(long, default_value_t = 25_000, value_name = "N")]
        rows: u32,
        /// Over so many days
        #[arg(long, default_value_t = 365, value_name = "N")]
        days: u32,
    },
    /// What an exporter costs a pull, and a day of pulls before, while and after it is compacted, as DuckDB and PostgreSQL see it
    Lake {
        /// Streams of each pull of the day; 0 measures the cost of an exporter alone
        #[arg(long, default_value_t = 1_000, value_name = "N")]
        day_streams: usize,
        /// A Python with DuckDB, as the tests make one in target/lake-check; without, only we are asked
        #[arg(long, value_name = "FILE")]
        python: Option<std::path::PathBuf>,
    },
    /// Whole days and rows leave while others write: how long a write takes with and without
    Retention {
        /// Streams of each pull of the past
        #[arg(long, default_value_t = 2_000, value_name = "N")]
        past_streams: usize,
        /// Days of the past, with four pulls each; all but ten leave
        #[arg(long, default_value_t = 60, value_name = "N")]
        days: u32,
    },
    /// A month of pulls behind it: how soon the operator explains rows and streams that are not there
    Trace {
        /// Finished pulls put in place
        #[arg(long, default_value_t = 4_320, value_name = "N")]
        pulls: u32,
        /// Rows of each; five of each day are whole beside that
        #[arg(long, default_value_t = 100, value_name = "N")]
        rows: u32,
        /// Over so many days
        #[arg(long, default_value_t = 30, value_name = "N")]
        days: u32,
        /// Rows, and absent streams, that are traced
        #[arg(long, default_value_t = 200, value_name = "N")]
        asked: u32,
    },
    /// The console in front of a month of the flow: how soon pages answer, what open pages cost, memory; each beside its target
    Console {
        /// Pulls of the past, over 30 days
        #[arg(long, default_value_t = 4_320, value_name = "N")]
        pulls: u32,
        /// Chunks of each
        #[arg(long, default_value_t = 200, value_name = "N")]
        chunks: u32,
        /// Open dead letters, of 50 causes
        #[arg(long, default_value_t = 100_000, value_name = "N")]
        dead_letters: u32,
        /// Warnings and errors
        #[arg(long, default_value_t = 200_000, value_name = "N")]
        events: u32,
        /// Requests of each page
        #[arg(long, default_value_t = 40, value_name = "N")]
        requests: usize,
        /// For how long pages are kept open, in seconds, four times
        #[arg(long, default_value_t = 30, value_name = "N")]
        watch: u64,
    },
    /// Ours beside the least that could do it and beside a Celery pool: time, processor, memory, calls, statements, messages
    Compare(drill::Options),
}

impl Drill {
    const ALL: [Self; 11] = [
        Self::Pull,
        Self::Replicas,
        Self::Thrice,
        Self::Kill { kills: 0, pulls: 0, seed: 1, gently: false },
        Self::Restart,
        Self::Deaths,
        Self::Backlog { dead_letters: 100_000 },
        Self::Scale { latency: 80 },
        Self::Table { pulls: 200, rows: 10_000 },
        Self::Kill { kills: 200, pulls: 50, seed: 1, gently: false },
        Self::Kill { kills: 100, pulls: 25, seed: 2, gently: true },
    ];

    async fn run(&self, setting: &Setting) -> Outcome<()> {
        say(&format!("== {self:?}"))?;
        let begun = Instant::now();
        match *self {
            Self::Pull => drill::pull(setting).await?,
            Self::Replicas => drill::replicas(setting).await?,
            Self::Thrice => drill::thrice(setting).await?,
            Self::Kill { kills: 0, .. } => drill::kill_each(setting).await?,
            Self::Kill { kills, pulls, seed, gently } => {
                drill::kill_many(setting, &drill::Kills { number: kills, pulls, seed, gently }).await?;
            }
            Self::Restart => drill::restart(setting).await?,
            Self::Outage { trouble, minutes } => drill::outage(setting, trouble, minutes).await?,
            Self::Cluster => drill::cluster(setting).await?,
            Self::Failover => drill::failover(setting).await?,
            Self::Deaths => drill::deaths(setting).await?,
            Self::Backlog { dead_letters } => drill::backlog(setting, dead_letters).await?,
            Self::Scale { latency } => drill::scale(setting, latency).await?,
            Self::Points { per_minute, ref replicas } => drill::points(setting, per_minute, replicas).await?,
            Self::Table { pulls, rows } => drill::table(setting, pulls, rows).await?,
            Self::Growth { pulls, rows, days } => {
                let past = drill::History { pulls, rows, days, half_today: false };
                drill::growth(setting, past).await?;
            }
            Self::Lake { day_streams, ref python } => {
                drill::lake(setting, day_streams, python.as_deref()).await?;
            }
            Self::Retention { past_streams, days } => drill::retention(setting, past_streams, days).await?,
            Self::Trace { pulls, rows, days, asked } => {
                let past = drill::History { pulls, rows, days, half_today: false };
                drill::trace(setting, past, asked).await?;
            }
            Self::Console { pulls, chunks, dead_letters, events, requests, watch } => {
                let scale = Scale { pulls, chunks, days: 30, dead_letters, causes: 50, events };
                drill::console(setting, scale, requests, Duration::from_secs(watch)).await?;
            }
            Self::Compare(ref options) => drill::compare(setting, options).await?,
        }
        say(&format!("   passed in {:.0} s", begun.elapsed().as_secs_f64()))
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Runtime::new();
    let passed = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&cli)));
    match passed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where not even this can be said, the exit code says it.
            let _ = say(&format!("   FAILED: {}", with_causes(&*error)));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Outcome<()> {
    for worker in process::WORKERS {
        services::must_exist(&cli.setting.programs.join(worker), "cargo build --release")?;
    }
    services::must_exist(&cli.setting.services, "deploy/services start DIR")?;
    let drills = cli.drill.as_ref().map_or(&Drill::ALL[..], std::slice::from_ref);
    for drill in drills {
        drill.run(&cli.setting).await?;
    }
    Ok(())
}

/// An error, and what caused it.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    successors(Some(error), |&error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
