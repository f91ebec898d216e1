//! Migrations, embedded in the binary, and the schema version a program insists on.

use deadpool_postgres::ClientWrapper;
use secrecy::SecretString;
use sqlx::{
    Connection, SqlSafeStr,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
};

use tokio_postgres::error::SqlState;

use super::{Error, column::Columns, database_url::Address, session::Sessions, suspicion};

/// How PostgreSQL shows the migrator.
const PROGRAM: &str = "operator migrate";

/// Every migration, in order: version, name, SQL. Append only; a migration that has run anywhere is never edited.
const MIGRATIONS: [(i64, &str, &str); 30] = [
    (1, "pull", include_str!("../../../migrations/0001_pull.sql")),
    (2, "catalogue", include_str!("../../../migrations/0002_catalogue.sql")),
    (3, "views", include_str!("../../../migrations/0003_views.sql")),
    (4, "dead letters", include_str!("../../../migrations/0004_dead_letters.sql")),
    (5, "letters mended", include_str!("../../../migrations/0005_letters_mended.sql")),
    (6, "rejected record", include_str!("../../../migrations/0006_rejected_record.sql")),
    (7, "claim holder", include_str!("../../../migrations/0007_claim_holder.sql")),
    (8, "rerun", include_str!("../../../migrations/0008_rerun.sql")),
    (9, "roles", include_str!("../../../migrations/0009_roles.sql")),
    (10, "schema promise", include_str!("../../../migrations/0010_schema_promise.sql")),
    (11, "worker state", include_str!("../../../migrations/0011_worker_state.sql")),
    (12, "partitions ahead", include_str!("../../../migrations/0012_partitions_ahead.sql")),
    (13, "twitch data", include_str!("../../../migrations/0013_twitch_data.sql")),
    (14, "roles of today", include_str!("../../../migrations/0014_roles.sql")),
    (15, "dead letters first", include_str!("../../../migrations/0015_dead_letters_first.sql")),
    (16, "write once", include_str!("../../../migrations/0016_write_once.sql")),
    (17, "point budget", include_str!("../../../migrations/0017_point_budget.sql")),
    (18, "lake", include_str!("../../../migrations/0018_lake.sql")),
    (19, "retention", include_str!("../../../migrations/0019_retention.sql")),
    (20, "explain", include_str!("../../../migrations/0020_explain.sql")),
    (21, "steering", include_str!("../../../migrations/0021_steering.sql")),
    (22, "console", include_str!("../../../migrations/0022_console.sql")),
    (23, "operations", include_str!("../../../migrations/0023_operations.sql")),
    (24, "lake upkeep", include_str!("../../../migrations/0024_lake_upkeep.sql")),
    (25, "console speed", include_str!("../../../migrations/0025_console_speed.sql")),
    (26, "what every program tells", include_str!("../../../migrations/0026_what_every_program_tells.sql")),
    (29, "whether there is a lake", include_str!("../../../migrations/0029_whether_there_is_a_lake.sql")),
    (30, "erasure resumed", include_str!("../../../migrations/0030_erasure_resumed.sql")),
    (31, "lake checksums", include_str!("../../../migrations/0031_lake_checksums.sql")),
    (32, "whose the lake is", include_str!("../../../migrations/0032_whose_the_lake_is.sql")),
];

/// The schema version this build knows: its last migration.
const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// Whether the schema $1, newer than a build, promises to serve that build, which knows schema $2.
const PROMISED: &str = "/* migrate::promised */
    select exists (select from schema_promise where version = $1 and oldest_build <= $2) as promised";

/// What a migration run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The schema version now.
    pub version: i64,
    /// The migrations that ran, by name.
    pub applied: Vec<&'static str>,
}

/// Brings the database at `url` to the schema of this build. Harmless when it is there already, and when several run
/// it at once: sqlx holds a lock. A newer schema that serves this build stays as it is; another one is an error.
pub async fn migrate(url: &SecretString) -> Result<Migrated, Error> {
    let migrations = MIGRATIONS.map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let migrator = Migrator::with_migrations(migrations.to_vec());
    let mut connection = Sessions::new(Address::parse(url)?, PROGRAM)?.migrator().await?;
    connection.ensure_migrations_table(&migrator.table_name).await?;
    let before = connection.list_applied_migrations(&migrator.table_name).await?;
    let found = before.iter().map(|done| done.version).max().unwrap_or(0);
    // A newer build was here: nothing is to be done, or nothing can be.
    if found > KNOWN {
        let promised = sqlx::query_scalar(PROMISED).bind(found).bind(KNOWN).fetch_one(&mut connection).await;
        return if promised.map_err(MigrateError::from)? {
            Ok(Migrated { version: found, applied: Vec::new() })
        } else {
            Err(Error::NewSchema { found, known: KNOWN })
        };
    }
    migrator.run(&mut connection).await?;
    connection.close().await.map_err(Error::Migrator)?;
    let applied = MIGRATIONS
        .iter()
        .filter(|(version, ..)| before.iter().all(|done| done.version != *version))
        .map(|(_, name, _)| *name)
        .collect();
    Ok(Migrated { version: KNOWN, applied })
}

/// Sees to it that the database takes writes, and compares its schema with the one this build knows. A newer one is fine where its migration promises to
/// serve this build: so a migration can run before the workers are replaced, one by one.
pub(super) async fn check(client: &ClientWrapper) -> Result<(), Error> {
    let sql = "/* migrate::check */
        select coalesce(max(version), 0) as version, current_setting('transaction_read_only') = 'on' as read_only
        from _sqlx_migrations where success";
    let version = async { client.query_one(&client.prepare_cached(sql).await?, &[]).await };
    let version = match version.await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Err(Error::NoSchema),
        version => version?,
    };
    if version.column("read_only")? {
        // A session stays as it was opened: perhaps it is not the server any more.
        suspicion::raise();
        return Err(Error::ReadOnly);
    }
    match version.column("version")? {
        KNOWN => Ok(()),
        0 => Err(Error::NoSchema),
        found if found < KNOWN => Err(Error::OldSchema { found, known: KNOWN }),
        found if client.query_one(PROMISED, &[&found, &KNOWN]).await?.column("promised")? => Ok(()),
        found => Err(Error::NewSchema { found, known: KNOWN }),
    }
}
