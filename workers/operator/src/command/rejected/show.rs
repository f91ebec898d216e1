//! `operator rejected show`.

use std::str::FromStr;

use clap::Args;
use serde_json::Value;
use shared::{schema::PullId, store::RejectedRecord};

use crate::{context::Context, error::Error, exit::Exit, json, view::Table};

/// What a program reads.
const JSON: &str = r#"JSON: {"pull_id", "chunk", "place", "rule", "detail", "raw"}; "raw" is the record as a text, byte for byte"#;

/// Show a rejected record whole
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Show {
    /// The record: its pull, chunk and place, such as 7/3/12
    #[arg(value_name = "PULL/CHUNK/PLACE")]
    record: Place,
}

/// Where a record is: pull, chunk, place in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(i64, i32, i32);

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/');
        let place = (|| {
            Some(Self(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
        })();
        place.filter(|_| parts.next().is_none()).ok_or("write pull, chunk and place, such as 7/3/12")
    }
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let Place(pull, chunk, place) = self.record;
        let records = store.rejected_records(PullId(pull), None, 0, i64::MAX).await?;
        let found = records.into_iter().find(|record| (record.chunk, record.place) == (chunk, place));
        let found = found
            .ok_or_else(|| Error::Failed(format!("there is no rejected record {pull}/{chunk}/{place}")))?;
        context.output.result(found, json::RejectedRecord::from, text);
        Ok(Exit::Success)
    }
}

fn text(record: &RejectedRecord) -> String {
    let facts = [("rule", record.rule.clone()), ("detail", record.detail.clone())];
    // What is not JSON is shown as it came.
    let raw = serde_json::from_str::<Value>(&record.raw)
        .ok()
        .and_then(|json| serde_json::to_string_pretty(&json).ok())
        .unwrap_or_else(|| record.raw.clone());
    format!("{}\n{raw}", Table::facts(facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_by_pull_chunk_and_place() {
        assert_eq!("7/3/12".parse(), Ok(Place(7, 3, 12)));
        for bad in ["", "7", "7/3", "7/3/12/1", "a/b/c"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
