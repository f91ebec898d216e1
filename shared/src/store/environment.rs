//! The server, the database and the user: what a person should know before the first start. Needs no schema of ours.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, error::SqlState};

use super::{Error, Store, column::Columns};

/// What PostgreSQL is like, as this user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its version, such as `15.18`.
    pub server: String,
    /// The database's encoding; texts from Twitch need `UTF8`.
    pub encoding: String,
    /// The time by its clock.
    pub now: DateTime<Utc>,
    /// Sessions that ordinary users may still open: the least of what server, database and user leave.
    pub sessions_left: i64,
    /// Tables of ours that this user may not use as the operator does, with the right that is lacking; empty without a schema.
    pub denied: Vec<String>,
}

impl Store {
    /// Looks at the server, the database and the user.
    pub async fn environment(&self) -> Result<Environment, Error> {
        let sql = "/* environment::look */
            select current_setting('server_version') as server, current_setting('server_encoding') as encoding,
                   clock_timestamp() as now,
                   array(select format('%s on %s', w.need, w.name)
                         from (values ('pull', 'select'), ('pull', 'insert'), ('pull_chunk', 'select'), ('worker_state', 'select'),
                                      ('dead_letter', 'update'), ('stage_pause', 'insert'), ('steering', 'insert')) w (name, need)
                         where to_regclass(w.name) is not null
                           and not (has_table_privilege(to_regclass(w.name), w.need)
                                    or w.need <> 'select' and has_any_column_privilege(to_regclass(w.name), w.need))
                        ) as denied";
        let client = self.client().await?;
        let row = client.query_one(sql, &[]).await?;
        Ok(Environment {
            server: row.column("server")?,
            encoding: row.column("encoding")?,
            now: row.column("now")?,
            sessions_left: sessions_left(&**client).await?,
            denied: row.column("denied")?,
        })
    }

    /// Whether the database takes what is written: a temporary table is filled, and gone again. Nothing of ours changes.
    ///
    /// # Errors
    /// What is in the way: a full disk, a database that is read-only. A user who may not have temporary tables is not told.
    pub async fn try_write(&self) -> Result<(), Error> {
        // Larger than what a page may have left, and not to be compressed to less.
        let sql = "/* environment::try_write */
            create temporary table try_write as
            select string_agg(md5(random()::text), '') as text from generate_series(1, 2000)";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let written = transaction.batch_execute(sql).await;
        transaction.rollback().await?;
        match written {
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(()),
            written => Ok(written?),
        }
    }

    /// The time by the database's clock.
    pub async fn server_time(&self) -> Result<DateTime<Utc>, Error> {
        let sql = "/* environment::server_time */ select clock_timestamp() as now";
        self.client().await?.query_one(sql, &[]).await?.column("now")
    }
}

/// How many sessions this user may still open: the least of what server, database and user leave.
pub(super) async fn sessions_left(client: &impl GenericClient) -> Result<i64, Error> {
    let sql = "/* environment::sessions_left */
        select least(
            current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
                - (select count(*) from pg_stat_activity where datid is not null),
            (select case when datconnlimit < 0 then 100000 else datconnlimit end from pg_database
             where datname = current_database())
                - (select count(*) from pg_stat_activity where datname = current_database()
                                                          and datid is not null),
            (select case when rolconnlimit < 0 then 100000 else rolconnlimit end from pg_roles
             where rolname = current_user)
                - (select count(*) from pg_stat_activity where usename = current_user
                                                          and datid is not null)) as sessions_left";
    client.query_one(sql, &[]).await?.column("sessions_left")
}
