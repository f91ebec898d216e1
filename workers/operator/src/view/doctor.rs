//! Why nothing happens, or why a pull is not done: the likeliest cause first, each with what to do next.
//!
//! What everything depends on comes before what depends on it: the database, the broker, its queues, a person's pause, the
//! workers, Twitch's budget, single messages. The sentences are those of `status` and `wait`.

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    runtime::Difference,
    schema::PullStatus,
    store::{PullReport, WorkerRow},
    topology::{StageInfo, all_stages},
    view::{behind, end_of_erasure, long_retries, no_worker, pause, retries, silence, unfinished_erasure},
};

use super::{
    Facts, describe_progress,
    format::{count, duration, number},
    person_pause, stages_with_work,
    topology_plan::describe_difference,
};

/// Clocks that differ by more than this are a cause.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(5);
/// Below this share of Twitch's points calls wait for their own, in percent.
const FEW_POINTS: i32 = 5;

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// A short, stable name.
    pub(crate) code: &'static str,
    /// In words.
    pub(crate) cause: String,
    /// What to do next, where the words do not say it.
    pub(crate) next: Option<String>,
}

/// What is examined.
#[derive(Debug, Default)]
pub(crate) struct Examination {
    /// What `status` judges by.
    pub(crate) facts: Facts,
    /// The pull that was asked about.
    pub(crate) pull: Option<PullReport>,
    /// Differences between the broker and the topology.
    pub(crate) differences: Vec<Difference>,
    /// Why bindings are not among them, if so.
    pub(crate) bindings_unseen: Option<String>,
    /// Why the broker takes no messages, if so.
    pub(crate) blocked: Option<String>,
    /// How far this machine's clock is ahead of the database's.
    pub(crate) clock_ahead: TimeDelta,
}

/// The causes, the likeliest first; none where all is well.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    /// The causes.
    pub(crate) causes: Vec<Finding>,
    /// Where the pull stands that was asked about, or that is under way.
    pub(crate) progress: Option<String>,
    /// Why bindings were not looked at, if so.
    pub(crate) bindings_unseen: Option<String>,
}

impl Diagnosis {
    /// Judges what was examined.
    pub(crate) fn new(examined: &Examination, now: DateTime<Utc>) -> Self {
        let pull = examined.pull.as_ref().or(examined.facts.under_way.first());
        Self {
            causes: causes(examined, now),
            progress: pull.map(|pull| describe_progress(pull, now)),
            bindings_unseen: examined.bindings_unseen.clone(),
        }
    }
}

/// The diagnosis as text.
pub(crate) fn diagnosis(diagnosis: &Diagnosis) -> String {
    let lines = diagnosis.progress.iter().map(|progress| format!("{progress}.\n"));
    let unseen = diagnosis.bindings_unseen.iter().map(|why| format!("Bindings were not looked at: {why}.\n"));
    let rest: String = lines.chain(unseen).collect();
    if diagnosis.causes.is_empty() {
        return crate::suggest::typed(&format!("Nothing is wrong.\n{rest}"));
    }
    let causes = diagnosis.causes.iter().enumerate().map(|(n, Finding { cause, next, .. })| {
        let next = next.as_ref().map(|next| format!("\n   next: {next}")).unwrap_or_default();
        format!("{}. {cause}{next}\n", n + 1)
    });
    crate::suggest::typed(&format!("{}{rest}", causes.collect::<String>()))
}

fn causes(examined: &Examination, now: DateTime<Utc>) -> Vec<Finding> {
    let Examination { facts, pull, differences, blocked, clock_ahead, .. } = examined;
    let cause = |code, cause: String, next: Option<String>| Finding { code, cause, next };
    let plain = |code, text: String| cause(code, text, None);
    // The stages that matter come first; with no pull in question all of them do, and what is done with a pull afterwards.
    let needed: Vec<StageInfo> =
        pull.as_ref().map_or_else(|| all_stages().collect(), |pull| stages_with_work(pull).collect());
    let mut causes = Vec::new();
    causes.extend(facts.database_trouble.iter().map(|trouble| plain("database", trouble.clone())));
    causes.extend(facts.broker_trouble.iter().map(|trouble| plain("broker", trouble.clone())));
    causes.extend(blocked.iter().map(|why| {
        let next = "free memory or disk on the broker's machine; publishing continues by itself".to_owned();
        cause("alarm", format!("RabbitMQ takes no messages: {why}"), Some(next))
    }));
    if clock_ahead.abs() > CLOCKS_DIFFER {
        causes.push(clock(&format!("this machine's clock is {}", off(*clock_ahead))));
    }
    let skewed =
        facts.workers.iter().chain(&facts.silent).find(|worker| worker.clock_ahead.abs() > CLOCKS_DIFFER);
    causes.extend(skewed.map(|worker| {
        clock(&format!("the clock of the {} on {} is {}", worker.stage, worker.host, off(worker.clock_ahead)))
    }));
    causes.extend(differences.iter().filter(|found| !matches!(found, Difference::Unknown(_))).map(|found| {
        cause(
            "topology",
            describe_difference(found),
            Some("`operator topology diff`, then `operator topology apply`".into()),
        )
    }));
    let paused = |stage: &StageInfo| facts.paused.iter().find(|pause| pause.stage == stage.name);
    causes.extend(needed.iter().filter_map(|stage| Some(plain("paused", person_pause(paused(stage)?)))));
    causes.extend(
        needed.iter().filter_map(|stage| Some(plain("trouble", pause(stage.name, &facts.workers, now)?))),
    );
    causes.extend(needed.iter().filter_map(|stage| absent(*stage, facts, now)));
    causes.extend(budget(&facts.workers));
    match pull {
        Some(pull) => causes.extend(of_pull(pull, facts, now)),
        None => causes.extend(in_general(facts, now)),
    }
    causes.extend(silent(facts, now));
    causes.extend(facts.erasures.iter().map(|erasure| {
        cause(
            "erasure",
            unfinished_erasure(erasure, now),
            Some(format!("end it: {}", end_of_erasure(erasure))),
        )
    }));
    causes
}

fn off(ahead: TimeDelta) -> String {
    let way = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
    format!("{} {way} the database's", duration(ahead.abs()))
}

fn clock(words: &str) -> Finding {
    Finding { code: "clock", cause: words.to_owned(), next: Some("set the clocks by NTP".into()) }
}

/// A stage that nobody works at.
fn absent(stage: StageInfo, facts: &Facts, now: DateTime<Utc>) -> Option<Finding> {
    let queues = facts.stages.iter().find(|queues| queues.stage == stage.name)?;
    let silent =
        facts.silent.iter().filter(|worker| worker.stage == stage.name).max_by_key(|worker| worker.seen_at);
    let silence = silent.map(|worker| silence(worker, now));
    let text = match (queues.workers, is_there(stage.name, facts), silence) {
        (0, false, None) => no_worker(stage),
        (0, false, Some(silence)) => format!("{}; {silence}", no_worker(stage)),
        (_, false, Some(silence)) => silence,
        // It is there; or it reads its queue and was not heard of, because it has only just started.
        (_, true, _) | (_, false, None) => return None,
    };
    Some(Finding {
        code: "no-worker",
        cause: text,
        next: Some(format!("start the {}, and read its log", stage.name)),
    })
}

/// Whether a worker of this stage says that it lives.
fn is_there(stage: &str, facts: &Facts) -> bool {
    let is_silent = |worker: &WorkerRow| facts.silent.iter().any(|silent| silent.replica == worker.replica);
    facts.workers.iter().any(|worker| worker.stage == stage && !is_silent(worker))
}

/// Workers that are silent while others of their stage do their work.
fn silent(facts: &Facts, now: DateTime<Utc>) -> impl Iterator<Item = Finding> {
    facts.silent.iter().filter(|worker| is_there(&worker.stage, facts)).map(move |worker| Finding {
        code: "silent",
        cause: silence(worker, now),
        next: Some("see what became of its process; another does its work meanwhile".into()),
    })
}

/// Twitch's point budget, where it is used up.
fn budget(workers: &[WorkerRow]) -> Option<Finding> {
    let told = workers.iter().filter_map(|worker| Some((worker.points_left?, worker.points_limit?)));
    let (left, limit) = told.min_by_key(|(left, _)| *left)?;
    (limit > 0 && left * 100 < limit * FEW_POINTS).then(|| Finding {
        code: "points",
        cause: format!(
            "Twitch's point budget is used up ({} of {} points are left): calls wait for points",
            number(left),
            number(limit)
        ),
        next: Some(
            "nothing, if this passes within a minute; otherwise see who else uses this client id".into(),
        ),
    })
}

fn of_pull(pull: &PullReport, facts: &Facts, now: DateTime<Utc>) -> Vec<Finding> {
    let id = pull.pull_id;
    if pull.status == PullStatus::Failed.as_str() {
        let why = pull.error.as_deref().unwrap_or("no reason was recorded");
        return vec![Finding {
            code: "failed",
            cause: format!("pull {id} has failed: {why}"),
            next: Some(format!("`operator dead-letters list --pull {id}`")),
        }];
    }
    let own = facts.retries.iter().filter(|retry| retry.pull_id == Some(id.0));
    let mut causes: Vec<Finding> = retries(own, now)
        .into_iter()
        .map(|cause| Finding { code: "retries", cause, next: Some(format!("`operator show {id}`")) })
        .collect();
    let fetched =
        |other: &&PullReport| other.pull_id != id && other.pages > 0 && other.extracted_at.is_none();
    if pull.pages == 0
        && pull.completed_at.is_none()
        && let Some(other) = facts.under_way.iter().find(fetched)
    {
        causes.push(Finding { code: "turn", cause: behind(id, other.pull_id), next: None });
    }
    if pull.rescues > 0 && causes.is_empty() {
        let cause = format!("pull {id} stalled; re-announced {}", count(pull.rescues, "time"));
        causes.push(Finding { code: "stalled", cause, next: Some(format!("`operator show {id}`")) });
    }
    causes
}

fn in_general(facts: &Facts, now: DateTime<Utc>) -> Vec<Finding> {
    let mut causes: Vec<Finding> = long_retries(&facts.retries, now)
        .into_iter()
        .map(|cause| Finding { code: "retries", cause, next: Some("`operator status`".into()) })
        .collect();
    causes.extend(facts.stages.iter().filter(|queues| queues.dead > 0).map(|queues| {
        let stage = queues.stage;
        Finding {
            code: "dead-letters",
            cause: format!("{} of the {stage}", count(queues.dead, "dead letter")),
            next: Some(format!("`operator dead-letters groups --stage {stage}`")),
        }
    }));
    causes
}

/// One thing that was checked before the first start.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    /// What was checked.
    pub(crate) name: &'static str,
    /// Whether it is as it should be.
    pub(crate) well: bool,
    /// What was found.
    pub(crate) finding: String,
    /// What to do next, where the finding does not say it.
    pub(crate) next: Option<String>,
}

/// All that was checked.
#[derive(Debug)]
pub(crate) struct Preflight {
    /// In the order in which the things depend on each other.
    pub(crate) checks: Vec<Check>,
}

impl Preflight {
    /// Whether everything is as it should be.
    pub(crate) fn well(&self) -> bool {
        self.checks.iter().all(|check| check.well)
    }
}

/// The checks as text: what is wrong first.
pub(crate) fn preflight(preflight: &Preflight) -> String {
    let line = |check: &Check| {
        let mark = if check.well { "ok    " } else { "NOT OK" };
        let next = check.next.as_ref().map(|next| format!("\n        next: {next}")).unwrap_or_default();
        format!("{mark}  {}: {}{next}\n", check.name, check.finding)
    };
    let (well, wrong): (Vec<_>, Vec<_>) = preflight.checks.iter().partition(|check| check.well);
    crate::suggest::typed(&wrong.into_iter().chain(well).map(line).collect::<String>())
}
