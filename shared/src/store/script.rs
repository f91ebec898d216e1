//! A script on a server that is not ours: Redshift, which speaks PostgreSQL's protocol.

use secrecy::SecretString;

use super::{Error, database_url::Address, session};

/// Runs statements, separated by semicolons, on a connection of their own. None of our sessions' settings are made: Redshift
/// does not know them. The simple protocol, because prepared statements of its drivers' parameters were reported to fail.
pub async fn run_script(url: &SecretString, sql: &str) -> Result<(), Error> {
    let client = session::foreign(Address::parse(url)?, "operator redshift").await?;
    Ok(client.batch_execute(sql).await?)
}
