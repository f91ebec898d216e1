//! Of `operator shadow`.

use serde::Serialize;
use shared::schema::PullId;

use super::document::document;
use crate::{
    shadow::{Comparison, Findings, Secret, Setting},
    view,
};

document! {
    /// A pull, that of the NiFi flow at the same time, and how they differ; none where one of them is missing.
    Shadowed from view::Shadowed {
        pull_id: Option<PullId>, legacy_pull: Option<String>, comparison: Option<Comparison>,
    }
}

/// What an exported NiFi flow tells.
#[derive(Debug, Serialize)]
pub(crate) struct LegacyFlow {
    settings: Vec<Setting>,
    secrets: Vec<Secret>,
}

impl From<Findings> for LegacyFlow {
    fn from(Findings { settings, secrets }: Findings) -> Self {
        Self { settings, secrets }
    }
}
