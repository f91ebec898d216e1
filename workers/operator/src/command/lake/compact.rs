//! `operator lake compact`.

use clap::Args;
use serde_json::{Value, json};
use shared::store::LakeAction;

use super::ask::Ask;
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    view::format::{count, number},
};

/// What a program reads.
const JSON: &str = r#"JSON: {"compacted": [{"table", "day", "before", "after", "rows"}, …]}"#;

/// Compact closed days now: one file per table instead of one per pull
///
/// The exporter does it every hour. Only days whose pulls have all ended and are in the lake.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Compact {
    #[command(flatten)]
    ask: Ask,
}

impl Compact {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let answer = self.ask.ask(context, LakeAction::Compact, &json!({})).await?;
        context.output.result(answer, |answer| answer, text);
        Ok(Exit::Success)
    }
}

fn text(answer: &Value) -> String {
    let done = answer["compacted"].as_array().map(Vec::as_slice).unwrap_or_default();
    if done.is_empty() {
        return "No closed day is waiting to be compacted.".to_owned();
    }
    let line = |one: &Value| {
        let (table, day) =
            (one["table"].as_str().unwrap_or_default(), one["day"].as_str().unwrap_or_default());
        let [before, after, rows] = ["before", "after", "rows"].map(|name| one[name].as_u64().unwrap_or(0));
        format!("{day} {table}: {} became {}, {} rows", count(before, "file"), number(after), number(rows))
    };
    done.iter().map(line).collect::<Vec<_>>().join("\n")
}
