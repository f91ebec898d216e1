//! Table `lake.export`: which pull is in which file.

use chrono::{DateTime, NaiveDate, Utc};
use tokio_postgres::types::Json;

use super::commit::{PATHS, change, expect_live, lock};
use crate::{
    lake::LakeFile,
    schema::{PullClosed, PullId},
    store::{Error, Store, column::Columns},
};

/// Whether a pull `p` is completed and the lake has it not as it is.
pub(super) const LACKED: &str = "p.status = 'success'
    and not exists (select from lake.export e where e.pull_id = p.id and e.completed_at = p.completed_at)";
/// Whether a person has discarded the dead letter by which a pull `p` could not be exported, since it was complete: so that it is not
/// exported.
pub(super) const DISCARDED: &str = "exists (
    select from dead_letter l where l.pull_id = p.id and l.stage = 'exporter' and l.state = 'discarded'
        and l.state_at >= p.completed_at)";
/// Whether the rows of a pull `p` are still there.
pub(super) const WITH_ROWS: &str =
    "to_regclass('pull_data' || to_char(p.started_at at time zone 'UTC', '_YYYYMMDD')) is not null";

/// That a pull is in the lake, for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportMark {
    /// The table.
    pub table_name: String,
    /// When the pull that was exported had come to its end.
    pub completed_at: DateTime<Utc>,
    /// The file.
    pub path: String,
    /// SHA-256 of the file; none once its day is compacted.
    pub sha256: Option<String>,
    /// Rows.
    pub rows: i64,
}

/// The files of a pull.
#[derive(Debug, Default)]
pub struct PullFiles {
    /// What enters the catalogue: of each table the pull's file, or the files of its whole day.
    pub added: Vec<LakeFile>,
    /// What leaves it.
    pub ended: Vec<i64>,
    /// The name of each table, the path that the pull's rows are at, the SHA-256 of that file where it is the pull's alone, and
    /// its number of rows.
    pub marks: Vec<(&'static str, String, Option<String>, i64)>,
    /// The last erasure that had been asked for when the rows were read.
    pub last_erasure: i64,
}

/// What came of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exported {
    /// This call did it.
    Now,
    /// It was done before, by somebody else.
    Before,
    /// The pull is no longer what was exported: it is made again, and its next end will be exported.
    Outdated,
}

impl Store {
    /// The marks of a pull.
    pub async fn lake_marks(&self, pull: PullId) -> Result<Vec<ExportMark>, Error> {
        let sql = "/* lake::marks */
            select table_name, completed_at, path, sha256, record_count from lake.export where pull_id = $1 order by table_name";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[&pull.0]).await?;
        rows.iter()
            .map(|row| {
                Ok(ExportMark {
                    table_name: row.column("table_name")?,
                    completed_at: row.column("completed_at")?,
                    path: row.column("path")?,
                    sha256: row.column("sha256")?,
                    rows: row.column("record_count")?,
                })
            })
            .collect()
    }

    /// What is to be known before the rows of a pull are read: the last erasure that was asked for, 0 for none, of which an export that
    /// begins now finds nothing in the database; and the paths below `folders` that the catalogue knows, as [`Self::lake_paths`].
    pub async fn before_export(&self, folders: &[String]) -> Result<(i64, Vec<String>), Error> {
        let sql = format!(
            "/* lake::before_export */
            select (select coalesce(max(id), 0) from lake.request where action = 'erase') as last_erasure,
                   array({PATHS}) as taken"
        );
        let client = self.client().await?;
        let row = client.query_one(&client.prepare_cached(&sql).await?, &[&folders]).await?;
        Ok((row.column("last_erasure")?, row.column("taken")?))
    }

    /// Puts a pull into the catalogue: its files, the manifests of their folders, and the marks, in one transaction.
    ///
    /// `known` are the marks that the files were made with; somebody who has changed them meanwhile was faster.
    ///
    /// # Errors
    /// [`Error::LakeMoved`] where a channel is being erased since the rows were read: they may name it.
    pub async fn commit_export(
        &self,
        pull: &PullClosed,
        day: NaiveDate,
        files: &PullFiles,
        known: &[ExportMark],
        now: DateTime<Utc>,
    ) -> Result<Exported, Error> {
        let current = "/* lake::commit_export, current */
            select status = 'success' and completed_at = $2 as current,
                   (select count(*) from lake.export e where e.pull_id = $1 and e.completed_at = $2
                        and not exists (select from jsonb_to_recordset($3) k (path text)
                                        where k.path = e.path)) as by_others,
                   exists (select from lake.request where action = 'erase' and id > $4) as erased
            from pull where id = $1";
        let mark = "/* lake::commit_export, mark */
            insert into lake.export (pull_id, table_name, day, completed_at, path, sha256, file_size_bytes, record_count, exported_at)
            select $1, m.table_name, $2, $3, m.path, m.sha256,
                   (select (file->>'file_size_bytes')::bigint from jsonb_array_elements($5) file
                    where m.sha256 is not null and file->>'path' = m.path), m.record_count, $6
            from jsonb_to_recordset($4) as m (table_name text, path text, sha256 text, record_count bigint)
            on conflict (pull_id, table_name) do update
            set day = excluded.day, completed_at = excluded.completed_at, path = excluded.path, sha256 = excluded.sha256,
                file_size_bytes = excluded.file_size_bytes, record_count = excluded.record_count, exported_at = excluded.exported_at";
        // Where a whole day was written anew, its other pulls are in the new file too.
        let moved = "/* lake::commit_export, moved */
            update lake.export e set path = m.path
            from jsonb_to_recordset($1) as m (table_name text, path text, sha256 text)
            where m.sha256 is null and e.table_name = m.table_name and e.day = $2 and e.sha256 is null";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        lock(&transaction).await?;
        let paths: Vec<_> = known.iter().map(|mark| serde_json::json!({ "path": mark.path })).collect();
        let row = transaction
            .query_opt(current, &[&pull.pull_id.0, &pull.completed_at, &Json(&paths), &files.last_erasure])
            .await?
            .ok_or(Error::NoPull(pull.pull_id))?;
        if row.column::<i64>("by_others")? > 0 {
            return Ok(Exported::Before);
        }
        if !row.column::<bool>("current")? {
            return Ok(Exported::Outdated);
        }
        if row.column::<bool>("erased")? {
            return Err(Error::LakeMoved);
        }
        expect_live(&transaction, &files.ended).await?;
        change(&transaction, &files.ended, &files.added, &format!("pull {}", pull.pull_id), now).await?;
        let marks = files.marks.iter().map(|(table, path, sha256, rows)| {
            serde_json::json!({ "table_name": table, "path": path, "sha256": sha256, "record_count": rows })
        });
        let marks: Vec<_> = marks.collect();
        let added = Json(&files.added);
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&pull.pull_id.0, &day, &pull.completed_at, &Json(&marks), &added, &now];
        transaction.execute(mark, &parameters).await?;
        if files.marks.iter().any(|(_, _, sha256, _)| sha256.is_none()) {
            transaction.execute(moved, &[&Json(&marks), &day]).await?;
        }
        super::manifest::refresh(&transaction).await?;
        transaction.commit().await?;
        Ok(Exported::Now)
    }

    /// The oldest completed pulls that the lake has not as they are, whose rows are still there, and that no dead letter of the
    /// exporter is about that is open, or that a person has discarded since; those completed after `before` are left to their event.
    pub async fn pulls_without_lake(&self, before: DateTime<Utc>, most: i64) -> Result<Vec<PullId>, Error> {
        let sql = format!(
            "/* lake::pulls_without */
            select id from pull p
            where {LACKED} and completed_at <= $1 and {WITH_ROWS} and not {DISCARDED}
              and not exists (select from dead_letter l where l.pull_id = p.id and l.stage = 'exporter'
                              and l.state in ('dead', 'held', 'replaying', 'replayed'))
            order by completed_at limit $2"
        );
        let client = self.client().await?;
        let rows = client.query(&sql, &[&before, &most]).await?;
        rows.iter().map(|row| row.column("id").map(PullId)).collect()
    }

    /// Rows that the lake has of the pulls of a day, by table.
    pub async fn exported_rows(&self, day: NaiveDate) -> Result<Vec<(String, i64)>, Error> {
        let sql = "/* lake::exported_rows */
            select table_name, sum(record_count)::bigint as rows from lake.export where day = $1 group by table_name";
        let rows = self.client().await?.query(sql, &[&day]).await?;
        rows.iter().map(|row| Ok((row.column("table_name")?, row.column("rows")?))).collect()
    }

    /// Forgets the marks of a pull, so that it is exported once more. Its files stay until they are replaced.
    pub async fn unmark_export(&self, pull: PullId) -> Result<(), Error> {
        let sql = "/* lake::unmark */
            update lake.export set completed_at = to_timestamp(0) where pull_id = $1";
        self.client().await?.execute(sql, &[&pull.0]).await?;
        Ok(())
    }
}
