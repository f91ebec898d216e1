//! What nobody can read any more: old snapshots, then their files, then files that no catalogue ever named.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use shared::{
    failure::Failure,
    retention::cutoff_of,
    store::{Expired, LAKE_SNAPSHOTS},
};

use crate::{lake::Lake, names::is_ours};

/// What was tidied.
#[derive(Debug, Default, Serialize)]
pub struct Tidied {
    /// Snapshots that can no longer be read.
    pub snapshots: i64,
    /// Files that no snapshot has any more.
    pub unnamed: i64,
    /// Files removed from storage after the grace time.
    pub removed: usize,
    /// Files removed that no catalogue ever named: left by processes that died.
    pub orphans: usize,
}

impl Lake {
    /// Expires old snapshots, and removes files for which `grace` is over: how long a file that no snapshot has stays in
    /// storage, for whoever is reading it just now.
    pub async fn tidy(&self, grace: TimeDelta, now: DateTime<Utc>) -> Result<Tidied, Failure> {
        self.open(now).await?;
        let mut tidied = Tidied::default();
        if let Some(oldest) = cutoff_of(&self.store, LAKE_SNAPSHOTS, now).await? {
            let Expired { snapshots, files } = self.store.expire_lake_snapshots(oldest, now).await?;
            (tidied.snapshots, tidied.unnamed) = (snapshots, files);
        }
        tidied.removed = self.remove_expired(now - grace).await?;
        tidied.orphans =
            self.sweep(now - grace).await? + self.storage.remove_unfinished(Some(now - grace)).await?;
        // Of erasures whose operator went away before it read the answer.
        self.store.forget_lake_erasures(now - grace).await?;
        Ok(tidied)
    }

    /// Removes files that left the catalogue before `before`; how many. No lock of the catalogue is held while storage is busy.
    pub(crate) async fn remove_expired(&self, before: DateTime<Utc>) -> Result<usize, Failure> {
        let mut removed = 0;
        loop {
            let paths = self.store.removable_lake_files(before).await?;
            if paths.is_empty() {
                return Ok(removed);
            }
            self.storage.remove_all(&paths).await?;
            self.store.forget_lake_files(&paths).await?;
            removed += paths.len();
        }
    }

    /// Removes files from before `before` that nothing names, of those whose names we give.
    async fn sweep(&self, before: DateTime<Utc>) -> Result<usize, Failure> {
        let old: Vec<String> = self
            .storage
            .list()
            .await?
            .into_iter()
            .filter(|file| file.last_modified < before)
            .map(|file| file.location.to_string())
            .filter(|path| is_ours(path))
            .collect();
        if old.is_empty() {
            return Ok(0);
        }
        // Asked after the list was made: whoever has put a file there since has named it, or it is too young.
        let named: HashSet<String> = self.store.lake_paths(&[String::new()]).await?.into_iter().collect();
        let orphans: Vec<_> = old.into_iter().filter(|path| !named.contains(path)).collect();
        for path in &orphans {
            tracing::warn!(path, "{path} is in the lake's storage, and no catalogue names it: removed");
        }
        self.storage.remove_all(&orphans).await?;
        Ok(orphans.len())
    }
}
