//! What the operator and the exporter say to each other about an erasure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{proof::Leftovers, scrub::Scrubber};

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
    /// Rows, by table, where it was only searched for.
    pub rows: BTreeMap<String, i64>,
    /// The names under which they have it, where it was only searched for.
    pub names: Vec<String>,
    /// Where its bytes are after it was taken out. Required: an exporter of before does not search for them.
    pub left: Leftovers,
}
