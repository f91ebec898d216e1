//! What the lake has. The one place that knows how the exporter marks a pull as exported.

use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;

use super::super::{Error, column::Columns};

/// The table of exported pulls: a row with `pull_id` for each, written in the transaction that registers its files.
const EXPORTED: &str = "lake.exported_pull";

/// How many pulls that were started in this time and have succeeded the lake should have and has not. None should be there as
/// long as nothing was ever exported.
pub(super) async fn lacks(
    client: &ClientWrapper,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<i64, Error> {
    let is_there = "/* lake::is_there */ select to_regclass($1) is not null as there";
    if !client.query_one(is_there, &[&EXPORTED]).await?.column::<bool>("there")? {
        return Ok(0);
    }
    let sql = format!(
        "/* lake::lacks */
        select count(*) as pulls from pull p
        where p.started_at >= $1 and p.started_at < $2 and p.status = 'success' and p.stored > 0
          and exists (select from {EXPORTED}) and not exists (select from {EXPORTED} e where e.pull_id = p.id)"
    );
    client.query_one(&sql, &[&from, &to]).await?.column("pulls")
}
