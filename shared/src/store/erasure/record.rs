//! Table `erasure`: that something was erased, by whom and how much, and not whose it was. That is in `erasure_subject` for as long as
//! the erasure is under way: whoever goes on with it needs the names that are erased already, and the same pseudonyms.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::types::Json;

use super::{
    super::{Error, Store, column::Columns},
    Places,
};
use crate::{proof::Leftovers, schema::ChannelId, scrub::Scrubber};

/// An erasure that was begun and has not ended.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Its number.
    pub id: i64,
    /// What it knows the channel by.
    pub scrubber: Scrubber,
    /// What it has taken out so far.
    pub counts: Places,
}

/// The same, as everybody may know who sees the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedErasure {
    /// The id of the channel whose data is erased.
    pub channel: String,
    /// Who began it.
    pub by: String,
    /// When.
    pub started_at: DateTime<Utc>,
}

impl Store {
    /// The erasure of this channel that has not ended.
    pub async fn begun_erasure(&self, channel: &ChannelId) -> Result<Option<Begun>, Error> {
        let sql = "/* record::begun_erasure */
            select e.id, e.counts, s.scrubber from erasure_subject s join erasure e on e.id = s.erasure where s.channel = $1";
        let Some(row) = self.client().await?.query_opt(sql, &[&channel.as_str()]).await? else {
            return Ok(None);
        };
        let (Json(counts), Json(scrubber)): (Json<Places>, Json<Scrubber>) =
            (row.column("counts")?, row.column("scrubber")?);
        Ok(Some(Begun { id: row.column("id")?, scrubber, counts }))
    }

    /// Notes that an erasure begins, and what it needs to be gone on with; its number. Where one of the channel was begun at
    /// the same time, that one.
    pub async fn begin_erasure(
        &self,
        by: &str,
        channel: &ChannelId,
        scrubber: &Scrubber,
        now: DateTime<Utc>,
    ) -> Result<Begun, Error> {
        let sql = "/* record::begin_erasure */
            with begun as (insert into erasure (by, started_at, counts) values ($1, $2, '{}') returning id)
            insert into erasure_subject (erasure, channel, scrubber) select id, $3, $4 from begun returning erasure";
        let begun =
            self.client().await?.query_one(sql, &[&by, &now, &channel.as_str(), &Json(scrubber)]).await;
        match begun {
            Ok(row) => {
                let id = row.column("erasure")?;
                Ok(Begun { id, scrubber: scrubber.clone(), counts: Places::new() })
            }
            // Somebody else was faster.
            Err(error) => self.begun_erasure(channel).await?.ok_or_else(|| error.into()),
        }
    }

    /// Notes more names of a channel whose erasure is under way.
    pub async fn note_subject(&self, erasure: i64, scrubber: &Scrubber) -> Result<(), Error> {
        let sql = "/* record::note_subject */ update erasure_subject set scrubber = $2 where erasure = $1";
        self.client().await?.execute(sql, &[&erasure, &Json(scrubber)]).await?;
        Ok(())
    }

    /// Notes what an erasure has taken out so far.
    pub async fn note_erased(&self, erasure: i64, counts: &Places) -> Result<(), Error> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        note_progress(&transaction, erasure, counts).await?;
        Ok(transaction.commit().await?)
    }

    /// Notes where the channel is still found; the erasure has not ended.
    pub async fn note_leftovers(&self, erasure: i64, left: &Leftovers) -> Result<(), Error> {
        let sql = "/* record::note_leftovers */ update erasure set found = $2, explained = $3 where id = $1";
        let parameters = (Json(&left.unexplained), Json(&left.explained));
        self.client().await?.execute(sql, &[&erasure, &parameters.0, &parameters.1]).await?;
        Ok(())
    }

    /// Notes that it has ended, and where the channel is still found. Forgets whose data it was, in the same transaction.
    pub async fn end_erasure(&self, erasure: i64, left: &Leftovers, now: DateTime<Utc>) -> Result<(), Error> {
        let sql = "/* record::end_erasure */
            with forgotten as (delete from erasure_subject where erasure = $1)
            update erasure set ended_at = $2, found = $3, explained = $4 where id = $1";
        let client = self.client().await?;
        client.execute(sql, &[&erasure, &now, &Json(&left.unexplained), &Json(&left.explained)]).await?;
        // Otherwise the deleted row stays in the file until so many others are.
        Ok(client.batch_execute("/* record::end_erasure */ vacuum erasure_subject").await?)
    }

    /// The erasures that have not ended, the oldest first.
    pub async fn unfinished_erasures(&self) -> Result<Vec<UnfinishedErasure>, Error> {
        let sql = "/* record::unfinished_erasures */
            select s.channel, e.by, e.started_at from erasure_subject s join erasure e on e.id = s.erasure order by e.id";
        let client = self.client().await?;
        let rows = client.query(&client.prepare_cached(sql).await?, &[]).await?;
        let read = |row: &tokio_postgres::Row| {
            let (channel, by) = (row.column("channel")?, row.column("by")?);
            Ok(UnfinishedErasure { channel, by, started_at: row.column("started_at")? })
        };
        rows.iter().map(read).collect()
    }
}

/// Notes what an erasure has taken out so far, in the transaction that takes it out.
pub(super) async fn note_progress(
    transaction: &Transaction<'_>,
    erasure: i64,
    counts: &Places,
) -> Result<(), Error> {
    let sql = "/* record::note_progress */ update erasure set counts = $2 where id = $1";
    transaction.execute(sql, &[&erasure, &Json(counts)]).await?;
    Ok(())
}
