//! What a chunk still needs: the ids of its streams' games and channels, but for those that are known and fresh.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Error, Kind, Store,
    chunk::{Keys, keys},
    column::Columns,
};
use crate::schema::ChunkRef;

/// Most ids that are remembered: 25 bytes each.
const MOST_REMEMBERED: usize = 200_000;
/// How long before all is asked anew: somebody may have removed rows, or a standby may have lost the last of them.
const REMEMBERED_FOR: TimeDelta = TimeDelta::hours(1);

/// What a chunk needs before its stage is done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The ids that are not known, or not fresh, and were not asked for lately in vain. Each once.
    pub ids: Vec<String>,
}

/// What a process remembers of the catalogue, so that it need not ask again: when Twitch told of an id last. Made of what
/// was read or written there, hence never ahead of it.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    fetched: HashMap<u64, DateTime<Utc>>,
    /// When it was empty last.
    since: DateTime<Utc>,
}

impl Remembered {
    /// Remembers that Twitch told of these ids at that time.
    pub fn learn<'a>(&self, ids: impl IntoIterator<Item = &'a str>, at: DateTime<Utc>) {
        let fetched = &mut self.memory().fetched;
        for id in ids.into_iter().filter_map(|id| id.parse().ok()) {
            if fetched.len() >= MOST_REMEMBERED {
                fetched.clear();
            }
            fetched.insert(id, at);
        }
    }

    /// Forgets all, if it is time to ask anew.
    fn expire(&self, now: DateTime<Utc>) {
        let mut memory = self.memory();
        if (now - memory.since).abs() >= REMEMBERED_FOR {
            *memory = Memory { fetched: HashMap::new(), since: now };
        }
    }

    /// Whether Twitch has told of the id since that time.
    fn is_told_since(&self, id: &str, since: DateTime<Utc>) -> bool {
        id.parse().is_ok_and(|id: u64| self.memory().fetched.get(&id).is_some_and(|at| *at >= since))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ids of a chunk, and when it was stored.
struct ChunkIds {
    ids: Vec<String>,
    stored_at: DateTime<Utc>,
}

/// What the catalogue has of an id.
struct Entry {
    fetched_at: Option<DateTime<Utc>>,
    /// When Twitch was asked last in vain.
    asked_at: Option<DateTime<Utc>>,
}

/// The moment `age` before `now`; for an age beyond all time, the epoch.
fn before(now: DateTime<Utc>, age: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(age).ok().and_then(|age| now.checked_sub_signed(age)).unwrap_or_default()
}

impl Store {
    /// What each chunk still needs, in the order given; none for a chunk that is not there. Of what is `remembered` nothing
    /// is asked, and what is found is remembered.
    ///
    /// What is known is fresh for `max_age`; zero means always ask, which is: since this chunk was stored. An id asked for in
    /// vain is asked again after `retry_missing`.
    pub async fn needs(
        &self,
        kind: Kind,
        chunks: &[ChunkRef],
        remembered: &Remembered,
        max_age: Duration,
        retry_missing: Duration,
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<Need>>, Error> {
        remembered.expire(now);
        let (fresh, asked) = (before(now, max_age), before(now, retry_missing));
        let mut chunks = self.chunk_ids(kind, chunks).await?;
        for ChunkIds { ids, stored_at } in chunks.iter_mut().flatten() {
            let since = fresh.min(*stored_at);
            ids.retain(|id| !remembered.is_told_since(id, since));
        }
        let unsure: HashSet<&str> =
            chunks.iter().flatten().flat_map(|chunk| &chunk.ids).map(String::as_str).collect();
        let entries = self.entries(kind, &unsure.into_iter().collect::<Vec<_>>()).await?;
        for (id, entry) in &entries {
            if let Some(at) = entry.fetched_at {
                remembered.learn([id.as_str()], at);
            }
        }
        let need = |ChunkIds { ids, stored_at }: ChunkIds| {
            let (fresh, asked) = (fresh.min(stored_at), asked.min(stored_at));
            let lacks = |id: &String| {
                let Some(Entry { fetched_at, asked_at }) = entries.get(id) else { return true };
                fetched_at.is_none_or(|at| at < fresh) && asked_at.is_none_or(|at| at < asked)
            };
            Need { ids: ids.into_iter().filter(lacks).collect() }
        };
        Ok(chunks.into_iter().map(|chunk| chunk.map(need)).collect())
    }

    /// The ids of these chunks, in the order given.
    ///
    /// `limit 1` makes it look each chunk up by its key, whatever the planner believes of a day that has just begun.
    async fn chunk_ids(&self, kind: Kind, chunks: &[ChunkRef]) -> Result<Vec<Option<ChunkIds>>, Error> {
        let games = "/* need::chunk_ids, games */
            select w.place, c.game_ids as ids, c.stored_at
            from unnest($1::bigint[], $2::timestamptz[], $3::int[]) with ordinality w (pull_id, pulled_at, chunk, place)
            cross join lateral (
                select game_ids, stored_at from pull_chunk
                where pull_id = w.pull_id and pulled_at = w.pulled_at and chunk = w.chunk and pulled_at = any($4)
                limit 1) c";
        let channels = "/* need::chunk_ids, channels */
            select w.place, c.channel_ids as ids, c.stored_at
            from unnest($1::bigint[], $2::timestamptz[], $3::int[]) with ordinality w (pull_id, pulled_at, chunk, place)
            cross join lateral (
                select channel_ids, stored_at from pull_chunk
                where pull_id = w.pull_id and pulled_at = w.pulled_at and chunk = w.chunk and pulled_at = any($4)
                limit 1) c";
        let mut found: Vec<Option<ChunkIds>> = chunks.iter().map(|_| None).collect();
        // `= any('{}')` would leave no partition out.
        if chunks.is_empty() {
            return Ok(found);
        }
        let client = self.client().await?;
        let Keys { pulls, times, numbers, partitions } = keys(chunks);
        let statement = client.prepare_cached(by_kind(kind, games, channels)).await?;
        for row in client.query(&statement, &[&pulls, &times, &numbers, &partitions]).await? {
            let place = usize::try_from(row.column::<i64>("place")? - 1).unwrap_or(usize::MAX);
            if let Some(found) = found.get_mut(place) {
                *found = Some(ChunkIds { ids: row.column("ids")?, stored_at: row.column("stored_at")? });
            }
        }
        Ok(found)
    }

    /// What the catalogue has of these ids; each is looked up by its key.
    async fn entries(&self, kind: Kind, ids: &[&str]) -> Result<HashMap<String, Entry>, Error> {
        let games = "/* need::entries, games */
            select id, (select fetched_at from twitch_game where game_id = id) as fetched_at,
                   (select last_asked_at from missing_game where game_id = id) as asked_at
            from unnest($1::text[]) id";
        let channels = "/* need::entries, channels */
            select id, (select fetched_at from twitch_channel where channel_id = id) as fetched_at,
                   (select last_asked_at from missing_channel where channel_id = id) as asked_at
            from unnest($1::text[]) id";
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let client = self.client().await?;
        let statement = client.prepare_cached(by_kind(kind, games, channels)).await?;
        let rows = client.query(&statement, &[&ids]).await?;
        let entry = |row: &tokio_postgres::Row| {
            let entry = Entry { fetched_at: row.column("fetched_at")?, asked_at: row.column("asked_at")? };
            Ok((row.column("id")?, entry))
        };
        rows.iter().map(entry).collect()
    }

    /// So many games at most that chunks of this one's pull still need and nobody asks for, each with the first chunk that
    /// does: of the first chunks that have not all they need, whoever has them in hand. See [`Store::needs`].
    pub async fn lacking_games(
        &self,
        of: ChunkRef,
        most: usize,
        max_age: Duration,
        retry_missing: Duration,
        now: DateTime<Utc>,
    ) -> Result<Vec<(String, ChunkRef)>, Error> {
        let sql = "/* need::lacking_games */
            select id, min(c.chunk) as chunk
            from (select chunk, unnest(game_ids) as id, stored_at
                  from (select chunk, game_ids, stored_at from pull_chunk
                        where pull_id = $1 and pulled_at = $2 and games_at is null order by chunk limit 200) unfilled) c
            where not exists (select from twitch_game g where g.game_id = c.id and g.fetched_at >= least($4, c.stored_at))
              and not exists (select from missing_game m
                              where m.game_id = c.id and m.last_asked_at >= least($3, c.stored_at))
              and not exists (select from helix_claim h where h.kind = 'game' and h.id = c.id and h.expires_at >= $6)
            group by id order by 2, 1 limit $5";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let (fresh, asked) = (before(now, max_age), before(now, retry_missing));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows =
            client.query(&statement, &[&of.pull_id.0, &of.pulled_at, &asked, &fresh, &most, &now]).await?;
        let lacking = |row: &tokio_postgres::Row| {
            Ok((row.column("id")?, ChunkRef { chunk: row.column("chunk")?, ..of }))
        };
        rows.iter().map(lacking).collect()
    }
}

const fn by_kind(kind: Kind, games: &'static str, channels: &'static str) -> &'static str {
    match kind {
        Kind::Game => games,
        Kind::Channel => channels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_remembered_for_an_hour_and_no_longer_fresh_than_it_was() {
        let at = |minute: i64| DateTime::UNIX_EPOCH + TimeDelta::days(365) + TimeDelta::minutes(minute);
        let remembered = Remembered::default();
        remembered.expire(at(0));
        remembered.learn(["7", "not a number"], at(-30));
        assert!(remembered.is_told_since("7", at(-30)) && !remembered.is_told_since("7", at(-29)));
        assert!(
            !remembered.is_told_since("8", at(-30)) && !remembered.is_told_since("not a number", at(-30))
        );
        remembered.expire(at(59));
        assert!(remembered.is_told_since("7", at(-30)));
        remembered.expire(at(60));
        assert!(!remembered.is_told_since("7", at(-30)));
    }
}
