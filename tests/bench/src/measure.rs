//! One pull, measured.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use fake_twitch::{Endpoint, Stats, World};
use shared::{
    schema::PullId,
    store::{PullReport, StageSpan},
};

use crate::{
    flow::{Flow, MIN_VIEWERS},
    outcome::Outcome,
    process::{Taken, taken},
    process_tree::tree_cpu,
    services::Server,
};

/// What a pull took.
pub(crate) struct Measured {
    pub(crate) pull: PullId,
    pub(crate) report: PullReport,
    /// From the request to the success.
    pub(crate) wall: Duration,
    /// When each stage was done with its first and its last chunk, since the request.
    pub(crate) stages: Vec<(&'static str, Duration, Duration)>,
    /// What each worker took so far, replicas one by one.
    pub(crate) workers: Vec<(&'static str, Taken)>,
    /// Seconds of processor time during this pull: workers by name, the servers, and this process with its fake Twitch.
    pub(crate) cpu: BTreeMap<&'static str, f64>,
    pub(crate) stats: Stats,
}

/// A pull from its request to its success.
pub(crate) async fn pull(flow: &Flow) -> Outcome<Measured> {
    flow.twitch.reset_stats();
    let before = processor(flow)?;
    let pull = flow.request().await?;
    let report = flow.succeeded(pull).await?;
    let wall = report.completed_at.and_then(|at| (at - report.started_at).to_std().ok()).unwrap_or_default();
    let after = processor(flow)?;
    let stages = spans(report.started_at, &flow.store.stage_spans(pull).await?);
    Ok(Measured {
        pull,
        wall,
        stages,
        workers: workers(flow)?,
        cpu: after.iter().map(|(name, now)| (*name, now - before.get(name).unwrap_or(&0.0))).collect(),
        stats: flow.twitch.stats(),
        report,
    })
}

/// What each worker took so far.
pub(crate) fn workers(flow: &Flow) -> Outcome<Vec<(&'static str, Taken)>> {
    flow.workers.iter().map(|worker| Ok((worker.name(), worker.taken()?))).collect()
}

fn processor(flow: &Flow) -> Outcome<BTreeMap<&'static str, f64>> {
    let mut seconds = BTreeMap::new();
    for (name, taken) in workers(flow)? {
        *seconds.entry(name).or_default() += taken.cpu;
    }
    let services = flow.place.services();
    for server in [Server::RabbitMq, Server::PostgreSql] {
        seconds.insert(server.name(), tree_cpu(services.pid(server)?)?);
    }
    seconds.insert("fake Twitch and bench", taken(std::process::id())?.cpu);
    Ok(seconds)
}

fn spans(began: DateTime<Utc>, spans: &[StageSpan]) -> Vec<(&'static str, Duration, Duration)> {
    let since = |at: Option<DateTime<Utc>>| at.and_then(|at| (at - began).to_std().ok()).unwrap_or_default();
    spans.iter().map(|span| (span.stage, since(span.first_at), since(span.last_at))).collect()
}

/// The fewest calls a pull of this world can do with, when nothing is known.
pub(crate) fn least_calls(world: &World) -> [(&'static str, Endpoint, usize); 3] {
    let wanted: Vec<_> = world.sound_streams(MIN_VIEWERS).collect();
    let mut games: Vec<&str> =
        wanted.iter().map(|stream| stream.game_id.as_str()).filter(|id| !id.is_empty()).collect();
    games.sort_unstable();
    games.dedup();
    [
        ("/streams", Endpoint::Streams, wanted.len().div_ceil(100)),
        ("/games", Endpoint::Games, games.len().div_ceil(100)),
        ("/users", Endpoint::Users, wanted.len().div_ceil(100)),
    ]
}

impl Measured {
    /// What was measured, for a person.
    pub(crate) fn lines(&self, world: &World) -> Vec<String> {
        let mut lines = vec![format!(
            "{} streams in {} chunks, {:.2} s: {:.0} streams a second",
            self.report.stored,
            self.report.chunks,
            self.wall.as_secs_f64(),
            f64::from(self.report.stored) / self.wall.as_secs_f64()
        )];
        for (stage, first, last) in &self.stages {
            lines.push(format!(
                "  {stage:<17} first chunk after {:6.2} s, last after {:6.2} s",
                first.as_secs_f64(),
                last.as_secs_f64()
            ));
        }
        let calls = least_calls(world).map(|(path, endpoint, least)| {
            format!("{path} {} (least from nothing: {least})", self.stats.calls(endpoint))
        });
        lines.push(format!("  calls: {}, tokens {}", calls.join(", "), self.stats.tokens_issued));
        let memory: Vec<String> = self
            .workers
            .iter()
            .map(|(name, taken)| format!("{name} {:.1}", mebibytes(taken.peak_rss)))
            .collect();
        lines.push(format!("  peak memory, MiB: {}; sum {:.1}", memory.join(", "), self.memory()));
        let cpu: Vec<String> =
            self.cpu.iter().map(|(name, seconds)| format!("{name} {seconds:.2}")).collect();
        let all: f64 = self.cpu.values().sum();
        lines.push(format!("  processor, s: {}; sum {all:.2}", cpu.join(", ")));
        lines
    }

    /// The sum of the workers' peak memory, in MiB.
    pub(crate) fn memory(&self) -> f64 {
        self.workers.iter().map(|(_, taken)| mebibytes(taken.peak_rss)).sum()
    }

    /// Seconds of processor time of one of those that took part.
    pub(crate) fn total_cpu(&self) -> f64 {
        self.cpu.values().sum()
    }
}

/// KiB as MiB.
#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52")]
pub(crate) fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}
