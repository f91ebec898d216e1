//! What the operator and the exporter say to each other about an erasure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scrub::Scrubber;

/// A channel that is to be searched for, or taken out of the files.
#[derive(Debug, Serialize, Deserialize)]
pub struct LakeErasure {
    /// What knows the channel.
    pub scrubber: Scrubber,
    /// Whether it is only searched for.
    pub dry_run: bool,
}

/// Where the files have a channel.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundInLake {
    /// Rows, by table.
    pub rows: BTreeMap<String, i64>,
    /// The names under which they have it.
    pub names: Vec<String>,
}
