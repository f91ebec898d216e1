//! `operator rejected list`.

use clap::Args;
use shared::store::RejectedRecord;

use super::selection::{explain_no_match, find_pull};
use crate::{context::Context, error::Error, exit::Exit, json, pull_ref::PullRef, suggest, view::Table};

/// What a program reads.
const JSON: &str = r#"JSON: one document per line: {"pull_id", "chunk", "place", "rule", "detail", "raw"}"#;

/// List the rejected records of a pull
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct List {
    /// The pull, by number or `latest`; default: the newest with rejected records
    #[arg(long, value_name = "PULL")]
    pull: Option<PullRef>,
    /// Rejected by this rule
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// List at most N
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// Skip the first N
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    skip: i64,
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pull = find_pull(context, &store, self.pull).await?;
        let rule = self.rule.as_deref();
        let records = store.rejected_records(pull, rule, self.skip, self.limit).await?;
        if records.is_empty() && self.skip == 0 {
            return Err(explain_no_match(&store, pull, rule).await?);
        }
        context.output.list(records, json::RejectedRecord::from, text);
        Ok(Exit::Success)
    }
}

fn text(records: &[RejectedRecord]) -> String {
    let mut table = Table::new(&["RECORD", "RULE", "~DETAIL"]);
    for RejectedRecord { pull_id, chunk, place, rule, detail, .. } in records {
        table.row([format!("{pull_id}/{chunk}/{place}"), rule.clone(), detail.clone()]);
    }
    let hint = records.first().map(|RejectedRecord { pull_id, chunk, place, .. }| {
        suggest::typed(&format!("\n`operator rejected show {pull_id}/{chunk}/{place}` shows one in full"))
    });
    format!("{table}{}", hint.unwrap_or_default())
}
