//! Closed days: the files of their pulls become one per table, sorted by channel, then time.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use shared::{
    failure::Failure,
    lake::{TABLES, Table, folder},
    store::Moved,
};

use crate::{lake::Lake, rewrite::rewrite};

/// What a compaction did for one table and day.
#[derive(Debug, Serialize)]
pub struct Compacted {
    /// The table.
    pub table: &'static str,
    /// The day.
    pub day: NaiveDate,
    /// Files before.
    pub before: usize,
    /// Files after.
    pub after: usize,
    /// Rows.
    pub rows: i64,
}

/// How the paths of a closed day's files begin.
pub(crate) fn day_stem(table: &Table, day: NaiveDate) -> String {
    format!("{}day", folder(table.name, day, true))
}

/// Most files of pulls taken into a day's at a time: each is open until the new one is written, and a process may often have no more
/// than 1,024 open files.
const FILES_AT_ONCE: usize = 256;

impl Lake {
    /// Compacts one table of a day; none where there is nothing to do. The files of before stay for older snapshots.
    pub async fn compact(
        &self,
        table: &'static Table,
        day: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<Option<Compacted>, Failure> {
        let mut all: Option<Compacted> = None;
        while let Some(round) = self.compact_some(table, day, now).await? {
            // The file of the round before is one of this round's.
            let before = all.map_or(0, |all| all.before - all.after);
            all = Some(Compacted { before: before + round.before, ..round });
        }
        Ok(all)
    }

    async fn compact_some(
        &self,
        table: &'static Table,
        day: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<Option<Compacted>, Failure> {
        let hot = folder(table.name, day, false);
        let files = self.store.lake_files(table.id, &[hot.clone(), folder(table.name, day, true)]).await?;
        let (mut of_pulls, mut files): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.path.starts_with(&hot));
        if of_pulls.is_empty() {
            return Ok(None);
        }
        of_pulls.truncate(FILES_AT_ONCE);
        files.extend(of_pulls);
        let added = rewrite(self, table, &day_stem(table, day), &files, None, |_| true, now).await?;
        let rows: i64 = added.iter().map(|file| file.record_count).sum();
        let expected: i64 = files.iter().map(|file| file.rows).sum();
        if rows != expected {
            let words = format!("{} of {day} had {expected} rows and would have {rows}", table.name);
            return Err(Failure::permanent("lake.rows_lost", words));
        }
        let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        let ended: Vec<i64> = files.iter().map(|file| file.id).collect();
        let why = format!("compaction of {day}");
        let moved = Moved { table: table.name, paths: &paths, alone: false };
        self.store.replace_lake_files(&ended, &added, moved, &why, now).await?;
        self.write_manifests().await?;
        Ok(Some(Compacted { table: table.name, day, before: files.len(), after: added.len(), rows }))
    }

    /// Compacts every closed day that is complete in the lake.
    pub async fn compact_closed_days(&self, now: DateTime<Utc>) -> Result<Vec<Compacted>, Failure> {
        self.open(now).await?;
        let mut done = Vec::new();
        for day in self.store.days_to_compact(now.date_naive()).await? {
            for table in &TABLES {
                done.extend(self.compact(table, day, now).await?);
            }
            tracing::info!(%day, "the lake's files of {day} are compacted");
        }
        Ok(done)
    }
}
