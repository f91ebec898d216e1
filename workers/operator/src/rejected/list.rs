//! `operator rejected list`.

use clap::Args;
use shared::store::RejectedRecord;

use super::nothing;
use crate::{cli::PullRef, context::Context, error::Error, exit::Exit, suggest, view::Table};

/// What a program reads.
const JSON: &str = r#"JSON: one document a line: {"pull_id", "chunk", "place", "rule", "detail", "raw"}"#;

/// List the rejected records of a pull
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct List {
    /// The pull, by number or `latest`; without it, the newest that has some
    #[arg(long, value_name = "PULL")]
    pull: Option<PullRef>,
    /// Rejected by this rule
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// Skip the first N
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    skip: i64,
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pull = super::pull(context, &store, self.pull).await?;
        let rule = self.rule.as_deref();
        let records = store.rejected_records(pull, rule, self.skip, self.limit).await?;
        if records.is_empty() && self.skip == 0 {
            return Err(nothing(&store, pull, rule).await?);
        }
        context.output.list(&records, text);
        Ok(Exit::Success)
    }
}

fn text(records: &[RejectedRecord]) -> String {
    let mut table = Table::new(&["RECORD", "RULE", "WHAT WAS WRONG"]);
    for record in records {
        let name = format!("{}/{}/{}", record.pull_id, record.chunk, record.place);
        table.row([name, record.rule.clone(), record.detail.clone()]);
    }
    let Some(RejectedRecord { pull_id, chunk, place, .. }) = records.first() else {
        return table.to_string();
    };
    let show = suggest::typed(&format!("`operator rejected show {pull_id}/{chunk}/{place}` shows one whole"));
    format!("{table}\n{show}")
}
