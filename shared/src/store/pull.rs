//! Table `pull`: asking for one, following it, and its end.

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::{Row, types::ToSql};

use super::{Error, Store};
use crate::schema::{ChunkRef, PullClosed, PullId, PullStatus, StopReason};

/// Where the fetching of a pull stands: what the extractor needs to go on with the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extraction {
    /// The pull.
    pub pull_id: PullId,
    /// When it was started.
    pub pulled_at: DateTime<Utc>,
    /// Pages stored so far.
    pub pages: i32,
    /// The cursor of the next page; none before the first.
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
const EXTRACTOR_LEASE: TimeDelta = TimeDelta::seconds(10);

/// What the event of a pull's end is made of.
const EVENT: &str = "select id, status, slot, requested_by, started_at, extracted_at, completed_at, stop_reason, pages, fetched,
    stored, rejected, duplicates, coalesce(games_added, 0), coalesce(games_missing, 0), coalesce(channels_filled, 0),
    coalesce(channels_missing, 0), helix_calls, error, whole from pull";

impl Extraction {
    /// The last stored chunk, if any.
    pub fn last_chunk(&self) -> Option<ChunkRef> {
        (self.pages > 0).then_some(ChunkRef {
            pull_id: self.pull_id,
            pulled_at: self.pulled_at,
            chunk: self.pages,
        })
    }
}

impl Store {
    /// Creates a pull that somebody asks for outside the schedule.
    pub async fn request_pull(&self, requested_by: &str, now: DateTime<Utc>) -> Result<PullId, Error> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let id = insert(&transaction, None, requested_by, now).await?;
        transaction.commit().await?;
        Ok(id)
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
                select id as pull_id, status = 'failed' and extracted_at is null and not exists (
                    select from pull_chunk c
                    where c.pull_id = p.id and c.pulled_at = p.started_at and c.failed_stage is not null) as again
                from pull p where id = $1)
            update pull
            set extractor = $2, extractor_until = $4,
                status = case when again then 'pending' else status end,
                completed_at = case when again then null else completed_at end,
                error = case when again then null else error end,
                stop_reason = case when again then null else stop_reason end
            from before
            where id = pull_id
              and (extractor is null or extractor = $2 or extractor_until < $3 or extracted_at is not null)
            returning started_at, pages, cursor, last_viewers, idle_pages, extracted_at is not null, stored, duplicates";
        let client = self.client().await?;
        let statement = client.prepare_cached(take).await?;
        let until = now + EXTRACTOR_LEASE;
        let Some(row) = client.query_opt(&statement, &[&pull.0, &extractor, &now, &until]).await? else {
            let there = "/* pull::extraction, there */ select from pull where id = $1";
            client.query_opt(there, &[&pull.0]).await?.ok_or(Error::NoPull(pull))?;
            return Ok(None);
        };
        Ok(Some(Extraction {
            pull_id: pull,
            pulled_at: row.get(0),
            pages: row.get(1),
            cursor: row.get(2),
            last_viewers: row.get(3),
            idle_pages: row.get(4),
            ended: row.get(5),
            stored: row.get(6),
            duplicates: row.get(7),
        }))
    }

    /// Closes the pull if extraction has ended and every chunk is merged: true for exactly one caller.
    ///
    /// Decided by counting, each statement on what is committed when it starts: whoever merges last sees all merged. A
    /// failed pull is brought back on its way unless one of its chunks is given up: the others must not hide that.
    ///
    /// It fails when more than `max_rejected_share` of the records that were wanted, those with enough viewers, were
    /// rejected: its rows are there, but they are not what was live. Such a pull has its final counts, by which it is told
    /// from one that failed on its way; it stays failed until it is made again, or some of those records are let in.
    pub async fn close(
        &self,
        pull: PullId,
        max_rejected_share: f64,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let filling_channels = "/* pull::close, filling-channels */
            update pull p set status = 'filling-channels', completed_at = null, error = null
            where id = $1 and extracted_at is not null
              and (status = 'filling-games' or status = 'failed' and channels_filled is null)
              and not exists (select from pull_chunk c
                              where c.pull_id = p.id and c.pulled_at = p.started_at
                                and (c.games_at is null or c.failed_stage is not null))";
        // Of what was rejected, streams with too few viewers are as they should be.
        let counted = "
            (select coalesce(sum(channels_filled), 0) as channels_filled,
                    coalesce(sum(channels_missing), 0) as channels_missing,
                    (select count(distinct game) from pull_chunk m, unnest(m.games_missing) game
                     where m.pull_id = p.id and m.pulled_at = p.started_at) as games_missing,
                    coalesce(sum(rejected - unwatched), 0) as rejected, coalesce(sum(fetched - unwatched), 0) as wanted
             from pull_chunk c, coalesce((rejected_by_rule->>'below-min-viewers')::int, 0) as unwatched
             where c.pull_id = p.id and c.pulled_at = p.started_at) counted";
        let merged = "not exists (select from pull_chunk c
                      where c.pull_id = p.id and c.pulled_at = p.started_at and c.merged_at is null)";
        let success = format!(
            "/* pull::close, success */
            update pull t
            set status = 'success', completed_at = $2, error = null, build = $3,
                games_added = (select count(*) from twitch_game where first_pull_id = t.id),
                games_missing = counted.games_missing,
                channels_filled = counted.channels_filled, channels_missing = counted.channels_missing
            from pull p cross join lateral {counted}
            where t.id = $1 and p.id = $1 and t.status = 'filling-channels'
              and counted.rejected <= $4::float8 * counted.wanted and {merged}"
        );
        let failed = format!(
            "/* pull::close, rejected */
            update pull t
            set status = 'failed', completed_at = $2, build = $3, error = told.error,
                games_added = (select count(*) from twitch_game where first_pull_id = t.id),
                games_missing = counted.games_missing,
                channels_filled = counted.channels_filled, channels_missing = counted.channels_missing
            from pull p cross join lateral {counted}
                 cross join lateral (select format('%s of %s records were rejected: %s', counted.rejected, counted.wanted,
                     (select string_agg(format('%s %s', records, rule), ', ' order by records desc, rule)
                      from (select rule, sum(n::int) as records
                            from pull_chunk c, jsonb_each_text(rejected_by_rule) as each_rule (rule, n)
                            where c.pull_id = p.id and c.pulled_at = p.started_at and rule <> 'below-min-viewers'
                            group by rule) by_rule)) as error) told
            where t.id = $1 and p.id = $1 and t.status = 'filling-channels'
              and counted.rejected > $4::float8 * counted.wanted and {merged}"
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(filling_channels).await?;
        client.execute(&statement, &[&pull.0]).await?;
        for sql in [success, failed] {
            let statement = client.prepare_cached(&sql).await?;
            let values: [&(dyn ToSql + Sync); 4] =
                [&pull.0, &now, &env!("CARGO_PKG_VERSION"), &max_rejected_share];
            if client.execute(&statement, &values).await? == 1 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Moves the pull on to `filling-channels` once every chunk has its games.
    pub async fn games_filled(&self, pull: PullId) -> Result<(), Error> {
        let sql = "/* pull::games_filled */
            update pull p set status = 'filling-channels'
            where id = $1 and status = 'filling-games'
              and not exists (select from pull_chunk c
                              where c.pull_id = p.id and c.pulled_at = p.started_at and c.games_at is null)";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        client.execute(&statement, &[&pull.0]).await?;
        Ok(())
    }

    /// Fails the pull, unless it has come to its end already: true if this call did it.
    ///
    /// `stop_reason` is set where fetching itself could not go on.
    pub async fn fail_pull(
        &self,
        pull: PullId,
        error: &str,
        stop_reason: Option<StopReason>,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let sql = "/* pull::fail */
            update pull set status = 'failed', completed_at = $3, error = $2, stop_reason = coalesce($4, stop_reason)
            where id = $1 and status not in ('success', 'failed')";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let reason = stop_reason.map(StopReason::as_str);
        Ok(client.execute(&statement, &[&pull.0, &error, &now, &reason]).await? == 1)
    }

    /// Gives up on a chunk at a stage, which fails its pull: true if this call failed the pull, or may be the second
    /// delivery of the one that did, which died before it could tell anybody.
    pub async fn fail_chunk(
        &self,
        chunk: ChunkRef,
        stage: &str,
        failure: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let sql = "/* pull::fail_chunk */
            with before as (
                select failed_stage from pull_chunk
                where pull_id = $1 and pulled_at = $2 and chunk = $3 and merged_at is null for update
            ), chunk as (
                update pull_chunk c set failed_stage = $4, failure = $5, failed_at = $6
                from before where c.pull_id = $1 and c.pulled_at = $2 and c.chunk = $3
            ), failed as (
                update pull set status = 'failed', completed_at = $6,
                    error = format('chunk %s at %s: %s', $3::int, $4::text, $5::text)
                from before where id = $1 and status not in ('success', 'failed')
                returning id
            )
            select exists (select from failed) or coalesce(before.failed_stage = $4, false) from before";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let key = (chunk.pull_id.0, chunk.pulled_at, chunk.chunk);
        let row = client.query_opt(&statement, &[&key.0, &key.1, &key.2, &stage, &failure, &now]).await?;
        Ok(row.is_some_and(|row| row.get(0)))
    }

    /// The event of a pull that has come to its end; none while it is under way.
    pub async fn closed(&self, pull: PullId) -> Result<Option<PullClosed>, Error> {
        let sql = format!("/* pull::closed */ {EVENT} where id = $1 and completed_at is not null");
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        Ok(client.query_opt(&statement, &[&pull.0]).await?.map(|row| event(&row)))
    }
}

impl Store {
    /// The pulls that came to their end since then.
    pub async fn closed_since(&self, since: DateTime<Utc>) -> Result<Vec<PullClosed>, Error> {
        let sql = format!("/* pull::closed_since */ {EVENT} where completed_at >= $1 order by completed_at");
        Ok(self.client().await?.query(&sql, &[&since]).await?.iter().map(event).collect())
    }
}

/// Inserts a pull and sees to it that its rows have a place to go.
pub(super) async fn insert(
    transaction: &deadpool_postgres::Transaction<'_>,
    slot: Option<DateTime<Utc>>,
    requested_by: &str,
    now: DateTime<Utc>,
) -> Result<PullId, Error> {
    transaction.execute("/* pull::insert */ select ensure_partitions($1)", &[&now]).await?;
    let sql = "/* pull::insert */ insert into pull (slot, requested_by, started_at) values ($1, $2, $3) returning id";
    Ok(PullId(transaction.query_one(sql, &[&slot, &requested_by, &now]).await?.get(0)))
}

fn event(row: &Row) -> PullClosed {
    let success = row.get::<_, &str>(1) == PullStatus::Success.as_str();
    PullClosed {
        pull_id: PullId(row.get(0)),
        status: if success { PullStatus::Success } else { PullStatus::Failed },
        slot: row.get(2),
        requested_by: row.get(3),
        started_at: row.get(4),
        extracted_at: row.get(5),
        completed_at: row.get(6),
        stop_reason: row.get::<_, Option<&str>>(7).and_then(StopReason::from_name),
        pages: row.get(8),
        fetched: row.get(9),
        stored: row.get(10),
        rejected: row.get(11),
        duplicates: row.get(12),
        games_added: row.get(13),
        games_missing: row.get(14),
        channels_filled: row.get(15),
        channels_missing: row.get(16),
        helix_calls: row.get(17),
        error: row.get(18),
        whole: row.get(19),
    }
}
