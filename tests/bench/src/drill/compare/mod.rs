//! Ours beside the least that could do it and beside a plain worker pool: on the same servers, with the same fake Twitch, one
//! after the other.
//!
//! All must store the same rows. Each run gives every candidate a database and a vhost of its own and two pulls: in the
//! first nothing is known, in the second everything is. Figures are medians of several runs; what counts is how many
//! times those of the floor they are.

mod baseline;
mod candidate;
mod figures;
mod load;
mod readiness;
mod report;
mod sample;
mod stored;

use std::{collections::BTreeMap, path::PathBuf};

use candidate::Candidate;
use figures::Figures;
use load::Load;
use stored::Stored;

use crate::{Outcome, Setting, say, services::must_exist, truth::assert_matches_world};

/// What is compared.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Streams of a pull, half of them with enough viewers, and milliseconds that Twitch takes to answer; repeatable
    #[arg(long, value_name = "STREAMS[@MS]", default_values = ["20000", "200000", "2000@80", "20000@80"])]
    load: Vec<Load>,
    /// How many of each worker of ours
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 2, 4])]
    replicas: Vec<usize>,
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
    fn candidates(&self) -> Vec<Candidate> {
        let mut candidates = vec![Candidate::Floor, Candidate::WholeListFloor];
        candidates.extend((!self.without_celery).then_some(Candidate::Celery));
        candidates.extend(self.replicas.iter().copied().map(Candidate::Ours));
        candidates
    }
}

/// What one load came to: by candidate, its first and its second pull.
pub(crate) struct Comparison {
    load: Load,
    /// Pages of a hundred that the stored streams fill: what a chunk is for every candidate.
    chunks: usize,
    /// Calls that cannot be spared, in the first and in the second pull.
    least_calls: [usize; 2],
    pulls: Vec<(Candidate, [Figures; 2])>,
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
    let candidates = options.candidates();
    let mut samples: BTreeMap<usize, [Vec<sample::Sample>; 2]> = BTreeMap::new();
    let mut wanted: Option<Stored> = None;
    let mut least_calls = [0, 0];
    // Run by run, so that whatever else the machine does for a while happens to all.
    for run in 1..=options.runs {
        for (number, &candidate) in candidates.iter().enumerate() {
            let mut running = candidate.start(setting, load).await?;
            for which in [0, 1] {
                let (pull, sample) = sample::pull(&mut running).await?;
                running.drained().await?;
                let stored = stored::stored(running.db(), pull).await?;
                match &wanted {
                    Some(wanted) => wanted.must_equal(&stored, &candidate.to_string())?,
                    None => {
                        let world = running.twitch().world();
                        assert_matches_world(running.db(), pull, world, crate::flow::MIN_VIEWERS).await;
                        least_calls = sample::least_calls(world);
                        wanted = Some(stored);
                    }
                }
                samples.entry(number).or_default()[which].push(sample);
            }
            running.end().await?;
        }
        say(&format!("   {load}: run {run} of {}, all stored the same rows", options.runs))?;
    }
    let rows = wanted.map(|stored| stored.rows()).unwrap_or_default();
    let pulls = candidates.into_iter().zip(samples.into_values());
    Ok(Comparison {
        load,
        chunks: rows.div_ceil(100),
        least_calls,
        pulls: pulls.map(|(who, samples)| (who, samples.map(|samples| figures::of(&samples)))).collect(),
    })
}
