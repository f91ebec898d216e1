//! What the queue `streams.rejected` says of a page.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{id::ChunkRef, message::Message};

/// Records of a page failed validation. One message per page at most; the records themselves are in the view
/// `rejected_record`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "AnyRecordsRejected")]
pub struct RecordsRejected {
    /// The chunk whose page held them.
    #[serde(flatten)]
    pub chunk: ChunkRef,
    /// How many records each rule has rejected.
    pub by_rule: BTreeMap<String, u32>,
}

/// [`RecordsRejected`] of either version: the first carried the records.
#[derive(Deserialize, JsonSchema)]
struct AnyRecordsRejected {
    #[serde(flatten)]
    chunk: ChunkRef,
    #[serde(default)]
    by_rule: BTreeMap<String, u32>,
    #[serde(default)]
    records: Vec<RejectedBy>,
}

/// The one field of a record in a message of the first version that is still of use.
#[derive(Deserialize, JsonSchema)]
struct RejectedBy {
    rule: String,
}

impl From<AnyRecordsRejected> for RecordsRejected {
    fn from(AnyRecordsRejected { chunk, mut by_rule, records }: AnyRecordsRejected) -> Self {
        for RejectedBy { rule } in records {
            *by_rule.entry(rule).or_default() += 1;
        }
        Self { chunk, by_rule }
    }
}

impl Message for RecordsRejected {
    const KIND: &'static str = "records-rejected";
    const VERSION: u32 = 2;

    fn id(&self) -> String {
        format!("{}/{}/{}", Self::KIND, self.chunk.pull_id, self.chunk.chunk)
    }
}
