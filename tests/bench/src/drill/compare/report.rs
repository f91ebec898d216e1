//! What was measured: a table for a person, and JSON with everything.

use std::thread::available_parallelism;

use serde_json::json;
use shared::clock::Clock;

use super::{
    candidate::Candidate,
    comparison::Comparison,
    figures::Figures,
    readiness::Readiness,
    sample::{CALLS, CPU, CPU_OWN, CPU_POSTGRESQL, CPU_RABBITMQ, MEMORY, MESSAGES, STATEMENTS, WALL},
};
use crate::{Outcome, Setting};

/// What the figures were measured with.
pub(crate) async fn machine(setting: &Setting) -> Outcome<Vec<(&'static str, String)>> {
    let services = setting.services();
    let place = services.place().await?;
    let postgresql = place.client().await?.query_one("show server_version", &[]).await?;
    place.remove().await?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(vec![
        ("build", shared::version::VERSION.to_owned()),
        ("measured at", Clock::System.now().format("%Y-%m-%d %H:%M UTC").to_string()),
        ("cores", available_parallelism()?.to_string()),
        ("load when it began", load.split(' ').next().unwrap_or_default().to_owned()),
        ("PostgreSQL", postgresql.try_get::<_, String>(0)?),
        ("RabbitMQ", services.rabbitmq_version().await?),
    ])
}

pub(crate) fn readiness_lines(readiness: &Readiness) -> [String; 2] {
    let seconds =
        |figure: super::figures::Figure| format!("{:.2} s (±{:.0} %)", figure.median, figure.spread() / 2.0);
    [
        format!(
            "four workers ready after {} on an empty broker, {} where the queues exist",
            seconds(readiness.empty_broker_s),
            seconds(readiness.warm_s)
        ),
        format!("four idle workers hold {:.1} MiB", readiness.idle_pss_mib.median),
    ]
}

/// A table in Markdown that also reads well on a terminal of 100 columns.
pub(crate) fn table(comparison: &Comparison) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{}, {} chunks stored; least calls {} and {}",
            comparison.load, comparison.chunks, comparison.least_calls[0], comparison.least_calls[1]
        ),
        String::new(),
        "| pull | who          | wall s |    × | ± % | CPU own+PG+MQ s  |    × |  MiB | calls |  SQL | msgs |"
            .to_owned(),
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|".to_owned(),
    ];
    for (which, pull) in ["1st", "2nd"].into_iter().enumerate() {
        let floor = comparison.floor(which);
        for (who, figures) in &comparison.pulls {
            let figures = &figures[which];
            let median = |name| figures[name].median;
            let times = |name: &str| {
                floor.map_or(f64::NAN, |floor| median_of(figures, name) / median_of(floor, name))
            };
            lines.push(format!(
                "| {pull}  | {:<12} | {:>6.2} | {:>4.1} | {:>3.0} | {:>16} | {:>4.1} | {:>4.0} | {:>5.2} | {:>4.1} | {:>4.1} |",
                who.to_string(),
                median(WALL),
                times(WALL),
                figures[WALL].spread() / 2.0,
                format!("{:.2}+{:.2}+{:.2}", median(CPU_OWN), median(CPU_POSTGRESQL), median(CPU_RABBITMQ)),
                times(CPU),
                median(MEMORY),
                comparison.of_least_calls(which, median(CALLS)),
                comparison.per_chunk(median(STATEMENTS)),
                comparison.per_chunk(median(MESSAGES)),
            ));
        }
    }
    lines
}

fn median_of(figures: &Figures, name: &str) -> f64 {
    figures.get(name).map_or(f64::NAN, |figure| figure.median)
}

#[expect(clippy::cast_precision_loss, reason = "counts of one pull")]
impl Comparison {
    /// What everything is measured by: the floor in the same pull.
    fn floor(&self, which: usize) -> Option<&Figures> {
        let floor = self.pulls.iter().find(|(who, _)| *who == Candidate::Floor);
        floor.map(|(_, figures)| &figures[which])
    }

    fn of_least_calls(&self, which: usize, calls: f64) -> f64 {
        calls / self.least_calls[which] as f64
    }

    fn per_chunk(&self, count: f64) -> f64 {
        count / self.chunks as f64
    }
}

/// Everything, with the least and the most of every figure.
pub(crate) fn json(
    machine: &[(&str, String)],
    readiness: &Readiness,
    comparisons: &[Comparison],
) -> Outcome<String> {
    let machine: serde_json::Map<_, _> =
        machine.iter().map(|(what, value)| ((*what).to_owned(), json!(value))).collect();
    let loads: Vec<_> = comparisons.iter().map(load).collect();
    Ok(serde_json::to_string_pretty(&json!({ "machine": machine, "readiness": readiness, "loads": loads }))?)
}

fn load(comparison: &Comparison) -> serde_json::Value {
    let mut pulls = Vec::new();
    for (who, figures) in &comparison.pulls {
        for (which, figures) in figures.iter().enumerate() {
            let times: serde_json::Map<_, _> = [WALL, CPU, MEMORY]
                .into_iter()
                .filter_map(|name| {
                    let floor = median_of(comparison.floor(which)?, name);
                    Some((name.to_owned(), json!(median_of(figures, name) / floor)))
                })
                .collect();
            pulls.push(json!({
                "candidate": who.to_string(),
                "pull": which + 1,
                "figures": figures,
                "times_the_floor": times,
                "calls_of_the_least": comparison.of_least_calls(which, median_of(figures, CALLS)),
                "statements_per_chunk": comparison.per_chunk(median_of(figures, STATEMENTS)),
                "messages_per_chunk": comparison.per_chunk(median_of(figures, MESSAGES)),
            }));
        }
    }
    json!({
        "streams": comparison.load.streams,
        "latency_ms": comparison.load.milliseconds,
        "chunks": comparison.chunks,
        "pulls": pulls,
    })
}
