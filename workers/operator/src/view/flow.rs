//! The flow as `operator top` shows it: a chain of stages, the pulls under way, the point budget.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use shared::store::{PullReport, WorkerRow};

use super::{
    Facts, Health, describe_progress,
    format::{duration, first_line, number, time},
    person_pause,
    table::{Style, Table},
};

/// Looks that a rate is taken over.
const LOOKS: usize = 6;
/// Characters of a bar.
const BAR: usize = 20;

/// A stage now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FlowStage {
    pub(crate) stage: &'static str,
    /// `working`, `paused`, `trouble`, `half-open`, `draining`, or `absent`.
    pub(crate) state: String,
    pub(crate) workers: u32,
    pub(crate) ready: u32,
    pub(crate) in_hand: u32,
    pub(crate) retrying: u32,
    pub(crate) dead: u32,
    /// Chunks (for the extractor: pages) per second.
    pub(crate) per_second: f64,
    /// How long the first that waits has been waiting.
    pub(crate) oldest: Option<TimeDelta>,
}

/// Everything at one look.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) at: DateTime<Utc>,
    pub(crate) troubles: Vec<String>,
    /// What people have paused.
    pub(crate) paused: Vec<String>,
    pub(crate) stages: Vec<FlowStage>,
    pub(crate) pulls: Vec<PullReport>,
    /// Points left, and points of the full budget, by the worker that believes in the fewest.
    pub(crate) points: Option<(i32, i32)>,
}

/// What the stages had done at the last looks.
#[derive(Debug, Default)]
pub(crate) struct FlowRates(VecDeque<(DateTime<Utc>, Done)>);

/// What the four stages have done of each pull: pages, and chunks with games, with channels, and merged.
type Done = BTreeMap<i64, [i64; 4]>;

impl FlowRates {
    /// Notes what the stages have done by now.
    fn note(&mut self, pulls: &[&PullReport], now: DateTime<Utc>) {
        let done = |pull: &&PullReport| {
            let done = [i64::from(pull.pages), pull.games_chunks, pull.channels_chunks, pull.merged_chunks];
            (pull.pull_id.0, done)
        };
        self.0.push_back((now, pulls.iter().map(done).collect()));
        if self.0.len() > LOOKS {
            self.0.pop_front();
        }
    }

    /// What each of the four stages of a pull did per second since the first of the last looks.
    fn per_second(&self) -> [f64; 4] {
        let (Some((from, before)), Some((to, after))) = (self.0.front(), self.0.back()) else {
            return [0.0; 4];
        };
        let seconds = (*to - *from).as_seconds_f64();
        let mut done = [0_i64; 4];
        for (pull, counts) in after {
            // A pull that was not seen before may be an old one; what it did then is not known.
            let Some(before) = before.get(pull) else { continue };
            for (sum, (now, then)) in done.iter_mut().zip(counts.iter().zip(before)) {
                *sum += (now - then).max(0);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of chunks")]
        done.map(|done| if seconds > 0.0 { done as f64 / seconds } else { 0.0 })
    }
}

impl Flow {
    /// The flow by these facts; `oldest` is since when the first message of a stage waits.
    pub(crate) fn new(
        facts: &Facts,
        oldest: &[(&'static str, DateTime<Utc>)],
        rates: &mut FlowRates,
        now: DateTime<Utc>,
    ) -> Self {
        let pulls: Vec<&PullReport> = facts.under_way.iter().chain(&facts.last_closed).collect();
        rates.note(&pulls, now);
        let per_second = rates.per_second().into_iter().chain(std::iter::repeat(0.0));
        let stages = facts.stages.iter().zip(per_second).map(|(queues, per_second)| {
            let workers: Vec<_> =
                facts.workers.iter().filter(|worker| worker.stage == queues.stage).collect();
            let in_hand =
                workers.iter().map(|worker| u32::try_from(worker.in_hand).unwrap_or_default()).sum();
            let oldest =
                oldest.iter().find(|(stage, _)| *stage == queues.stage).map(|(_, since)| now - *since);
            FlowStage {
                stage: queues.stage,
                state: state(queues.stage, queues.workers, &workers, facts),
                workers: queues.workers.max(u32::try_from(workers.len()).unwrap_or(u32::MAX)),
                ready: queues.ready + queues.replay,
                in_hand,
                retrying: queues.retrying,
                dead: queues.dead,
                per_second,
                oldest,
            }
        });
        let points =
            facts.workers.iter().filter_map(|worker| Some((worker.points_left?, worker.points_limit?)));
        Self {
            at: now,
            troubles: Health::troubles_of(facts, now).into_iter().map(|trouble| trouble.text).collect(),
            paused: facts.paused.iter().map(person_pause).collect(),
            stages: stages.collect(),
            pulls: facts.under_way.clone(),
            points: points.min_by_key(|(left, _)| *left),
        }
    }
}

fn state(stage: &str, consumers: u32, workers: &[&WorkerRow], facts: &Facts) -> String {
    if facts.is_paused_by_person(stage) {
        return "paused".into();
    }
    match workers.iter().find(|worker| worker.is_paused()).or(workers.first()) {
        Some(worker) if worker.is_paused() => "trouble".into(),
        Some(worker) if worker.state == "consuming" => "working".into(),
        Some(worker) => worker.state.clone(),
        None if consumers > 0 => "working".into(),
        None => "absent".into(),
    }
}

/// The screen.
pub(crate) fn flow(flow: &Flow, columns: u16) -> String {
    let width = usize::from(columns);
    let mut lines = vec![format!("twitch-pull   {}", time(flow.at)), chain(flow, width), String::new()];
    let (table, pulls) = (stage_table(flow, columns), pull_lines(flow, width));
    lines.extend(table.to_string().lines().map(str::to_owned));
    lines.push(String::new());
    lines.extend(pulls);
    lines.extend(points(flow));
    if notes(flow).next().is_some() {
        lines.push(String::new());
        // Whole, because what to do stands at the end.
        let notes = Table::facts(notes(flow)).of_width(columns);
        lines.extend(notes.to_string().lines().map(str::to_owned));
    }
    lines.join("\n")
}

/// The same as plain lines, each of which says when.
pub(crate) fn flow_lines(flow: &Flow) -> String {
    let at = time(flow.at);
    let stages = flow.stages.iter().map(|stage| {
        let oldest = stage.oldest.map_or_else(|| "-".into(), duration);
        format!(
            "{at} {}: {}, {} workers, {} ready, {} in hand, {} retrying, {} dead, {:.1}/s, oldest {oldest}\n",
            stage.stage,
            stage.state,
            stage.workers,
            stage.ready,
            stage.in_hand,
            stage.retrying,
            stage.dead,
            stage.per_second,
        )
    });
    let pulls = pull_lines(flow, usize::MAX).into_iter().map(|line| format!("{at} {line}\n"));
    let notes = notes(flow).map(|(mark, note)| format!("{at} {mark} {note}\n"));
    stages.chain(pulls).chain(points(flow).map(|line| format!("{at} {line}\n"))).chain(notes).collect()
}

/// What is wrong, and what is paused on purpose.
fn notes(flow: &Flow) -> impl Iterator<Item = (&'static str, &String)> {
    let paused = flow.paused.iter().map(|pause| ("‖", pause));
    flow.troubles.iter().map(|trouble| ("!", trouble)).chain(paused)
}

/// The stages in a row, with what waits between them.
fn chain(flow: &Flow, width: usize) -> String {
    let links = flow.stages.iter().map(|stage| format!("{}▶ {}", number(stage.ready), stage.stage));
    let chain = links.collect::<Vec<_>>().join(" ─");
    first_line(&chain, width)
}

fn stage_table(flow: &Flow, columns: u16) -> Table {
    let headings = ["STAGE", "STATE", ">WORKERS", ">READY", ">IN HAND", ">RETRY", ">DEAD", ">/S", ">OLDEST"];
    let mut table = Table::new(&headings).of_width(columns);
    for stage in &flow.stages {
        let state = match stage.state.as_str() {
            "working" => Style::Good,
            "trouble" | "absent" => Style::Bad,
            _ => Style::Busy,
        };
        let dead = if stage.dead > 0 { Style::Bad } else { Style::Plain };
        let plain = Style::Plain;
        table.styled_row(
            &[plain, state, plain, plain, plain, plain, dead],
            [
                stage.stage.to_owned(),
                stage.state.clone(),
                number(stage.workers),
                number(stage.ready),
                number(stage.in_hand),
                number(stage.retrying),
                number(stage.dead),
                format!("{:.1}", stage.per_second),
                stage.oldest.map_or_else(|| "-".into(), duration),
            ],
        );
    }
    table
}

fn pull_lines(flow: &Flow, width: usize) -> Vec<String> {
    if flow.pulls.is_empty() {
        return vec!["no pull is under way".into()];
    }
    let line = |pull: &PullReport| {
        let (all, merged) = (i64::from(pull.chunks.max(pull.pages)), pull.merged_chunks);
        let filled = usize::try_from(merged.saturating_mul(20) / all.max(1)).unwrap_or_default().min(BAR);
        let bar = format!("{}{}", "█".repeat(filled), "░".repeat(BAR - filled));
        let progress = describe_progress(pull, flow.at);
        first_line(&format!("{bar} {merged} of {all} chunks merged: {progress}"), width)
    };
    flow.pulls.iter().map(line).collect()
}

fn points(flow: &Flow) -> Option<String> {
    let (left, limit) = flow.points?;
    Some(format!("Twitch's points: {} of {} left", number(left), number(limit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sample,
        view::{StageQueues, by_stage},
    };

    fn facts(merged_chunks: i64) -> Facts {
        let stages = by_stage(&[]).into_iter().map(|queues| StageQueues { workers: 1, ready: 12, ..queues });
        Facts {
            stages: stages.collect(),
            under_way: vec![PullReport { merged_chunks, ..sample::under_way() }],
            paused: vec![sample::stage_pause()],
            workers: vec![WorkerRow { stage: "finalizer".into(), ..sample::worker() }],
            ..Facts::default()
        }
    }

    #[test]
    fn the_screen_fits_and_names_what_matters() {
        let (mut rates, oldest) =
            (FlowRates::default(), [("finalizer", sample::now() - TimeDelta::seconds(9))]);
        Flow::new(&facts(20), &oldest, &mut rates, sample::now());
        let later = Flow::new(&facts(30), &oldest, &mut rates, sample::now() + TimeDelta::seconds(2));
        assert!((later.stages[3].per_second - 5.0).abs() < 1e-9, "{later:?}");
        for columns in [80, 140] {
            let screen = flow(&later, columns);
            let widest = screen.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= columns.into(), "{widest}: {screen}");
            for words in [
                "12▶ extractor ─12▶ game-enricher",
                "paused",
                "trouble",
                "30 of 40 chunks merged",
                "700 of 800",
            ] {
                assert!(screen.contains(words), "{words}: {screen}");
            }
        }
        // In a narrow terminal, too, it is said what to do.
        let screen = flow(&later, 60);
        assert!(
            screen.split_whitespace().collect::<Vec<_>>().join(" ").contains("`operator resume"),
            "{screen}"
        );
        let lines = flow_lines(&later);
        assert!(lines.lines().all(|line| line.starts_with("2026-07-12 10:42:02 UTC ")), "{lines}");
        assert!(lines.contains("finalizer: trouble, 1 workers, 12 ready, 1 in hand"), "{lines}");
    }
}
