//! What the lake has. The one place that knows how the exporter marks a pull as exported.

use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;

use super::super::{Error, Store, column::Columns};

/// The table of what is exported: a row per pull and table of the lake, written in the transaction that registers its file.
/// `completed_at` tells the content: a pull that was closed once more is exported once more.
const EXPORTED: &str = "lake.export";
/// The table of the lake that holds streams.
const STREAMS: &str = "stream_peek";

impl Store {
    /// Whether anything was ever exported.
    pub async fn lake_in_use(&self) -> Result<bool, Error> {
        let client = self.client().await?;
        if !is_there(&client).await? {
            return Ok(false);
        }
        let sql = format!("/* lake::in_use */ select exists (select from {EXPORTED}) as used");
        client.query_one(&sql, &[]).await?.column("used")
    }
}

async fn is_there(client: &ClientWrapper) -> Result<bool, Error> {
    let sql = "/* lake::is_there */ select to_regclass($1) is not null as there";
    client.query_one(sql, &[&EXPORTED]).await?.column("there")
}

/// How many pulls that were started in this time and have succeeded the lake should have and has not. None should be there as
/// long as nothing was ever exported.
pub(super) async fn lacks(
    client: &ClientWrapper,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<i64, Error> {
    if !is_there(client).await? {
        return Ok(0);
    }
    let sql = format!(
        "/* lake::lacks */
        select count(*) as pulls from pull p
        where p.started_at >= $1 and p.started_at < $2 and p.status = 'success' and p.stored > 0
          and exists (select from {EXPORTED}) and not exists (
              select from {EXPORTED} e
              where e.pull_id = p.id and e.table_name = $3 and e.completed_at = p.completed_at)"
    );
    client.query_one(&sql, &[&from, &to, &STREAMS]).await?.column("pulls")
}
