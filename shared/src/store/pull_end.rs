//! Table `pull`: how a pull comes to its end, and what is said of it then.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::{Error, Store, column::Columns, dead_letter, pull::started_at};
use crate::{
    dead_letter::DeadLetter,
    schema::{ChunkRef, PullClosed, PullId, PullStatus, StopReason},
    version::VERSION,
};

/// What the event of a pull's end is made of; `$2` is when the pull was started. A pull that was given up was never closed, so
/// the calls that its chunks took are summed here.
const EVENT: &str = "select id, status, slot, requested_by, started_at, extracted_at, completed_at, stop_reason, pages, fetched,
    stored, rejected, duplicates, coalesce(games_added, 0) as games_added, coalesce(games_missing, 0) as games_missing,
    coalesce(channels_filled, 0) as channels_filled, coalesce(channels_missing, 0) as channels_missing, error, whole,
    case when status = 'success' then helix_calls else helix_calls - chunk_calls + (
        select coalesce(sum(c.helix_calls), 0)::int from pull_chunk c where c.pull_id = $1 and c.pulled_at = $2)
    end as helix_calls
    from pull where id = $1 and completed_at is not null";

impl Store {
    /// Closes the pull if extraction has ended and every chunk is merged: true for exactly one caller.
    ///
    /// Decided by counting, each statement on what is committed when it starts: whoever merges last sees all merged. A
    /// failed pull is brought back on its way unless one of its chunks is given up: the others must not hide that. The last
    /// page and the end of extraction are one commit, so before that end there is nothing to count.
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
        let extracted = "/* pull::close, extracted */
            select started_at from pull where id = $1 and extracted_at is not null and status <> 'success'";
        let filling_channels = "/* pull::close, filling-channels */
            update pull set status = 'filling-channels', completed_at = null, error = null
            where id = $1 and extracted_at is not null
              and cancelled_at is null
              and (status = 'filling-games' or status = 'failed' and channels_filled is null)
              and not exists (select from pull_chunk c
                              where c.pull_id = $1 and c.pulled_at = $2
                                and (c.games_at is null or c.failed_stage is not null))";
        // Of what was rejected, streams with too few viewers are as they should be.
        let end = "/* pull::close, end */
            with chunk as materialized (
                select merged_at, games_missing, channels_filled, channels_missing, fetched, rejected, rejected_by_rule,
                       helix_calls,
                       coalesce((rejected_by_rule->>'below-min-viewers')::int, 0) as unwatched
                from pull_chunk where pull_id = $1 and pulled_at = $4
            ), counted as (
                select count(*) filter (where merged_at is null) as unmerged,
                       coalesce(sum(channels_filled), 0) as channels_filled,
                       coalesce(sum(channels_missing), 0) as channels_missing,
                       coalesce(sum(helix_calls), 0)::int as calls,
                       (select count(distinct game) from chunk, unnest(games_missing) game) as games_missing,
                       coalesce(sum(rejected - unwatched), 0) as rejected, coalesce(sum(fetched - unwatched), 0) as wanted
                from chunk
            ), told as (
                select case when rejected > $5::float8 * wanted then format(
                    '%s of %s records were rejected: %s', rejected, wanted,
                    (select string_agg(format('%s %s', records, rule), ', ' order by records desc, rule)
                     from (select rule, sum(n::int) as records
                           from chunk, jsonb_each_text(rejected_by_rule) as each_rule (rule, n)
                           where rule <> 'below-min-viewers' group by rule) by_rule)) end as error
                from counted)
            update pull p
            set status = case when told.error is null then 'success' else 'failed' end, error = told.error,
                completed_at = $2, build = $3,
                games_added = (select count(*) from twitch_game where first_pull_id = p.id),
                games_missing = counted.games_missing,
                channels_filled = counted.channels_filled, channels_missing = counted.channels_missing,
                helix_calls = helix_calls - chunk_calls + counted.calls, chunk_calls = counted.calls
            from counted, told
            where id = $1 and status = 'filling-channels' and counted.unmerged = 0";
        let client = self.client().await?;
        let statement = client.prepare_cached(extracted).await?;
        let Some(row) = client.query_opt(&statement, &[&pull.0]).await? else { return Ok(false) };
        let pulled_at: DateTime<Utc> = row.column("started_at")?;
        let statement = client.prepare_cached(filling_channels).await?;
        client.execute(&statement, &[&pull.0, &pulled_at]).await?;
        let statement = client.prepare_cached(end).await?;
        let build = VERSION;
        Ok(client.execute(&statement, &[&pull.0, &now, &build, &pulled_at, &max_rejected_share]).await? == 1)
    }

    /// Moves the pull on to `filling-channels` once every chunk has its games.
    pub async fn games_filled(&self, pull: PullId) -> Result<(), Error> {
        let filling = "/* pull::games_filled, filling */
            select started_at from pull where id = $1 and status = 'filling-games'";
        let sql = "/* pull::games_filled */
            update pull set status = 'filling-channels'
            where id = $1 and status = 'filling-games'
              and not exists (select from pull_chunk c
                              where c.pull_id = $1 and c.pulled_at = $2 and c.games_at is null)";
        let client = self.client().await?;
        let statement = client.prepare_cached(filling).await?;
        let Some(row) = client.query_opt(&statement, &[&pull.0]).await? else { return Ok(()) };
        let pulled_at: DateTime<Utc> = row.column("started_at")?;
        let statement = client.prepare_cached(sql).await?;
        client.execute(&statement, &[&pull.0, &pulled_at]).await?;
        Ok(())
    }

    /// Fails the pull, unless it has come to its end already: true if this call did it.
    ///
    /// `stop_reason` is set where fetching itself could not go on. The dead letter that is the reason, if one is, is
    /// recorded in the same transaction.
    pub async fn fail_pull(
        &self,
        pull: PullId,
        error: &str,
        stop_reason: Option<StopReason>,
        dead_letter: Option<&DeadLetter>,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let sql = "/* pull::fail */
            update pull set status = 'failed', completed_at = $3, error = $2, stop_reason = coalesce($4, stop_reason)
            where id = $1 and status not in ('success', 'failed')";
        let reason = stop_reason.map(StopReason::as_str);
        let mut client = self.client().await?;
        let transaction = match dead_letter {
            Some(_) => dead_letter::lock_dead_letter_tables(&mut client).await?,
            None => client.transaction().await?,
        };
        let statement = transaction.prepare_cached(sql).await?;
        let failed = transaction.execute(&statement, &[&pull.0, &error, &now, &reason]).await? == 1;
        if let Some(dead_letter) = dead_letter {
            dead_letter::failed(&transaction, dead_letter).await?;
        }
        transaction.commit().await?;
        Ok(failed)
    }

    /// Gives up on a chunk at the stage of its dead letter, which fails its pull, and records the dead letter: true if
    /// this call failed the pull, or may be the second delivery of the one that did, which died before it could announce
    /// it.
    pub async fn fail_chunk(
        &self,
        chunk: ChunkRef,
        failure: &str,
        dead_letter: &DeadLetter,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let lock = "/* pull::fail_chunk, lock */ select from pull where id = $1 for no key update";
        let sql = "/* pull::fail_chunk */
            with before as (
                select failed_stage from pull_chunk
                where pull_id = $1 and pulled_at = $2 and chunk = $3 and merged_at is null
                for no key update
            ), chunk as (
                update pull_chunk c set failed_stage = $4, failure = $5, failed_at = $6
                from before where c.pull_id = $1 and c.pulled_at = $2 and c.chunk = $3
            ), failed as (
                update pull set status = 'failed', completed_at = $6,
                    error = format('chunk %s at %s: %s', $3::int, $4::text, $5::text)
                from before where id = $1 and status not in ('success', 'failed')
                returning id
            )
            select exists (select from failed) or coalesce(before.failed_stage = $4, false) as failed from before";
        let mut client = self.client().await?;
        let transaction = dead_letter::lock_dead_letter_tables(&mut client).await?;
        let key = (chunk.pull_id.0, chunk.pulled_at, chunk.chunk);
        let statement = transaction.prepare_cached(lock).await?;
        transaction.execute(&statement, &[&key.0]).await?;
        let statement = transaction.prepare_cached(sql).await?;
        let stage = &dead_letter.stage;
        let row = transaction.query_opt(&statement, &[&key.0, &key.1, &key.2, stage, &failure, &now]).await?;
        dead_letter::failed(&transaction, dead_letter).await?;
        transaction.commit().await?;
        row.map_or(Ok(false), |row| row.column("failed"))
    }

    /// The event of a pull that has come to its end; none while it is under way.
    pub async fn closed(&self, pull: PullId) -> Result<Option<PullClosed>, Error> {
        let sql = format!("/* pull::closed */ {EVENT}");
        let client = self.client().await?;
        let pulled_at = started_at(&client, pull).await?;
        let statement = client.prepare_cached(&sql).await?;
        client.query_opt(&statement, &[&pull.0, &pulled_at]).await?.map(|row| event(&row)).transpose()
    }

    /// The pulls that came to their end since then.
    pub async fn closed_since(&self, since: DateTime<Utc>) -> Result<Vec<PullClosed>, Error> {
        let ended = "/* pull::closed_since */
            select id, started_at from pull where completed_at >= $1 order by completed_at";
        let sql = format!("/* pull::closed_since, event */ {EVENT}");
        let client = self.client().await?;
        let mut closed = Vec::new();
        for row in client.query(ended, &[&since]).await? {
            let (id, pulled_at): (i64, DateTime<Utc>) = (row.column("id")?, row.column("started_at")?);
            closed.extend(
                client.query_opt(&sql, &[&id, &pulled_at]).await?.map(|row| event(&row)).transpose()?,
            );
        }
        Ok(closed)
    }
}

fn event(row: &Row) -> Result<PullClosed, Error> {
    let success = row.column::<&str>("status")? == PullStatus::Success.as_str();
    Ok(PullClosed {
        pull_id: PullId(row.column("id")?),
        status: if success { PullStatus::Success } else { PullStatus::Failed },
        slot: row.column("slot")?,
        requested_by: row.column("requested_by")?,
        started_at: row.column("started_at")?,
        extracted_at: row.column("extracted_at")?,
        completed_at: row.column("completed_at")?,
        stop_reason: row.column::<Option<&str>>("stop_reason")?.and_then(StopReason::from_name),
        pages: row.column("pages")?,
        fetched: row.column("fetched")?,
        stored: row.column("stored")?,
        rejected: row.column("rejected")?,
        duplicates: row.column("duplicates")?,
        games_added: row.column("games_added")?,
        games_missing: row.column("games_missing")?,
        channels_filled: row.column("channels_filled")?,
        channels_missing: row.column("channels_missing")?,
        helix_calls: row.column("helix_calls")?,
        error: row.column("error")?,
        whole: row.column("whole")?,
    })
}
