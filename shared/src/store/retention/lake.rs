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
    /// Whether there is a lake: an exporter has once been started, or anything was exported.
    pub async fn lake_in_use(&self) -> Result<bool, Error> {
        in_use(&*self.client().await?).await
    }
}

/// Whether there is a lake. An exporter notes where its files go before it writes the first.
async fn in_use(client: &ClientWrapper) -> Result<bool, Error> {
    let there = "/* lake::is_there */ select to_regclass($1) is not null as there";
    if !client.query_one(there, &[&EXPORTED]).await?.column("there")? {
        return Ok(false);
    }
    let sql = format!(
        "/* lake::in_use */
        select exists (select from {EXPORTED}) or exists (select from lake.ducklake_metadata where key = 'data_path') as used"
    );
    client.query_one(&sql, &[]).await?.column("used")
}

/// How many pulls that were started in this time and have succeeded the lake should have and has not: none where there is no
/// lake.
pub(super) async fn lacks(
    client: &ClientWrapper,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<i64, Error> {
    if !in_use(client).await? {
        return Ok(0);
    }
    let sql = format!(
        "/* lake::lacks */
        select count(*) as pulls from pull p
        where p.started_at >= $1 and p.started_at < $2 and p.status = 'success' and p.stored > 0
          and not exists (
              select from {EXPORTED} e
              where e.pull_id = p.id and e.table_name = $3 and e.completed_at = p.completed_at)"
    );
    client.query_one(&sql, &[&from, &to, &STREAMS]).await?.column("pulls")
}
