//! A script on a server that is not ours: Redshift, which speaks PostgreSQL's protocol.

use secrecy::SecretString;
use tokio_postgres::SimpleQueryMessage;

use super::{Error, database_url::Address, session};
use crate::lake::{TABLES, redshift::Load};

/// Runs statements, separated by semicolons, on a connection of their own. None of our sessions' settings are made: Redshift
/// does not know them. The simple protocol, because prepared statements of its drivers' parameters were reported to fail.
pub async fn run_script(url: &SecretString, sql: &str) -> Result<(), Error> {
    let client = session::foreign(Address::parse(url)?, "operator redshift").await?;
    Ok(client.batch_execute(sql).await?)
}

/// Loads into Redshift, in one transaction. `expected` are the rows that the lake has of what is loaded, by table.
///
/// # Errors
/// [`Error::Staged`] where the files have another number of rows; nothing is changed then.
pub async fn run_load(url: &SecretString, load: &Load, expected: &[(String, i64)]) -> Result<(), Error> {
    let client = session::foreign(Address::parse(url)?, "operator redshift").await?;
    client.batch_execute(&load.stage).await?;
    let answer = client.simple_query(&load.count).await?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    for (place, table) in TABLES.iter().enumerate() {
        let staged = row.and_then(|row| row.get(place)).and_then(|number| number.parse().ok()).unwrap_or(0);
        let expected = expected.iter().find(|(name, _)| name == table.name).map_or(0, |(_, rows)| *rows);
        if staged != expected {
            // Its session ends with the error, in any case.
            client.batch_execute("rollback").await?;
            return Err(Error::Staged { table: table.name, staged, expected });
        }
    }
    Ok(client.batch_execute(&load.replace).await?)
}
