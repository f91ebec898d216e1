//! Of `operator retention`.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use shared::{
    retention::{ClassSurvey, KeptDay, Removed},
    store::Ttl,
};

/// A class of data: how long it is kept, what is stored, and what would go now.
#[derive(Debug, Serialize)]
pub(crate) struct RetentionClass {
    class: &'static str,
    about: &'static str,
    ttl_hours: Option<u64>,
    is_default: bool,
    rows: i64,
    bytes: i64,
    oldest: Option<DateTime<Utc>>,
    due: Due,
}

/// What would go, or went.
#[derive(Debug, Serialize)]
struct Due {
    rows: i64,
    days: Vec<NaiveDate>,
    bytes: i64,
    kept: Vec<KeptDay>,
}

/// What was removed of a class, or with `dry_run` would be.
#[derive(Debug, Serialize)]
pub(crate) struct RetentionRemoved {
    class: &'static str,
    dry_run: bool,
    #[serde(flatten)]
    due: Due,
}

/// A time to live that was set.
#[derive(Debug, Serialize)]
pub(crate) struct RetentionSet {
    class: &'static str,
    ttl_hours: Option<u64>,
}

impl From<ClassSurvey> for RetentionClass {
    fn from(survey: ClassSurvey) -> Self {
        let ClassSurvey { class, about, ttl, is_default, rows, bytes, oldest, due } = survey;
        Self { class, about, ttl_hours: hours(ttl), is_default, rows, bytes, oldest, due: due.into() }
    }
}

impl From<Removed> for Due {
    fn from(removed: Removed) -> Self {
        let Removed { rows, days, bytes, kept, .. } = removed;
        Self { rows, days, bytes, kept }
    }
}

impl RetentionRemoved {
    /// Of a run, or with `dry_run` of one that might be.
    pub(crate) fn new(removed: Removed, dry_run: bool) -> Self {
        Self { class: removed.class, dry_run, due: removed.into() }
    }
}

impl RetentionSet {
    /// Of this class.
    pub(crate) fn new(class: &'static str, ttl: Ttl) -> Self {
        Self { class, ttl_hours: hours(ttl) }
    }
}

fn hours(ttl: Ttl) -> Option<u64> {
    ttl.duration().map(|ttl| ttl.as_secs() / 3600)
}
