//! What nobody can read any more: old snapshots, then their files, then files that no catalogue ever named.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use shared::{
    failure::Failure,
    lake::MANIFEST,
    store::{Expired, Removable},
};

use crate::lake::Lake;

/// How long what is old is kept.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// How long a snapshot can be read.
    pub snapshots: TimeDelta,
    /// How long a file that no snapshot has stays in storage, for whoever is reading it just now.
    pub grace: TimeDelta,
}

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
    /// Expires old snapshots, and removes files whose grace time is over.
    pub async fn tidy(&self, keep: Keep, now: DateTime<Utc>) -> Result<Tidied, Failure> {
        self.open(now).await?;
        let Expired { snapshots, files } =
            self.store.expire_lake_snapshots(now - keep.snapshots, now).await?;
        let mut tidied = Tidied { snapshots, unnamed: files, ..Tidied::default() };
        loop {
            let removed = self
                .store
                .remove_expired_lake_files(now - keep.grace, async |files| self.remove(files).await)
                .await?;
            tidied.removed += removed;
            if removed == 0 {
                break;
            }
        }
        tidied.orphans = self.sweep(now - keep.grace).await?;
        Ok(tidied)
    }

    async fn remove(&self, files: Vec<Removable>) -> Result<Vec<String>, Failure> {
        let mut removed = Vec::with_capacity(files.len());
        for file in files {
            self.storage.remove(&file.path).await?;
            removed.push(file.path);
        }
        Ok(removed)
    }

    /// Removes files from before `before` that nothing names.
    async fn sweep(&self, before: DateTime<Utc>) -> Result<usize, Failure> {
        let old: Vec<String> = self
            .storage
            .list()
            .await?
            .into_iter()
            .filter(|file| file.last_modified < before)
            .map(|file| file.location.to_string())
            .filter(|path| !path.ends_with(MANIFEST))
            .collect();
        if old.is_empty() {
            return Ok(0);
        }
        // Asked after the list was made: whoever has put a file there since has named it, or it is too young.
        let named: HashSet<String> = self.store.lake_paths(&[String::new()]).await?.into_iter().collect();
        let orphans: Vec<_> = old.into_iter().filter(|path| !named.contains(path)).collect();
        for path in &orphans {
            tracing::warn!(path, "{path} is in the lake's storage, and no catalogue names it: removed");
            self.storage.remove(path).await?;
        }
        Ok(orphans.len())
    }
}
