//! Ours beside the least that could do it and beside a plain worker pool: on the same servers, with the same fake Twitch, one
//! after the other.
//!
//! All must store the same rows. Each run gives every candidate a database and a vhost of its own and two pulls: in the
//! first nothing is known, in the second everything is. Figures are medians of several runs; what counts is how many
//! times those of the floor they are.

mod baseline;
mod candidate;
mod comparison;
mod figures;
mod load;
mod readiness;
mod report;
mod sample;
mod stored;

use std::path::PathBuf;

use candidate::{Candidate, Running};
use comparison::Comparison;
use load::Load;
use sample::Sample;
use stored::Stored;

use crate::{Outcome, Setting, flow::MIN_VIEWERS, say, services::must_exist, truth::assert_matches_world};

/// What is compared.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Streams of a pull, half of them with enough viewers, and milliseconds that Twitch takes to answer; repeatable
    #[arg(long, value_name = "STREAMS[@MS]", default_values = ["20000", "200000", "2000@80", "20000@80"])]
    load: Vec<Load>,
    /// How many of each worker of ours
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 2, 4])]
    replicas: Vec<usize>,
    /// Also without provenance, events and histories: what it costs to explain a pull
    #[arg(long)]
    unexplained: bool,
    /// Runs that each figure is the median of
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// Leave the Celery pool out, and with it Python
    #[arg(long)]
    without_celery: bool,
    /// Where the figures go as JSON, with the least and the most of each
    #[arg(long, value_name = "FILE", default_value = "target/compare.json")]
    json: PathBuf,
}

impl Options {
    fn candidates(&self, load: Load) -> Vec<Candidate> {
        let mut candidates = vec![Candidate::Floor, Candidate::WholeListFloor];
        candidates.extend((!self.without_celery).then_some(Candidate::Celery));
        candidates.extend(self.replicas.iter().copied().map(Candidate::Ours));
        candidates.extend(self.unexplained.then_some(Candidate::Unexplained));
        // Where Twitch answers at once there is nothing to be gained.
        candidates.extend((load.milliseconds > 0).then_some(Candidate::SideBySide));
        candidates
    }
}

pub(crate) async fn run(setting: &Setting, options: &Options) -> Outcome<()> {
    must_exist(&setting.programs.join(baseline::FLOOR), "cargo build --release -p bench")?;
    if !options.without_celery {
        must_exist(&setting.services.join(baseline::CELERY), "tests/bench/run compare makes it")?;
    }
    let machine = report::machine(setting).await?;
    for (what, value) in &machine {
        say(&format!("   {what}: {value}"))?;
    }
    let readiness = readiness::measure(setting, options.runs).await?;
    for line in report::readiness_lines(&readiness) {
        say(&format!("   {line}"))?;
    }
    let mut comparisons = Vec::new();
    for &load in &options.load {
        let comparison = compare(setting, options, load).await?;
        say("")?;
        for line in report::table(&comparison) {
            say(&line)?;
        }
        comparisons.push(comparison);
        // After each load, because the next may take long.
        std::fs::write(&options.json, report::json(&machine, &readiness, &comparisons)?)?;
    }
    say(&format!("\n   as JSON: {}", options.json.display()))
}

async fn compare(setting: &Setting, options: &Options, load: Load) -> Outcome<Comparison> {
    let mut candidates: Vec<(Candidate, [Vec<Sample>; 2])> =
        options.candidates(load).into_iter().map(|candidate| (candidate, Default::default())).collect();
    let mut wanted = None;
    // Run by run, so that whatever else the machine does for a while happens to all.
    for run in 1..=options.runs {
        for (candidate, samples) in &mut candidates {
            let mut running = candidate.start(setting, load).await?;
            for samples in samples {
                samples.push(measured(*candidate, &mut running, &mut wanted).await?);
            }
            running.end().await?;
        }
        say(&format!("   {load}: run {run} of {}, all stored the same rows", options.runs))?;
    }
    let Wanted { stored, least_calls } = wanted.ok_or("nothing was run")?;
    let pulls =
        candidates.into_iter().map(|(who, samples)| (who, samples.map(|samples| figures::of(&samples))));
    Ok(Comparison { load, chunks: stored.rows().div_ceil(100), least_calls, pulls: pulls.collect() })
}

/// What every pull must store, and the fewest calls to come by it.
struct Wanted {
    stored: Stored,
    least_calls: [usize; 2],
}

/// One pull, measured; fails when it stored anything but what is wanted. The first one says what that is, and is compared
/// with the world.
async fn measured(who: Candidate, running: &mut Running, wanted: &mut Option<Wanted>) -> Outcome<Sample> {
    let (pull, sample) = sample::pull(running).await?;
    running.drained().await?;
    let stored = stored::stored(running.db(), pull).await?;
    if let Some(wanted) = wanted {
        wanted.stored.must_equal(&stored, &who.to_string())?;
    } else {
        let world = running.twitch().world();
        assert_matches_world(running.db(), pull, world, MIN_VIEWERS).await;
        *wanted = Some(Wanted { stored, least_calls: sample::least_calls(world) });
    }
    Ok(sample)
}
