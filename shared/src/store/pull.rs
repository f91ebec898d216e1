//! Table `pull`: asking for one, and following its extraction.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::ClientWrapper;
use tokio_postgres::GenericClient;

use super::{Error, Store, column::Columns, partition};
use crate::schema::PullId;

/// Where the fetching of a pull stands: what the extractor needs to go on with the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extraction {
    /// The pull.
    pub pull_id: PullId,
    /// When it was started.
    pub pulled_at: DateTime<Utc>,
    /// Pages stored so far.
    pub pages: i32,
    /// The cursor of the next page, or those of several lists as the extractor writes them; none before the first.
    pub cursor: Option<String>,
    /// Viewers of the last valid record so far.
    pub last_viewers: Option<i32>,
    /// Pages in a row that brought nothing new.
    pub idle_pages: i32,
    /// Streams stored so far.
    pub stored: i32,
    /// Records so far whose stream the pull already had.
    pub duplicates: i32,
    /// Whether all pages are stored.
    pub ended: bool,
}

/// How long an extractor has a pull to itself, renewed with every page. Its death ends it.
pub(super) const EXTRACTOR_LEASE: TimeDelta = TimeDelta::seconds(10);

impl Store {
    /// Creates a pull that somebody asks for outside the schedule.
    pub async fn request_pull(&self, requested_by: &str, now: DateTime<Utc>) -> Result<PullId, Error> {
        let client = self.client().await?;
        partition::ensure(&client, now).await?;
        insert(&**client, None, requested_by, now).await
    }

    /// Where the fetching of a pull stands, for `extractor`, who is then the only one to fetch for a moment; none while
    /// somebody else is at it. A failed pull whose pages were not all fetched is brought back: it is asked for again.
    /// One of which a chunk was given up stays failed; its pages are fetched all the same, for a replay of that chunk.
    pub async fn extraction(
        &self,
        pull: PullId,
        extractor: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Extraction>, Error> {
        let take = "/* pull::extraction, take */
            with before as (
                select id as pull_id, status = 'failed' and cancelled_at is null and extracted_at is null and not exists (
                    select from pull_chunk c
                    where c.pull_id = $1 and c.pulled_at = $5 and c.failed_stage is not null) as again
                from pull where id = $1)
            update pull
            set extractor = $2, extractor_until = $4,
                status = case when again then 'pending' else status end,
                completed_at = case when again then null else completed_at end,
                error = case when again then null else error end,
                stop_reason = case when again then null else stop_reason end
            from before
            where id = pull_id
              and (extractor is null or extractor = $2 or extractor_until < $3 or extracted_at is not null)
            returning pages, cursor, last_viewers, idle_pages, extracted_at is not null as ended, stored, duplicates";
        let client = self.client().await?;
        let pulled_at = started_at(&client, pull).await?;
        let statement = client.prepare_cached(take).await?;
        let until = now + EXTRACTOR_LEASE;
        let taken = client.query_opt(&statement, &[&pull.0, &extractor, &now, &until, &pulled_at]).await?;
        let Some(row) = taken else { return Ok(None) };
        Ok(Some(Extraction {
            pull_id: pull,
            pulled_at,
            pages: row.column("pages")?,
            cursor: row.column("cursor")?,
            last_viewers: row.column("last_viewers")?,
            idle_pages: row.column("idle_pages")?,
            ended: row.column("ended")?,
            stored: row.column("stored")?,
            duplicates: row.column("duplicates")?,
        }))
    }
}

/// When a pull was started, which tells the partitions of its rows: asked first, so that the statements after it can name
/// them.
pub(super) async fn started_at(client: &ClientWrapper, pull: PullId) -> Result<DateTime<Utc>, Error> {
    let statement =
        client.prepare_cached("/* pull::started_at */ select started_at from pull where id = $1").await?;
    client.query_opt(&statement, &[&pull.0]).await?.ok_or(Error::NoPull(pull))?.column("started_at")
}

/// Inserts a pull; the partitions of its day are there.
pub(super) async fn insert(
    client: &impl GenericClient,
    slot: Option<DateTime<Utc>>,
    requested_by: &str,
    now: DateTime<Utc>,
) -> Result<PullId, Error> {
    let sql = "/* pull::insert */ insert into pull (slot, requested_by, started_at) values ($1, $2, $3) returning id";
    Ok(PullId(client.query_one(sql, &[&slot, &requested_by, &now]).await?.column("id")?))
}
