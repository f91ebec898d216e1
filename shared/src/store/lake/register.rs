//! The lake's tables and columns in the catalogue, as this build has them, and the place where the files are.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio_postgres::{Row, types::Json};

use super::commit::lock;
use crate::{
    lake::{Kind, TABLES},
    store::{Error, Store, column::Columns},
};

/// The catalogue, as storage is compared with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// What tells it from every other: the id that its schema was given when it was made.
    pub catalogue: String,
    /// Where its files are, or will be; none before the first exporter was started.
    pub root: Option<String>,
    /// Whether it has files.
    pub used: bool,
    /// Whether it came with a copy of the database whose it is.
    pub copied: bool,
    /// Ids that it had before this database adopted it.
    pub former: Vec<String>,
}

impl Registered {
    /// # Errors
    /// [`Error::LakeCopied`] where it is another database's, [`Error::LakeElsewhere`] where its files are in another place.
    pub fn expect_ours(&self, root: &str) -> Result<(), Error> {
        if self.copied {
            return Err(Error::LakeCopied);
        }
        match &self.root {
            Some(found) if self.used && found != root => {
                Err(Error::LakeElsewhere { found: found.clone(), given: root.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// The catalogue as it is.
const NOTED: &str = "/* lake::registered */
    select (select value from lake.ducklake_metadata where key = 'data_path') as root,
           (select schema_uuid::text from lake.ducklake_schema order by schema_id limit 1) as catalogue,
           exists (select from lake.ducklake_data_file) as used,
           exists (select from lake.home where database <> lake.this_database()) as copied,
           coalesce((select former from lake.home), '{}') as former";

fn registered(row: &Row) -> Result<Registered, Error> {
    Ok(Registered {
        catalogue: row.column("catalogue")?,
        root: row.column("root")?,
        used: row.column("used")?,
        copied: row.column("copied")?,
        former: row.column("former")?,
    })
}

impl Store {
    /// The catalogue, left as it is.
    pub async fn registered_lake(&self) -> Result<Registered, Error> {
        registered(&self.client().await?.query_one(NOTED, &[]).await?)
    }

    /// Makes the catalogue know the tables, columns and comments of this build, and `root`, where the files are. Harmless to
    /// repeat; a column that a newer build has added stays. Tells how the catalogue was.
    ///
    /// # Errors
    /// As [`Registered::expect_ours`].
    pub async fn register_lake(&self, root: &str, now: DateTime<Utc>) -> Result<Registered, Error> {
        let note = "/* lake::register, note root */
            with old as (delete from lake.ducklake_metadata where key = 'data_path')
            insert into lake.ducklake_metadata (key, value) values ('data_path', $1)";
        // Also where an older build has noted the root.
        let home = "/* lake::register, note home */
            insert into lake.home (database) values (lake.this_database()) on conflict do nothing";
        let sql = "/* lake::register */
            with head as (
                select snapshot_id + 1 as snapshot, schema_version + 1 as version, next_catalog_id, next_file_id
                from lake.ducklake_snapshot order by snapshot_id desc limit 1
            ), wanted as (
                select * from jsonb_to_recordset($1) as c (table_id bigint, table_name text, table_comment text, column_id bigint,
                    place bigint, name text, type text, nullable bool, comment text, parent bigint)
            ), new_table as (
                select distinct table_id, table_name, table_comment from wanted w
                where not exists (select from lake.ducklake_table t where t.table_id = w.table_id)
            ), new_column as (
                select * from wanted w
                where not exists (select from lake.ducklake_column c where c.table_id = w.table_id and c.column_id = w.column_id)
            ), changed as (
                select distinct table_id, case when n.table_id is null then 'altered_table:' || c.table_id
                                               else format('created_table:\"main\".\"%s\"', c.table_name) end as change
                from new_column c left join new_table n using (table_id)
            ), snapshot as (
                insert into lake.ducklake_snapshot
                select snapshot, $2, version, greatest(next_catalog_id, (select max(table_id) + 1 from wanted)), next_file_id
                from head where exists (select from new_column)
                returning snapshot_id, schema_version
            ), changes as (
                insert into lake.ducklake_snapshot_changes (snapshot_id, changes_made)
                select snapshot_id, (select string_agg(change, ',' order by table_id) from changed) from snapshot
            ), versions as (
                insert into lake.ducklake_schema_versions (begin_snapshot, schema_version, table_id)
                select snapshot_id, schema_version, table_id from snapshot, changed
            ), tables as (
                insert into lake.ducklake_table (table_id, table_uuid, begin_snapshot, schema_id, table_name, path, path_is_relative)
                select table_id, gen_random_uuid(), snapshot_id, 0, table_name, '', true from snapshot, new_table
            ), statistics as (
                insert into lake.ducklake_table_stats select table_id, 0, 0, 0 from new_table
            ), table_comments as (
                insert into lake.ducklake_tag (object_id, begin_snapshot, key, value)
                select table_id, snapshot_id, 'comment', table_comment from snapshot, new_table
            ), comments as (
                insert into lake.ducklake_column_tag (table_id, column_id, begin_snapshot, key, value)
                select table_id, column_id, snapshot_id, 'comment', comment from snapshot, new_column where comment is not null
            )
            insert into lake.ducklake_column (column_id, begin_snapshot, table_id, column_order, column_name, column_type,
                default_value, nulls_allowed, parent_column, default_value_type, default_value_dialect)
            select column_id, snapshot_id, table_id, place, name, type, case when type <> 'list' then 'NULL' end, nullable, parent,
                   'literal', 'duckdb'
            from snapshot, new_column";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        lock(&transaction).await?;
        let found = registered(&transaction.query_one(NOTED, &[]).await?)?;
        found.expect_ours(root)?;
        transaction.execute(home, &[]).await?;
        if found.root.as_deref() != Some(root) {
            transaction.execute(note, &[&root]).await?;
        }
        transaction.execute(sql, &[&Json(columns()), &now]).await?;
        transaction.commit().await?;
        Ok(found)
    }
}

/// Every column with its table; the elements of a list are a column of their own.
fn columns() -> Vec<Value> {
    let mut columns = Vec::new();
    for table in &TABLES {
        for column in table.columns {
            let of_table =
                json!({ "table_id": table.id, "table_name": table.name, "table_comment": table.comment });
            let with = |more: Value| {
                let mut all = of_table.clone();
                if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
                    all.extend(more);
                }
                all
            };
            columns.push(with(json!({
                "column_id": column.id, "place": column.id, "name": column.name, "type": column.ducklake_type(),
                "nullable": column.nullable, "comment": column.comment,
            })));
            if let Kind::Texts(element) = column.kind {
                columns.push(with(json!({
                    "column_id": element, "place": element, "name": "element", "type": "varchar", "nullable": true,
                    "parent": column.id,
                })));
            }
        }
    }
    columns
}
