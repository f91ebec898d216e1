//! Table `erasure`: that something was erased, by whom and how much, and not whose it was.

use chrono::{DateTime, Utc};
use tokio_postgres::types::Json;

use super::{
    super::{Error, Store, column::Columns},
    Places,
};

impl Store {
    /// Notes that an erasure begins; its number.
    pub async fn begin_erasure(&self, by: &str, counts: &Places, now: DateTime<Utc>) -> Result<i64, Error> {
        let sql = "/* record::begin_erasure */
            insert into erasure (by, started_at, counts) values ($1, $2, $3) returning id";
        self.client().await?.query_one(sql, &[&by, &now, &Json(counts)]).await?.column("id")
    }

    /// Notes that it has ended, and where the channel is still found.
    pub async fn end_erasure(&self, erasure: i64, found: &Places, now: DateTime<Utc>) -> Result<(), Error> {
        let sql = "/* record::end_erasure */ update erasure set ended_at = $2, found = $3 where id = $1";
        self.client().await?.execute(sql, &[&erasure, &now, &Json(found)]).await?;
        Ok(())
    }
}
