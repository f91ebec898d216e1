//! Whose the catalogue is, where its database was copied: the copy's, if it takes over, or nobody's, if it begins anew.

use super::commit::lock;
use crate::store::{Error, Store};

impl Store {
    /// Makes the catalogue this database's, under an id of its own: exporters of the database it was copied from are refused by
    /// the storage from the moment an exporter of this one is started. Harmless to repeat.
    pub async fn adopt_lake(&self) -> Result<(), Error> {
        let sql = "/* home::adopt_lake */
            with old as (select schema_id, schema_uuid from lake.ducklake_schema order by schema_id limit 1),
                 new as (update lake.ducklake_schema s set schema_uuid = gen_random_uuid() from old where s.schema_id = old.schema_id)
            insert into lake.home (database, former) select lake.this_database(), array[schema_uuid::text] from old
            on conflict (only_row) do update set database = excluded.database, former = home.former || excluded.former";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        lock(&transaction).await?;
        transaction.execute(sql, &[]).await?;
        Ok(transaction.commit().await?)
    }

    /// Empties the catalogue, as it was before the first exporter was started. Files that it named stay where they are, and are
    /// somebody else's.
    pub async fn reset_lake(&self) -> Result<(), Error> {
        let sql = "/* home::reset_lake */
            do $$ begin
                execute (select 'truncate ' || string_agg(format('lake.%I', tablename), ', ')
                         from pg_tables where schemaname = 'lake' and tablename <> 'request');
            end $$;
            insert into lake.ducklake_metadata (key, value) values ('version', '1.0'), ('created_by', 'twitch'), ('encrypted', 'false');
            insert into lake.ducklake_snapshot values (0, now(), 0, 1, 0);
            insert into lake.ducklake_snapshot_changes (snapshot_id, changes_made) values (0, 'created_schema:\"main\"');
            insert into lake.ducklake_schema values (0, gen_random_uuid(), 0, null, 'main', '', true)";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        lock(&transaction).await?;
        transaction.batch_execute(sql).await?;
        Ok(transaction.commit().await?)
    }
}
