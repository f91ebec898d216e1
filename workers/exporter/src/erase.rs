//! A channel leaves the lake: each file that names it is written anew without it, and whatever else names it is removed at once.
//!
//! Rows stay, under pseudonyms, as in the database. A repetition finds nothing; cut short, it has done a part.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use shared::{
    erasure,
    failure::Failure,
    lake::{FoundInLake, Row, TABLES, Table, Value},
    proof::Leftovers,
    scrub::Scrubber,
    store::{CatalogueFile, LakeLock, Moved},
};

use crate::{
    blocking::blocking,
    format::{self, FileBuilder},
    lake::Lake,
    names::is_ours,
    rewrite::rewrite,
    storage::StorageError,
};

/// The columns that hold the channel's names, in whichever table.
const NAMES: [&str; 4] = ["channel_login", "channel_name", "login", "display_name"];
/// By how much the clocks of replicas may differ.
const SKEW: TimeDelta = TimeDelta::hours(1);
/// How long exports that are under way may take to end: their storage may be slow, or tried again.
const EXPORTS_END_WITHIN: Duration = Duration::from_mins(5);

impl Lake {
    /// Searches every file in storage, also those that only old snapshots have or that no catalogue names, for a channel: by its
    /// id, by the names of the scrubber, and by those that the files have for it.
    pub async fn search(&self, scrubber: Scrubber) -> Result<FoundInLake, Failure> {
        let names = self.names(&scrubber).await?;
        let rows = self.count(&Arc::new(scrubber.also(names.iter().cloned()))).await?;
        Ok(FoundInLake { rows, names: names.into_iter().collect(), left: Leftovers::default() })
    }

    /// Rows that name the channel, by table.
    async fn count(&self, scrubber: &Arc<Scrubber>) -> Result<BTreeMap<String, i64>, Failure> {
        let mut rows = BTreeMap::new();
        for (table, path) in self.stored_files().await? {
            let found = self.rows_without(table, &path, scrubber).await?.map_or(0, |found| found.len());
            if found > 0 {
                *rows.entry(table.name.to_owned()).or_default() += i64::try_from(found).unwrap_or(i64::MAX);
            }
        }
        Ok(rows)
    }

    /// Takes a channel out of every file, and searches for it again. The scrubber should have the names that a search has found.
    pub async fn erase(&self, scrubber: Scrubber, now: DateTime<Utc>) -> Result<FoundInLake, Failure> {
        self.open(now).await?;
        let scrubber = Arc::new(scrubber);
        for table in &TABLES {
            self.erase_table(table, &scrubber, now).await?;
        }
        self.write_manifests().await?;
        // Old snapshots would keep what was erased, and so would the files that only they have.
        self.store.expire_lake_snapshots(now + SKEW, now).await?;
        self.remove_expired(now + SKEW).await?;
        // An export that began before the erasure was asked for may still put a file there; one that begins later does not name
        // the channel.
        let leftovers = async {
            self.storage.remove_unfinished(None).await?;
            self.remove_orphans(&scrubber).await
        };
        self.store.with_lake_lock(LakeLock::NoExports, EXPORTS_END_WITHIN, leftovers.boxed()).await?;
        Ok(FoundInLake { left: self.prove(&erasure::needles(&scrubber)).await?, ..FoundInLake::default() })
    }

    /// Rewrites the files of a table, until none is left that has not been looked through: a pull may be exported meanwhile.
    async fn erase_table(
        &self,
        table: &'static Table,
        scrubber: &Arc<Scrubber>,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let mut done = HashSet::new();
        loop {
            let mut files = self.store.all_lake_files(table.id).await?;
            files.retain(|file| !done.contains(&file.id));
            if files.is_empty() {
                return Ok(());
            }
            done.extend(files.iter().map(|file| file.id));
            let mut together: BTreeMap<String, Vec<CatalogueFile>> = BTreeMap::new();
            for file in files {
                together.entry(stem(&file.path)).or_default().push(file);
            }
            for (stem, files) in together {
                self.erase_files(table, &stem, &files, scrubber, now).await?;
            }
        }
    }

    /// Rewrites the files of one pull or of one closed day, if they name the channel.
    async fn erase_files(
        &self,
        table: &'static Table,
        stem: &str,
        files: &[CatalogueFile],
        scrubber: &Arc<Scrubber>,
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let mut rows = Vec::new();
        for file in files {
            rows.extend(self.rows_without(table, &file.path, scrubber).await?.unwrap_or_default());
        }
        if rows.is_empty() {
            return Ok(());
        }
        rows.sort_by(|one, other| table.key(one).cmp(&table.key(other)));
        let new_rows = blocking(move || FileBuilder::encode(table, rows)).await??;
        let knows = Arc::clone(scrubber);
        let keep = move |row: &Row| table.scrub(row, &knows).is_none();
        let added = rewrite(self, table, stem, files, Some(new_rows), keep, now).await?;
        let ended: Vec<i64> = files.iter().map(|file| file.id).collect();
        let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        let moved = Moved { table: table.name, paths: &paths, alone: stem.starts_with("hot/") };
        Ok(self.store.replace_lake_files(&ended, &added, moved, "an erasure", now).await?)
    }

    /// Removes files that no catalogue names, left by processes that died, where they name the channel. No export is under way.
    async fn remove_orphans(&self, scrubber: &Arc<Scrubber>) -> Result<(), Failure> {
        let named: HashSet<String> = self.store.lake_paths(&[String::new()]).await?.into_iter().collect();
        let mut orphans = Vec::new();
        for (table, path) in self.stored_files().await? {
            if is_ours(&path)
                && !named.contains(&path)
                && self.rows_without(table, &path, scrubber).await?.is_some_and(|rows| !rows.is_empty())
            {
                orphans.push(path);
            }
        }
        Ok(self.storage.remove_all(&orphans).await?)
    }

    /// The names under which the files have the channel.
    async fn names(&self, scrubber: &Scrubber) -> Result<BTreeSet<String>, Failure> {
        let knows = Arc::new(scrubber.clone());
        let mut names = BTreeSet::new();
        for (table, path) in self.stored_files().await? {
            if table.place("channel_id").is_none() {
                continue;
            }
            let own = move |row: Row, knows: &Scrubber| table.is_own(&row, knows).then_some(row);
            let places: Vec<usize> = NAMES.iter().filter_map(|name| table.place(name)).collect();
            for row in self.read(table, &path, &knows, own).await?.unwrap_or_default() {
                names.extend(places.iter().filter_map(|place| match row.get(*place) {
                    Some(Value::Text(name)) => Some(name.clone()),
                    _ => None,
                }));
            }
        }
        Ok(names)
    }

    /// The rows of a file that name the channel, without it; none where the file is gone.
    async fn rows_without(
        &self,
        table: &'static Table,
        path: &str,
        scrubber: &Arc<Scrubber>,
    ) -> Result<Option<Vec<Row>>, Failure> {
        self.read(table, path, scrubber, |row, scrubber| table.scrub(&row, scrubber)).await
    }

    /// The rows with something of the channel that `wanted` makes something of; none where the file is gone.
    async fn read(
        &self,
        table: &'static Table,
        path: &str,
        scrubber: &Arc<Scrubber>,
        wanted: impl Fn(Row, &Scrubber) -> Option<Row> + Send + 'static,
    ) -> Result<Option<Vec<Row>>, Failure> {
        let bytes = match self.storage.read(path).await {
            Ok(bytes) => bytes,
            Err(StorageError::Missing(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let scrubber = Arc::clone(scrubber);
        let search = move || {
            format::search(table, bytes, |text| scrubber.may_name(text), |row| wanted(row, &scrubber))
        };
        let rows = blocking(search).await?;
        rows.map(Some).map_err(|error| {
            let words = format!("{path} cannot be read, and was not searched: {error}");
            Failure::permanent("lake.parquet", words)
        })
    }

    /// Every Parquet file in storage, with its table.
    async fn stored_files(&self) -> Result<Vec<(&'static Table, String)>, Failure> {
        let files = self.storage.list().await?.into_iter().map(|file| file.location.to_string());
        let with_table = files.filter(|path| path.ends_with(".parquet")).filter_map(|path| {
            let name = path.strip_prefix("hot/").unwrap_or(&path).split('/').next()?;
            Some((Table::find(name)?, path))
        });
        Ok(with_table.collect())
    }
}

/// How the paths of a file's next generation begin: one stem per pull, and one per closed day.
fn stem(path: &str) -> String {
    let stem = path.strip_suffix(".parquet").unwrap_or(path);
    stem.rfind("-g").map_or(stem, |generation| &stem[..generation]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn a_file_keeps_its_name_but_for_the_generation_and_the_part() {
        let day = "stream_peek/day=2026-11-23/day";
        for file in ["day-g1.parquet", "day-g12-2.parquet"] {
            assert_eq!(stem(&format!("stream_peek/day=2026-11-23/{file}")), day);
        }
        for file in ["pull-7.parquet", "pull-7-g2.parquet"] {
            assert_eq!(stem(&format!("hot/game/day=2026-11-23/{file}")), "hot/game/day=2026-11-23/pull-7");
        }
    }
}
