//! The two that ours is compared with: the floor, which is a program beside this one, and a Celery pool in Python.

use std::path::{Path, PathBuf};

use fake_twitch::FakeTwitch;
use shared::schema::PullId;
use tokio_postgres::Client;

use super::load::Load;
use crate::{
    Outcome, Setting,
    flow::{serve, variables},
    process::{Process, Recipe},
    services::Place,
};

/// The program in the folder of programs.
pub(crate) const FLOOR: &str = "floor";
/// Celery's program in the folder of the services, where `tests/bench/run` puts it.
pub(crate) const CELERY: &str = "venv/bin/celery";
const PYTHON: &str = "venv/bin/python";
const TABLES: &str = include_str!("baseline.sql");

/// A baseline with its tables, ready for a pull.
pub(crate) struct Baseline {
    pub(crate) place: Place,
    pub(crate) twitch: FakeTwitch,
    pub(crate) db: Client,
    /// Takes the id of a pull on its standard input, and carries it out unless there is a pool.
    front: Process,
    pool: Option<Process>,
}

impl Baseline {
    /// The floor.
    pub(crate) async fn floor(setting: &Setting, load: Load, arguments: &[&str]) -> Outcome<Self> {
        let (place, twitch, db) = prepare(setting, load).await?;
        let program = setting.programs.join(FLOOR);
        let front = start(setting, &place, &twitch, "floor", program, arguments).await?;
        Ok(Self { place, twitch, db, front, pool: None })
    }

    /// Celery with four processes.
    pub(crate) async fn celery(setting: &Setting, load: Load) -> Outcome<Self> {
        let (place, twitch, db) = prepare(setting, load).await?;
        let code = Path::new(env!("CARGO_MANIFEST_DIR")).join("celery");
        let code = code.to_str().ok_or("a path that is not Unicode")?;
        let worker = [
            "--workdir",
            code,
            "--app=pool",
            "worker",
            "--concurrency=4",
            "--loglevel=WARNING",
            "--without-gossip",
            "--without-mingle",
        ];
        let pool = setting.services.join(CELERY);
        let pool = start(setting, &place, &twitch, "celery", pool, &worker).await?;
        let client = [&*format!("{code}/pool.py")];
        let front = setting.services.join(PYTHON);
        let front = start(setting, &place, &twitch, "celery-client", front, &client).await?;
        Ok(Self { place, twitch, db, front, pool: Some(pool) })
    }

    /// The process that does the work, or whose children do.
    pub(crate) fn worker(&self) -> &Process {
        self.pool.as_ref().unwrap_or(&self.front)
    }

    pub(crate) fn uses_broker(&self) -> bool {
        self.pool.is_some()
    }

    pub(crate) async fn request(&mut self) -> Outcome<PullId> {
        let pull = self
            .db
            .query_one("/* bench::request */ insert into pull default values returning id", &[])
            .await?;
        let pull = PullId(pull.try_get(0)?);
        self.front.tell(&pull.to_string()).await?;
        Ok(pull)
    }

    pub(crate) async fn end(self) -> Outcome<()> {
        self.front.finish().await?;
        if let Some(pool) = self.pool {
            pool.stop().await?;
        }
        drop(self.db);
        self.place.remove().await
    }
}

async fn prepare(setting: &Setting, load: Load) -> Outcome<(Place, FakeTwitch, Client)> {
    let place = setting.services().place().await?;
    let db = place.client().await?;
    db.batch_execute(TABLES).await?;
    Ok((place, serve(load.world(), load.latency(), None).await?, db))
}

async fn start(
    setting: &Setting,
    place: &Place,
    twitch: &FakeTwitch,
    name: &'static str,
    program: PathBuf,
    arguments: &[&str],
) -> Outcome<Process> {
    let log = setting.logs()?.join(format!("{}-{name}.log", place.name()));
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let mut variables = variables(place, twitch);
    // Python leaves no compiled files among the sources.
    variables.push(("PYTHONDONTWRITEBYTECODE", "1".to_owned()));
    let recipe = Recipe { program, arguments, name, log, variables };
    Process::start(recipe)?.ready().await
}
