//! Of `operator doctor`.

use serde::Serialize;

use super::document::{document, each};
use crate::view;

document! {
    /// A cause; `next` is null where the cause says what to do.
    Finding from view::Finding { code: &'static str, cause: String, next: Option<String> }
}

document! {
    /// Something that was checked.
    Check from view::Check { name: &'static str, well: bool, finding: String, next: Option<String> }
}

/// The causes, the likeliest first.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    well: bool,
    causes: Vec<Finding>,
    progress: Option<String>,
    bindings_unseen: Option<String>,
}

impl From<view::Diagnosis> for Diagnosis {
    fn from(diagnosis: view::Diagnosis) -> Self {
        let view::Diagnosis { causes, progress, bindings_unseen } = diagnosis;
        Self { well: causes.is_empty(), causes: each(causes), progress, bindings_unseen }
    }
}

/// What the first start needs.
#[derive(Debug, Serialize)]
pub(crate) struct Preflight {
    well: bool,
    checks: Vec<Check>,
}

impl From<view::Preflight> for Preflight {
    fn from(preflight: view::Preflight) -> Self {
        Self { well: preflight.well(), checks: each(preflight.checks) }
    }
}
