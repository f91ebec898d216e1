//! Where in Redshift, and which day.

use chrono::NaiveDate;
use clap::Args;
use shared::{
    lake::{MANIFEST, TABLES, Table, folder, redshift::Redshift},
    store::Store,
};

use crate::error::Error;

/// Where in Redshift, and as whom it reads the storage.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// The schema of the tables
    #[arg(long, value_name = "SCHEMA", default_value = "twitch")]
    schema: String,
    /// ARN of the IAM role that may read the storage; `default` is the cluster's own
    #[arg(long, value_name = "ARN", default_value = "default")]
    iam_role: String,
}

impl From<Target> for Redshift {
    fn from(Target { schema, iam_role }: Target) -> Self {
        Self { schema, iam_role }
    }
}

/// What is loaded.
#[derive(Debug, Args)]
pub(super) struct Day {
    /// The day (UTC) on which the pulls were started, such as 2026-11-23
    #[arg(long, value_name = "DAY")]
    day: NaiveDate,
}

impl Day {
    /// Rows that the lake has of the day, by table.
    pub(super) async fn rows(&self, store: &Store) -> Result<Vec<(String, i64)>, Error> {
        Ok(store.exported_rows(self.day).await?)
    }

    /// The manifests of the day for each table that has files: of the compacted day, of pulls that are not compacted yet, or both.
    ///
    /// # Errors
    /// [`Error::Failed`] where the lake has nothing of the day, or is not in S3.
    pub(super) async fn manifests(&self, store: &Store) -> Result<Vec<(&'static Table, Vec<String>)>, Error> {
        let root = store.lake_status(self.day).await?.root.unwrap_or_default();
        if !root.starts_with("s3://") {
            return Err(Error::Failed("the lake is not in S3, and Redshift reads nothing else".into()));
        }
        let mut found = Vec::new();
        for table in &TABLES {
            let mut urls = Vec::new();
            for closed in [true, false] {
                let folder = folder(table.name, self.day, closed);
                let manifest = store.lake_manifest(&folder).await?;
                if manifest.is_some_and(|manifest| manifest.content.contains("\"url\"")) {
                    urls.push(format!("{root}{folder}{MANIFEST}"));
                }
            }
            if !urls.is_empty() {
                found.push((table, urls));
            }
        }
        if found.is_empty() {
            return Err(Error::Failed(format!(
                "the lake has nothing of {}: `operator lake status`",
                self.day
            )));
        }
        Ok(found)
    }
}
