//! `operator lake expire`.

use clap::Args;
use serde_json::{Value, json};
use shared::store::LakeAction;

use super::ask::Ask;
use crate::{context::Context, error::Error, exit::Exit, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"snapshots", "unnamed", "removed", "orphans"}"#;

/// Expire old snapshots now, and remove files whose grace time is over
///
/// The exporter does it every hour. How long: `operator retention show` (lake-snapshots), and its setting `LAKE_GRACE`.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Expire {
    #[command(flatten)]
    ask: Ask,
}

impl Expire {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let answer = self.ask.ask(context, LakeAction::Expire, &json!({})).await?;
        context.output.result(answer, |answer| answer, text);
        Ok(Exit::Success)
    }
}

fn text(answer: &Value) -> String {
    let of = |name: &str, noun: &str| count(answer[name].as_u64().unwrap_or(0), noun);
    format!(
        "{} expired; {} no longer in any snapshot; removed from storage: {}, and {} that nothing ever named",
        of("snapshots", "snapshot"),
        of("unnamed", "file"),
        of("removed", "file"),
        of("orphans", "file"),
    )
}
