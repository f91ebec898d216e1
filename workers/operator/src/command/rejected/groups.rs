//! `operator rejected groups`.

use clap::Args;
use shared::store::RejectedGroup;

use super::selection::find_pull;
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    pull_ref::PullRef,
    view::{Table, format::number},
};

/// What a program reads.
const JSON: &str = r#"JSON: one document per line: {"rule", "records", "pulls", "newest_pull"}"#;

/// Count rejected records by rule
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Groups {
    /// Of this pull, by number or `latest`; default: of all
    #[arg(long, value_name = "PULL")]
    pull: Option<PullRef>,
}

impl Groups {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pull = match self.pull {
            Some(named) => Some(find_pull(context, &store, Some(named)).await?),
            None => None,
        };
        let groups = store.rejected_groups(pull).await?;
        context.output.list(groups, json::RejectedGroup::from, text);
        Ok(Exit::Success)
    }
}

fn text(groups: &[RejectedGroup]) -> String {
    if groups.is_empty() {
        return "There are no rejected records.".to_owned();
    }
    let mut table = Table::new(&["RULE", ">RECORDS", ">PULLS", ">NEWEST PULL"]);
    for group in groups {
        table.row([
            group.rule.clone(),
            number(group.records),
            number(group.pulls),
            group.newest_pull.to_string(),
        ]);
    }
    table.to_string()
}
