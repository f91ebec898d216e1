//! Dead letters by the hundred: a worker that fails as it is told, and the operator as a process.

use std::{
    collections::BTreeMap,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
};

use chrono::DateTime;
use fake_twitch::{World, WorldConfig};
use secrecy::ExposeSecret;
use shared::{
    dead_letter::DeadLetterStore,
    failure::Failure,
    runtime::{Job, Outcome, Step, Worker},
    schema::{ChunkRef, ChunkStored, GamesFilled, PullId},
    store::{DeadLetterFilter, ReplayReport, Store},
    topology::{GAME_ENRICHER, Stage},
};

use crate::{eventually::eventually, rig::Rig};

/// The queue of the dead letters made here.
pub(crate) const DEAD: &str = "game-enricher.dead";

/// What can go wrong; each in words that differ from one message to the next in what should not matter.
const CODES: [&str; 5] = ["test.zero", "test.one", "test.two", "test.three", "test.four"];

/// A worker that fails with so many causes, or none; it remembers what it handled.
#[derive(Clone)]
pub(crate) struct FailingWorker {
    store: Store,
    causes: Arc<AtomicI32>,
    handled: Arc<Mutex<BTreeMap<(i64, i32), u32>>>,
}

impl FailingWorker {
    /// One that fails with so many causes, and records its dead letters where the rig's workers do.
    pub(crate) fn of(rig: &Rig, causes: i32) -> Self {
        let causes = Arc::new(AtomicI32::new(causes));
        Self { store: rig.store.clone(), causes, handled: Arc::default() }
    }

    /// From now on it fails with so many causes; with none it is resolved.
    pub(crate) fn fail_with(&self, causes: i32) {
        self.causes.store(causes, Ordering::SeqCst);
    }

    /// How often each message was handled, by pull and chunk.
    pub(crate) fn handled(&self) -> BTreeMap<(i64, i32), u32> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn try_one(&self, chunk: ChunkRef) -> Outcome {
        let causes = self.causes.load(Ordering::SeqCst);
        if causes == 0 {
            let mut handled = self.handled.lock().unwrap_or_else(PoisonError::into_inner);
            *handled.entry((chunk.pull_id.0, chunk.chunk)).or_default() += 1;
            return Ok(Step::Done(Vec::new()));
        }
        let cause = usize::try_from(chunk.chunk % causes).expect("a cause");
        let words = format!(
            "chunk {} of \"{}\" broke at 2026-01-01T00:00:{:02}Z",
            chunk.chunk,
            chunk.pull_id,
            chunk.chunk % 60
        );
        Err(Failure {
            causes: vec![format!("attempt {} of id-{}", chunk.chunk, chunk.chunk)],
            ..Failure::permanent(CODES[cause], words)
        })
    }
}

impl Worker for FailingWorker {
    type In = ChunkStored;
    type Out = GamesFilled;

    const STAGE: Stage<ChunkStored, GamesFilled> = GAME_ENRICHER;

    async fn handle(&self, jobs: &[Job<ChunkStored>]) -> Vec<Outcome> {
        jobs.iter().map(|job| self.try_one(job.message.0)).collect()
    }

    fn dead_letters(&self) -> &dyn DeadLetterStore {
        &self.store
    }

    async fn ready(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// A flow without streams: what goes through it is made by hand.
pub(crate) async fn empty_rig() -> Rig {
    Rig::new(World::generate(WorldConfig::plain(1))).await
}

/// The message about a chunk that is nowhere.
pub(crate) fn message(chunk: i32) -> ChunkStored {
    ChunkStored(ChunkRef { pull_id: PullId(1), pulled_at: DateTime::UNIX_EPOCH, chunk })
}

/// Starts a worker that fails with so many causes, and leaves dead letters of the chunks 1 to `dead_letters`.
pub(crate) async fn leave_dead_letters(rig: &mut Rig, causes: i32, dead_letters: i32) -> FailingWorker {
    let worker = FailingWorker::of(rig, causes);
    rig.start(worker.clone());
    announce(rig, dead_letters).await;
    worker
}

/// Work about the chunks 1 to `dead_letters`, which becomes as many dead letters.
pub(crate) async fn announce(rig: &Rig, dead_letters: i32) {
    let work = (1..=dead_letters).map(|chunk| GAME_ENRICHER.request(&message(chunk)));
    rig.announcer.announce(work.collect()).await.expect("announced");
    await_dead_letters(rig, dead_letters.into()).await;
}

/// Waits until so many dead letters are open and in their queue. Each tenth of them may take as long as anything may: thousands
/// would be a test of the machine's speed.
pub(crate) async fn await_dead_letters(rig: &Rig, dead_letters: i64) {
    for tenth in 1..=10 {
        let (least, most) = (dead_letters * tenth / 10, if tenth == 10 { dead_letters } else { i64::MAX });
        eventually(&format!("{dead_letters} dead letters should be recorded and in their queue"), || async {
            let recorded = rig.store.count_dead_letters(&DeadLetterFilter::default()).await.expect("a count");
            let confirmed = rig.store.queued_dead_letters().await.expect("counts");
            let confirmed = confirmed.get(DEAD).copied().unwrap_or_default();
            let found = [recorded, confirmed, i64::from(rig.ready(DEAD).await)];
            if found.iter().all(|number| (least..=most).contains(number)) { Ok(()) } else { Err(found) }
        })
        .await;
    }
}

/// Waits until a dead-letter queue is known to have so many dead letters.
pub(crate) async fn await_queued(rig: &Rig, queue: &str, dead_letters: i64) {
    eventually(&format!("{dead_letters} dead letters should be known to be in {queue}"), || async {
        let confirmed = rig.store.queued_dead_letters().await.expect("counts");
        if confirmed.get(queue) == Some(&dead_letters) { Ok(()) } else { Err(confirmed) }
    })
    .await;
}

/// The report of a replay, once something came of all its dead letters.
pub(crate) async fn settled(rig: &Rig, replay: i64) -> ReplayReport {
    eventually(&format!("something should come of all dead letters of replay {replay}"), || async {
        let report = rig.store.replay_report(replay).await.expect("a report").expect("a replay");
        if report.pending + report.not_sent == 0 { Ok(report) } else { Err(report) }
    })
    .await
}

/// As if whoever began a replay was silent for too long.
pub(crate) async fn let_replays_run_out(rig: &Rig) {
    let sql = "update replay set active_until = now() - interval '1 hour' where ended_at is null";
    rig.db.batch_execute(sql).await.expect("an update");
}

/// Tells a figure to whoever runs the tests.
pub(crate) fn report_figure(figure: &str) {
    // Nobody to tell it to is fine.
    let _ = writeln!(std::io::stderr(), "  {figure}");
}

/// The operator's command line on this rig.
pub(crate) fn command(rig: &Rig, words: &str) -> Command {
    let test = std::env::current_exe().expect("a path");
    let folder: PathBuf = test.parent().and_then(|deps| deps.parent()).expect("a target folder").into();
    let mut command = Command::new(folder.join("operator"));
    command
        .args(words.split_whitespace())
        .env_clear()
        .env("DATABASE_URL", rig.database.url_of("operator"))
        .env("AMQP_URL", rig.vhost.url_of("operator").expose_secret())
        .env("RETRY_DELAYS", "50ms,100ms,200ms,400ms")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What the operator answers: exit code, standard output, standard error.
pub(crate) async fn operator(rig: &Rig, words: &str) -> (i32, String, String) {
    answer(command(rig, words)).await
}

/// The same as the owner of the tables.
pub(crate) async fn owner(rig: &Rig, words: &str) -> (i32, String, String) {
    let mut command = command(rig, words);
    command.env("DATABASE_URL", rig.database.plain_url());
    answer(command).await
}

/// What such a command answers.
pub(crate) async fn answer(mut command: Command) -> (i32, String, String) {
    let run = tokio::task::spawn_blocking(move || command.output());
    let Output { status, stdout, stderr } =
        run.await.expect("a thread").expect("tests/run builds the programs first");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("a code"), text(stdout), text(stderr))
}

/// The JSON that the operator answers; it must end well.
pub(crate) async fn operator_json(rig: &Rig, words: &str) -> serde_json::Value {
    let (code, out, err) = operator(rig, &format!("{words} --json")).await;
    assert_eq!(code, 0, "{words}: {err}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{words}: {error}: {out}"))
}
