//! `operator shadow compare`.

use std::{collections::HashSet, path::PathBuf};

use chrono::TimeDelta;
use clap::Args;
use shared::{
    config,
    schema::PullId,
    store::{LegacyStore, Store, pair},
};

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    shadow::{Rules, compare},
    view::{self, Shadowed},
};

/// What a program reads.
const JSON: &str = r#"JSON: one document per line: {"pull_id", "legacy_pull", "comparison": {"both", "only_legacy", "only_ours",
"rejected_here", "duplicates", "unreadable_pages", "columns": {"name": {"streams", "examples"}}}}"#;

/// Compare pulls with those of the NiFi flow in its own database
///
/// Pairs pulls by their time and compares their streams, column by column, in the form of the NiFi flow (`legacy_pull_data`). Columns
/// that the NiFi flow filled otherwise by design are not compared. Exits with 1 where anything differs.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Compare {
    /// File that holds the URL of the NiFi flow's database, with tables `pulls` and `pull_data`; or set `LEGACY_DATABASE_URL`
    #[arg(long, value_name = "FILE")]
    legacy_database_url_file: Option<PathBuf>,
    /// Compare the newest N pulls
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    last: i64,
    /// How far apart two pulls of the same slot may be
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    within: std::time::Duration,
    /// By how many per cent viewers may differ
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    viewers_within: f64,
    /// Streams with fewer viewers are not missed here
    #[arg(long, value_name = "N", default_value_t = 10)]
    min_viewers: i64,
}

impl Compare {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let legacy = LegacyStore::new(&config::legacy_database_url(self.legacy_database_url_file.as_ref())?)?;
        let store = context.ready_store().await?;
        let ours = store.shadowing_pulls(self.last).await?;
        let (Some(first), Some(last)) = (ours.first(), ours.last()) else { return Err(Error::NoPulls) };
        let within = TimeDelta::from_std(self.within).unwrap_or(TimeDelta::MAX);
        let theirs = legacy.pulls(first.at - within, last.at + within).await?;
        let (pairs, left) = pair(&ours, &theirs, within);
        let mut shadowed = Vec::with_capacity(pairs.len() + left.len());
        for (pull, legacy_pull) in pairs {
            let comparison = match &legacy_pull {
                Some(theirs) => Some(self.compare(&store, pull, &legacy, theirs).await?),
                None => None,
            };
            shadowed.push(Shadowed { pull_id: Some(pull), legacy_pull, comparison });
        }
        shadowed.extend(left.into_iter().map(|id| Shadowed {
            pull_id: None,
            legacy_pull: Some(id),
            comparison: None,
        }));
        let exit = if shadowed.iter().all(Shadowed::is_same) { Exit::Success } else { Exit::Failed };
        context.output.list(shadowed, json::Shadowed::from, view::shadowed);
        Ok(exit)
    }

    async fn compare(
        &self,
        store: &Store,
        pull: PullId,
        legacy: &LegacyStore,
        legacy_pull: &str,
    ) -> Result<crate::shadow::Comparison, Error> {
        let rejected: HashSet<String> = store.rejected_streams(pull).await?.into_iter().collect();
        let (theirs, ours) = (legacy.pages(legacy_pull).await?, store.legacy_pages(pull).await?);
        let rules = Rules { min_viewers: self.min_viewers, viewers_within: self.viewers_within };
        Ok(compare(&theirs, &ours, &rejected, rules))
    }
}
