//! Results of a replay.

use shared::store::{Outcome, ReplayReport};

use super::{
    format::{count, number},
    table::Table,
};
use crate::suggest;

/// The most dead letters that are shown one by one.
const SHOWN: usize = 20;

/// Results of a replay, in total and one by one.
#[derive(Debug)]
pub(crate) struct ReplayDetails {
    /// In total.
    pub(crate) report: ReplayReport,
    /// One by one.
    pub(crate) outcomes: Vec<Outcome>,
}

/// The totals, and the dead letters that failed again.
pub(crate) fn replay_details(details: &ReplayDetails) -> String {
    format!("{}{}", replay_report(&details.report), failed_again(&details.outcomes))
}

/// The totals, and how to see the rest.
pub(crate) fn replay_report(report: &ReplayReport) -> String {
    let ending = report.ending.as_deref().unwrap_or("in progress");
    let mut facts = vec![
        ("dead letters", number(report.letters)),
        ("resolved", number(report.done)),
        ("failed again, same cause", number(report.returned_same)),
        ("failed again, new cause", number(report.returned_different)),
        ("pending", number(report.pending)),
    ];
    if report.not_sent > 0 {
        facts.push(("not sent", number(report.not_sent)));
    }
    facts.extend(report.cured_by.as_ref().map(|build| ("first handled by", format!("build {build}"))));
    let hint = if report.pending > 0 {
        suggest::typed(&format!(
            "\n{} pending: a worker handles replayed messages when it has no live work; \
             `operator dead-letters report {}`",
            count(report.pending, "dead letter"),
            report.replay_id
        ))
    } else {
        String::new()
    };
    format!("Replay {}: {ending}\n{}{hint}", report.replay_id, Table::facts(facts))
}

fn failed_again(outcomes: &[Outcome]) -> String {
    let failed = |one: &&Outcome| one.outcome.as_deref().is_some_and(|outcome| outcome != "done");
    let failed: Vec<_> = outcomes.iter().filter(failed).collect();
    if failed.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[">  DEAD LETTER", "OUTCOME", "BUILD", ">NOW DEAD LETTER"]);
    for one in failed.iter().take(SHOWN) {
        table.row([
            one.id.to_string(),
            one.outcome.clone().unwrap_or_default(),
            one.build.clone().unwrap_or_default(),
            one.came_back_as.map_or_else(|| "-".to_owned(), |id| id.to_string()),
        ]);
    }
    let more = failed.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("  and {more} more\n") } else { String::new() };
    format!("\n{table}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_report_names_the_first_good_build_and_what_is_pending() {
        let text = replay_report(&sample::replay_report());
        for words in ["Replay 4: complete", "build 1.2.0", "3 dead letters pending"] {
            assert!(text.contains(words), "{words:?} is missing in\n{text}");
        }
        assert!(!text.contains("not sent"), "{text}");
    }
}
