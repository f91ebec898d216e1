//! `operator dead-letters report`: results of a replay.

use clap::Args;

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    view::{self, ReplayDetails},
};

/// What a program reads.
const JSON: &str = r#"JSON: as `replay`, and "outcomes": [{"id", "outcome", "outcome_at", "build", "came_back_as"}, …];
done + returned_same + returned_different + pending + not_sent = letters"#;

/// Show the results of a replay: resolved, failed again (same or new cause), pending
///
/// Names the first build that handled one of its dead letters.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Report {
    /// The replay's number; default: the newest
    #[arg(value_name = "REPLAY")]
    replay: Option<i64>,
}

impl Report {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let id = match self.replay {
            Some(id) => Some(id),
            None => store.latest_replay().await?,
        };
        let id = id.ok_or_else(|| Error::Failed("there is no replay yet".into()))?;
        let report = store.replay_report(id).await?;
        let report = report.ok_or_else(|| Error::Failed(format!("there is no replay {id}")))?;
        let details = ReplayDetails { report, outcomes: store.replay_outcomes(id).await? };
        context.output.result(details, json::ReplayDetails::from, view::replay_details);
        Ok(Exit::Success)
    }
}
