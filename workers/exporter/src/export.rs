//! One pull into the lake: a file of each table in storage, then the catalogue.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use shared::{
    failure::Failure,
    lake::{Row, TABLES, Table, Value, folder},
    schema::{PullClosed, PullStatus},
    store::{ExportMark, Exported, LakeLock, PullFiles},
};

use crate::{
    blocking::blocking,
    compact::day_stem,
    format::{Encoded, FileBuilder, PAGE},
    lake::Lake,
    rewrite::rewrite,
};

/// How long an export waits while an erasure removes what exports have left.
const ERASURE_WAITS: Duration = Duration::from_mins(1);

impl Lake {
    /// Exports a pull, unless the lake has it as it is. Harmless to repeat, and to do twice at a time: a file is created once,
    /// and the catalogue takes one pull once. `None` where the pull is no longer complete: it will be announced again.
    pub async fn export(&self, pull: &PullClosed, now: DateTime<Utc>) -> Result<Option<Exported>, Failure> {
        if pull.status != PullStatus::Success {
            return Ok(None);
        }
        let known = self.store.lake_marks(pull.pull_id).await?;
        let is_known = |table: &Table| {
            known.iter().any(|mark| mark.table_name == table.name && mark.completed_at == pull.completed_at)
        };
        if TABLES.iter().all(is_known) {
            return Ok(Some(Exported::Before));
        }
        // Until its files are in the catalogue: an erasure waits for them.
        let export = self.export_files(pull, &known, now).boxed();
        let exported = self.store.with_lake_lock(LakeLock::Exports, ERASURE_WAITS, export).await?;
        if exported == Exported::Now {
            self.write_manifests().await?;
        }
        Ok(Some(exported))
    }

    /// The files of a pull, and their place in the catalogue.
    async fn export_files(
        &self,
        pull: &PullClosed,
        known: &[ExportMark],
        now: DateTime<Utc>,
    ) -> Result<Exported, Failure> {
        self.open(now).await?;
        let day = pull.started_at.date_naive();
        let folders: Vec<String> = TABLES.iter().map(|table| folder(table.name, day, false)).collect();
        let (last_erasure, taken) = self.store.before_export(&folders).await?;
        let mut files = PullFiles { last_erasure, ..PullFiles::default() };
        for table in &TABLES {
            self.export_table(table, pull, known, &taken, now, &mut files).await?;
        }
        Ok(self.store.commit_export(pull, day, &files, known, now).await?)
    }

    /// The rows of a pull as a file, encoded while they come: no more than a page of them is held.
    async fn encode(&self, table: &'static Table, pull: &PullClosed) -> Result<Encoded, Failure> {
        let mut rows = self.store.lake_rows(table, pull).await?;
        let mut file = FileBuilder::new(table)?;
        loop {
            let page = rows.next(PAGE).await?;
            if page.is_empty() {
                break;
            }
            file = blocking(move || file.push_all(page).map(|()| file)).await??;
        }
        let encoded = blocking(move || file.finish()).await??;
        check_count(table, pull, encoded.rows)?;
        Ok(encoded)
    }

    /// The file of one table. Where the pull's day is compacted, the day's file is written anew with the pull as it is now.
    async fn export_table(
        &self,
        table: &'static Table,
        pull: &PullClosed,
        known: &[ExportMark],
        taken: &[String],
        now: DateTime<Utc>,
        files: &mut PullFiles,
    ) -> Result<(), Failure> {
        let day = pull.started_at.date_naive();
        let encoded = self.encode(table, pull).await?;
        let count = encoded.rows;
        let mark = known.iter().find(|mark| mark.table_name == table.name);
        if mark.is_some_and(|mark| mark.sha256.is_none()) {
            let folders = [folder(table.name, day, true)];
            let ended = self.store.lake_files(table.id, &folders).await?;
            let (place, id) = (table.place("pull_id"), Value::Int(pull.pull_id.0));
            let keep = move |row: &Row| place.and_then(|place| row.get(place)) != Some(&id);
            let added = rewrite(self, table, &day_stem(table, day), &ended, Some(encoded), keep, now).await?;
            let path = added.first().map(|file| file.path.clone()).unwrap_or_default();
            files.ended.extend(ended.iter().map(|file| file.id));
            files.added.extend(added);
            files.marks.push((table.name, path, None, count));
        } else {
            if let Some(mark) = mark {
                let live = self.store.lake_files(table.id, std::slice::from_ref(&mark.path)).await?;
                files.ended.extend(live.iter().filter(|file| file.path == mark.path).map(|file| file.id));
            }
            let stem = format!("{}pull-{}", folder(table.name, day, false), pull.pull_id);
            let name = |generation| match generation {
                1 => format!("{stem}.parquet"),
                _ => format!("{stem}-g{generation}.parquet"),
            };
            let file = self.place(table, name, encoded, taken, now).await?;
            files.marks.push((table.name, file.path.clone(), Some(file.sha256.clone()), count));
            files.added.push(file);
        }
        Ok(())
    }
}

/// Fails where the database no longer has what the pull stored.
fn check_count(table: &Table, pull: &PullClosed, rows: i64) -> Result<(), Failure> {
    let expected = match table.name {
        "pull" => 1,
        "stream_peek" => pull.stored,
        _ => return Ok(()),
    };
    if rows == i64::from(expected) {
        return Ok(());
    }
    let words =
        format!("pull {} has {rows} rows for {}, and should have {expected}", pull.pull_id, table.name);
    Err(Failure::permanent("lake.rows_missing", words))
}
