//! `operator dead-letters report`: what came of a replay.

use clap::Args;
use serde::Serialize;
use shared::store::{Outcome, ReplayReport};

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    suggest,
    view::{
        Table,
        format::{count, number},
    },
};

/// The most dead letters that are shown one by one.
const SHOWN: usize = 20;

/// What a program reads.
const JSON: &str = r#"JSON: as `replay` has it, and "outcomes": [{"id", "outcome", "outcome_at", "build", "came_back_as"}, …];
done + returned_same + returned_different + pending + not_sent = dead letters"#;

/// Tell what came of a replay: handled, back for the same cause or another, still under way
///
/// Names the build that first handled one of its letters.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Report {
    /// The replay's number; without it, the newest
    #[arg(value_name = "REPLAY")]
    replay: Option<i64>,
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    report: ReplayReport,
    outcomes: Vec<Outcome>,
}

impl Report {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let id = match self.replay {
            Some(id) => id,
            None => store
                .latest_replay()
                .await?
                .ok_or_else(|| Error::Nothing("there was no replay yet".into()))?,
        };
        let report = store
            .replay_report(id)
            .await?
            .ok_or_else(|| Error::Nothing(format!("there is no replay {id}")))?;
        let document = Document { report, outcomes: store.replay_outcomes(id).await? };
        context.output.result(&document, |document| {
            format!("{}{}", text(&document.report), returned(&document.outcomes))
        });
        Ok(Exit::Success)
    }
}

/// The report in words and numbers.
pub(super) fn text(report: &ReplayReport) -> String {
    let ending = report.ending.as_deref().unwrap_or("under way");
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
    if let Some(build) = &report.cured_by {
        facts.push(("first handled by", format!("build {build}")));
    }
    let hint = if report.pending > 0 {
        suggest::typed(&format!(
            "\n{} wait for a quiet moment of their stage, or for the news to arrive: `operator dead-letters report {}`",
            count(report.pending, "dead letter"),
            report.replay_id
        ))
    } else {
        String::new()
    };
    format!("Replay {}: {ending}\n{}{hint}", report.replay_id, Table::facts(facts))
}

fn returned(outcomes: &[Outcome]) -> String {
    let back: Vec<_> = outcomes
        .iter()
        .filter(|one| one.outcome.as_deref().is_some_and(|outcome| outcome != "done"))
        .collect();
    if back.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[">  LETTER", "OUTCOME", "BUILD", ">NOW LETTER"]);
    for one in back.iter().take(SHOWN) {
        let now = one.came_back_as.map_or_else(|| "-".to_owned(), |id| id.to_string());
        table.row([
            one.id.to_string(),
            one.outcome.clone().unwrap_or_default(),
            one.build.clone().unwrap_or_default(),
            now,
        ]);
    }
    let more = back.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("  and {more} more\n") } else { String::new() };
    format!("\n{table}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_the_cure_and_what_is_under_way() {
        let report = ReplayReport {
            replay_id: 4,
            letters: 500,
            done: 480,
            returned_same: 15,
            returned_different: 2,
            pending: 3,
            not_sent: 0,
            cured_by: Some("1.2.0".into()),
            ending: Some("complete".into()),
        };
        let text = text(&report);
        for words in ["Replay 4: complete", "build 1.2.0", "3 dead letters wait"] {
            assert!(text.contains(words), "{words:?} is missing in\n{text}");
        }
        assert!(!text.contains("not sent"), "{text}");
    }
}
