//! Tables `twitch_game`, `missing_game`, `missing_channel`: what an answer of Twitch taught us; of channels, see
//! [`channel`](super::channel).

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;

use super::{Error, Kind, Store};
use crate::schema::{ChunkRef, Game, Missing};

/// How long a claim outlives the record of its answer: whoever looked a moment before must not ask again.
const CLAIM_GRACE: TimeDelta = TimeDelta::seconds(2);

impl Store {
    /// Keeps the answer to a question for games. `seen` is a chunk that needed it.
    pub async fn keep_games<'a>(
        &self,
        found: impl IntoIterator<Item = &'a Game> + Send,
        missing: &[Missing],
        seen: ChunkRef,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* catalogue::keep_games */
            with known as (delete from missing_game where game_id = any($1::text[]))
            insert into twitch_game (game_id, name, box_art_url, igdb_id, fetched_at, first_pull_id)
            select id, name, box_art_url, igdb_id, $5, $6
            from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as game (id, name, box_art_url, igdb_id)
            order by id
            on conflict (game_id) do update
            set name = excluded.name, box_art_url = excluded.box_art_url, igdb_id = excluded.igdb_id,
                fetched_at = excluded.fetched_at";
        let mut found: Vec<&Game> = found.into_iter().collect();
        found.sort_unstable_by_key(|game| &game.id);
        found.dedup_by_key(|game| &game.id);
        let ids = column(&found, |game| game.id.as_str());
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        if !found.is_empty() {
            let statement = transaction.prepare_cached(sql).await?;
            let names = column(&found, |game| game.name.as_str());
            let art = column(&found, |game| game.box_art_url.as_str());
            let igdb = column(&found, |game| game.igdb_id.as_str());
            transaction.execute(&statement, &[&ids, &names, &art, &igdb, &now, &seen.pull_id.0]).await?;
        }
        keep_missing(&transaction, Kind::Game, missing, now).await?;
        settle(&transaction, &ids, missing, now).await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn column<'a, T>(rows: &[&'a T], of: impl Fn(&'a T) -> &'a str) -> Vec<&'a str> {
    rows.iter().map(|row| of(row)).collect()
}

/// Records ids that have no game or channel, with when and where they were seen. Two replicas that ask for a channel at the
/// same time, because a message was delivered twice, have asked once.
pub(super) async fn keep_missing(
    transaction: &Transaction<'_>,
    kind: Kind,
    missing: &[Missing],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if missing.is_empty() {
        return Ok(());
    }
    let games = "/* catalogue::keep_missing, games */
        insert into missing_game as m (game_id, reason, first_missed_at, last_asked_at, pull_id, chunk)
        select id, reason, $5, $5, pull, chunk
        from unnest($1::text[], $2::text[], $3::bigint[], $4::int[]) as missed (id, reason, pull, chunk) order by id
        on conflict (game_id) do update
        set reason = excluded.reason, last_asked_at = excluded.last_asked_at, times = m.times + 1,
            pull_id = excluded.pull_id, chunk = excluded.chunk";
    let channels = "/* catalogue::keep_missing, channels */
        insert into missing_channel as m (channel_id, reason, first_missed_at, last_asked_at, pull_id, chunk)
        select id, reason, $5, $5, pull, chunk
        from unnest($1::text[], $2::text[], $3::bigint[], $4::int[]) as missed (id, reason, pull, chunk) order by id
        on conflict (channel_id) do update
        set reason = excluded.reason, last_asked_at = excluded.last_asked_at,
            times = m.times + (m.last_asked_at < $5::timestamptz - interval '1 minute')::int,
            pull_id = excluded.pull_id, chunk = excluded.chunk";
    let sql = match kind {
        Kind::Game => games,
        Kind::Channel => channels,
    };
    let statement = transaction.prepare_cached(sql).await?;
    let ids: Vec<&str> = missing.iter().map(|missing| missing.id.as_str()).collect();
    let reasons: Vec<&str> = missing.iter().map(|missing| missing.reason.as_str()).collect();
    let pulls: Vec<i64> = missing.iter().map(|missing| missing.seen.pull_id.0).collect();
    let chunks: Vec<i32> = missing.iter().map(|missing| missing.seen.chunk).collect();
    transaction.execute(&statement, &[&ids, &reasons, &pulls, &chunks, &now]).await?;
    Ok(())
}

/// Lets the claims on games run out.
async fn settle(
    transaction: &Transaction<'_>,
    found: &[&str],
    missing: &[Missing],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "/* catalogue::settle */
        with mine as (select kind, id from helix_claim where kind = $1 and id = any($2) order by id for no key update)
        update helix_claim c set expires_at = $3 from mine where c.kind = mine.kind and c.id = mine.id";
    let statement = transaction.prepare_cached(sql).await?;
    let ids: Vec<&str> =
        found.iter().copied().chain(missing.iter().map(|missing| missing.id.as_str())).collect();
    transaction.execute(&statement, &[&Kind::Game.as_str(), &ids, &(now + CLAIM_GRACE)]).await?;
    Ok(())
}
