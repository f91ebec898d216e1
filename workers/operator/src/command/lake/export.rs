//! `operator lake export`.

use clap::Args;
use serde_json::{Value, json};
use shared::{schema::PullId, store::LakeAction};

use super::ask::Ask;
use crate::{context::Context, error::Error, exit::Exit, pull_ref::PullRef, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"announced": 3}"#;

/// Export pulls once more, or all that the lake does not have
///
/// They are handed to the exporter as messages, in their order; one that cannot be exported becomes a dead letter.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Export {
    /// Pulls, by number or `latest`; without any, all that the lake does not have
    #[arg(value_name = "PULL")]
    pulls: Vec<PullRef>,
    #[command(flatten)]
    ask: Ask,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let mut pulls = Vec::with_capacity(self.pulls.len());
        for pull in self.pulls {
            let PullId(pull) = context.resolve(&store, pull).await?;
            store.pull_report(PullId(pull)).await?;
            pulls.push(pull);
        }
        let answer = self.ask.ask(context, LakeAction::Export, &json!({ "pulls": pulls })).await?;
        let text = |answer: &Value| {
            format!(
                "{} to be exported; `operator lake status` shows progress",
                count(answer["announced"].as_u64().unwrap_or(0), "pull")
            )
        };
        context.output.result(answer, |answer| answer, text);
        Ok(Exit::Success)
    }
}
