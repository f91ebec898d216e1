//! Table `dead_letter`, as a person asks about it: which dead letters, which groups, one whole.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::{Row, types::ToSql};

use super::{Error, Store, column::Columns};
use crate::{
    ledger::{Archived, DeadLetter, MOST_GENERATIONS},
    version::Version,
};

/// Which dead letters are meant. Everything given must hold; nothing given means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DeadLetterFilter {
    /// These, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<i64>>,
    /// Of this stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Of this class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Of this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Of the group whose fingerprint begins so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// About this pull.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<i64>,
    /// About a chunk with this channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// About a chunk with this game.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game: Option<String>,
    /// That failed last at or after this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// That failed last before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// In one of these states; without it, those that lie in their queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub states: Option<Vec<String>>,
}

/// Every state a dead letter can be in.
pub const DEAD_LETTER_STATES: [&str; 7] =
    ["dead", "held", "replaying", "replayed", "cured", "discarded", "vanished"];

/// States of dead letters that lie in their queue.
const QUEUED: [&str; 3] = ["dead", "held", "replaying"];

/// The filter as a condition on `dead_letter d`; its parameters are `$1` to `$11`.
pub(super) const CONDITION: &str = "($1::bigint[] is null or d.id = any($1))
    and ($2::text is null or d.stage = $2) and ($3::text is null or d.class = $3) and ($4::text is null or d.code = $4)
    and ($5::text is null or starts_with(d.fingerprint, $5)) and ($6::bigint is null or d.pull_id = $6)
    and ($7::text is null or exists (select from pull_chunk c where c.pull_id = d.pull_id
         and (d.chunk is null or c.chunk = d.chunk) and $7 = any(c.channel_ids)))
    and ($8::text is null or exists (select from pull_chunk c where c.pull_id = d.pull_id
         and (d.chunk is null or c.chunk = d.chunk) and $8 = any(c.game_ids)))
    and ($9::timestamptz is null or d.last_failed_at >= $9) and ($10::timestamptz is null or d.last_failed_at < $10)
    and d.state = any($11)";

impl DeadLetterFilter {
    /// The states meant.
    pub(super) fn states(&self) -> Vec<String> {
        self.states.clone().unwrap_or_else(|| QUEUED.map(str::to_owned).to_vec())
    }

    /// The parameters of [`CONDITION`].
    pub(super) fn parameters<'a>(&'a self, states: &'a Vec<String>) -> Vec<&'a (dyn ToSql + Sync)> {
        vec![
            &self.ids,
            &self.stage,
            &self.class,
            &self.code,
            &self.fingerprint,
            &self.pull,
            &self.channel,
            &self.game,
            &self.since,
            &self.until,
            states,
        ]
    }
}

/// A dead letter in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterRow {
    /// Its number.
    pub id: i64,
    /// The queue it lies, or lay, in.
    pub queue: String,
    /// The stage that failed.
    pub stage: String,
    /// The failure's class.
    pub class: String,
    /// The failure's code.
    pub code: String,
    /// The failure in words.
    pub message: String,
    /// Its group.
    pub fingerprint: String,
    /// Attempts that failed.
    pub attempts: i32,
    /// When it failed first.
    pub first_failed_at: DateTime<Utc>,
    /// When it failed last.
    pub last_failed_at: DateTime<Utc>,
    /// The build that failed.
    pub build: String,
    /// Replays its message had behind it.
    pub generation: i32,
    /// The pull it is about.
    pub pull_id: Option<i64>,
    /// The chunk it is about.
    pub chunk: Option<i32>,
    /// What became of it.
    pub state: String,
}

/// Dead letters of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterGroup {
    /// What they have in common.
    pub fingerprint: String,
    /// The stage that failed.
    pub stage: String,
    /// The failure's class.
    pub class: String,
    /// The failure's code.
    pub code: String,
    /// How many.
    pub letters: i64,
    /// How many of them are held.
    pub held: i64,
    /// When the first failed.
    pub first_failed_at: DateTime<Utc>,
    /// When the last failed.
    pub last_failed_at: DateTime<Utc>,
    /// The number of the newest.
    pub sample: i64,
    /// Its failure in words.
    pub message: String,
    /// Who looks after it.
    pub owner: Option<String>,
    /// What is known about it.
    pub note: Option<String>,
}

/// A line of a dead letter's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// What.
    pub event: String,
    /// More.
    pub detail: String,
}

/// A dead letter, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterDetails {
    /// What a list shows.
    #[serde(flatten)]
    pub row: DeadLetterRow,
    /// Its own name, as in its header.
    pub letter: String,
    /// What caused the failure.
    pub causes: String,
    /// The host that failed.
    pub host: String,
    /// The message's id.
    pub message_id: String,
    /// The message's kind.
    pub kind: String,
    /// Its properties and headers.
    pub properties: Value,
    /// Its body.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// Until which build it is held.
    pub held_until: Option<String>,
    /// The dead letter whose replay came back as this one.
    pub replay_of: Option<i64>,
    /// What happened to it.
    pub events: Vec<DeadLetterEvent>,
}

const ROW: &str =
    "d.id, d.queue, d.stage, d.class, d.code, d.message, d.fingerprint, d.attempts, d.first_failed_at,
    d.last_failed_at, d.build, d.generation, d.pull_id, d.chunk, d.state";

fn row(row: &Row) -> Result<DeadLetterRow, Error> {
    Ok(DeadLetterRow {
        id: row.column("id")?,
        queue: row.column("queue")?,
        stage: row.column("stage")?,
        class: row.column("class")?,
        code: row.column("code")?,
        message: row.column("message")?,
        fingerprint: row.column("fingerprint")?,
        attempts: row.column("attempts")?,
        first_failed_at: row.column("first_failed_at")?,
        last_failed_at: row.column("last_failed_at")?,
        build: row.column("build")?,
        generation: row.column("generation")?,
        pull_id: row.column("pull_id")?,
        chunk: row.column("chunk")?,
        state: row.column("state")?,
    })
}

fn archived(row: &Row) -> Result<Archived, Error> {
    Ok(Archived {
        id: row.column("id")?,
        letter: row.column("letter")?,
        queue: row.column("queue")?,
        properties: row.column("properties")?,
        body: row.column("body")?,
    })
}

/// The dead letter in a row of [`Store::export_dead_letters`]; the replay it came from means nothing elsewhere.
fn whole(row: &Row) -> Result<DeadLetter, Error> {
    Ok(DeadLetter {
        letter: row.column("letter")?,
        queue: row.column("queue")?,
        stage: row.column("stage")?,
        class: row.column("class")?,
        code: row.column("code")?,
        message: row.column("message")?,
        causes: row.column("causes")?,
        fingerprint: row.column("fingerprint")?,
        attempts: row.column("attempts")?,
        first_failed_at: row.column("first_failed_at")?,
        last_failed_at: row.column("last_failed_at")?,
        build: row.column("build")?,
        host: row.column("host")?,
        generation: row.column("generation")?,
        message_id: row.column("message_id")?,
        kind: row.column("kind")?,
        pull_id: row.column("pull_id")?,
        chunk: row.column("chunk")?,
        properties: row.column("properties")?,
        body: row.column("body")?,
        replayed: None,
    })
}

impl Store {
    /// The dead letters meant, oldest first, a page at a time: at most `limit` after the dead letter numbered `after`.
    pub async fn letters(
        &self,
        filter: &DeadLetterFilter,
        after: i64,
        limit: i64,
    ) -> Result<Vec<DeadLetterRow>, Error> {
        let sql = format!(
            "/* letters::list */ select {ROW} from dead_letter d where {CONDITION} and d.id > $12 order by d.id limit $13"
        );
        let states = filter.states();
        let mut parameters = filter.parameters(&states);
        parameters.extend([&after as &(dyn ToSql + Sync), &limit]);
        self.client().await?.query(&sql, &parameters).await?.iter().map(row).collect()
    }

    /// How many dead letters are meant.
    pub async fn count_dead_letters(&self, filter: &DeadLetterFilter) -> Result<i64, Error> {
        let sql =
            format!("/* letters::count */ select count(*) as letters from dead_letter d where {CONDITION}");
        let states = filter.states();
        self.client().await?.query_one(&sql, &filter.parameters(&states)).await?.column("letters")
    }

    /// The groups of the dead letters meant, the largest first.
    pub async fn dead_letter_groups(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterGroup>, Error> {
        let sql = format!(
            "/* letters::groups */
            select g.fingerprint, s.stage, s.class, s.code, g.letters, g.held, g.first_failed_at, g.last_failed_at,
                   g.sample, s.message, n.owner, n.note
            from (select d.fingerprint, count(*) as letters, count(*) filter (where d.state = 'held') as held,
                         min(d.first_failed_at) as first_failed_at, max(d.last_failed_at) as last_failed_at,
                         max(d.id) as sample
                  from dead_letter d where {CONDITION} group by d.fingerprint) g
            join dead_letter s on s.id = g.sample
            left join dead_letter_note n on n.fingerprint = g.fingerprint
            order by g.letters desc, g.fingerprint"
        );
        let states = filter.states();
        let rows = self.client().await?.query(&sql, &filter.parameters(&states)).await?;
        let group = |row: &Row| {
            Ok(DeadLetterGroup {
                fingerprint: row.column("fingerprint")?,
                stage: row.column("stage")?,
                class: row.column("class")?,
                code: row.column("code")?,
                letters: row.column("letters")?,
                held: row.column("held")?,
                first_failed_at: row.column("first_failed_at")?,
                last_failed_at: row.column("last_failed_at")?,
                sample: row.column("sample")?,
                message: row.column("message")?,
                owner: row.column("owner")?,
                note: row.column("note")?,
            })
        };
        rows.iter().map(group).collect()
    }

    /// One dead letter, whole; none if there is no such number.
    pub async fn letter(&self, id: i64) -> Result<Option<DeadLetterDetails>, Error> {
        let sql = format!(
            "/* letters::one */
            select {ROW}, d.letter, d.causes, d.host, d.message_id, d.kind, d.properties, d.body, d.held_until, d.replay_of
            from dead_letter d where d.id = $1"
        );
        let history = "/* letters::one, history */
            select at, by, event, detail from dead_letter_event where letter_id = $1 order by seq";
        let client = self.client().await?;
        let Some(found) = client.query_opt(&sql, &[&id]).await? else { return Ok(None) };
        let events = client.query(history, &[&id]).await?;
        let event = |row: &Row| {
            Ok(DeadLetterEvent {
                at: row.column("at")?,
                by: row.column("by")?,
                event: row.column("event")?,
                detail: row.column("detail")?,
            })
        };
        Ok(Some(DeadLetterDetails {
            row: row(&found)?,
            letter: found.column("letter")?,
            causes: found.column("causes")?,
            host: found.column("host")?,
            message_id: found.column("message_id")?,
            kind: found.column("kind")?,
            properties: found.column("properties")?,
            body: found.column("body")?,
            held_until: found.column("held_until")?,
            replay_of: found.column("replay_of")?,
            events: events.iter().map(event).collect::<Result<_, Error>>()?,
        }))
    }

    /// Holds the dead letters meant: group commands pass them over, until a build of at least `until` is seen, or until
    /// somebody releases them. Returns how many.
    pub async fn hold_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        until: Option<&str>,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<usize, Error> {
        self.change_dead_letters(filter, &["dead", "held"], "held", until, by, now).await
    }

    /// Releases the held dead letters among those meant. Returns how many.
    pub async fn release_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<usize, Error> {
        self.change_dead_letters(filter, &["held"], "dead", None, by, now).await
    }

    async fn change_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        from: &[&str],
        to: &str,
        until: Option<&str>,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<usize, Error> {
        let sql = format!(
            "/* letters::change */
            with changed as (
                update dead_letter d set state = $12, state_at = $13, held_until = $14
                where {CONDITION} and d.state = any($15) returning id)
            insert into dead_letter_event (letter_id, at, by, event, detail)
            select id, $13, $16, case $12 when 'held' then 'held' else 'released' end, coalesce('until build ' || $14, '')
            from changed returning letter_id"
        );
        let states = filter.states();
        let mut parameters = filter.parameters(&states);
        parameters.extend([&to as &(dyn ToSql + Sync), &now, &until, &from, &by]);
        Ok(self.change_ledger(&sql, &parameters).await?.len())
    }

    /// Releases dead letters held until `build` or an older one, by the order of [`Version`]. Returns how many. Those held until
    /// something that is no version stay held.
    ///
    /// A prerelease is older than its release: `1.2.0-rc.1` releases nothing that is held until `1.2.0`. Who trusts the
    /// prerelease can hold until that.
    pub async fn release_for_build(&self, build: &Version, now: DateTime<Utc>) -> Result<usize, Error> {
        let held = "/* letters::held_until */
            select distinct held_until from dead_letter where state = 'held' and held_until is not null";
        let release = "/* letters::release_for_build */
            with released as (
                update dead_letter set state = 'dead', state_at = $2, held_until = null
                where state = 'held' and held_until = any($3) returning id)
            insert into dead_letter_event (letter_id, at, by, event, detail)
            select id, $2, 'finalizer', 'released', 'build ' || $1 || ' is here' from released returning letter_id";
        let rows = self.client().await?.query(held, &[]).await?;
        let mut reached: Vec<String> =
            rows.iter().map(|row| row.column("held_until")).collect::<Result<_, _>>()?;
        reached.retain(|until| until.parse::<Version>().is_ok_and(|until| until <= *build));
        if reached.is_empty() {
            return Ok(0);
        }
        Ok(self.change_ledger(release, &[&build.to_string(), &now, &reached]).await?.len())
    }

    /// Notes what is known about a group, and who looks after it; each kept where it is none.
    pub async fn note_group(
        &self,
        fingerprint: &str,
        note: Option<&str>,
        owner: Option<&str>,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* letters::note */
            insert into dead_letter_note as n (fingerprint, note, owner, by, at)
            values ($1, coalesce($2, ''), coalesce($3, ''), $4, $5)
            on conflict (fingerprint) do update
            set note = coalesce($2, n.note), owner = coalesce($3, n.owner), by = $4, at = $5";
        self.client().await?.execute(sql, &[&fingerprint, &note, &owner, &by, &now]).await?;
        Ok(())
    }

    /// Notes that the dead letters meant are discarded, oldest first and at most `limit`: they are kept here only. Returns
    /// them, without their bodies, so that they can be taken out of their queues.
    pub async fn discard_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        limit: i64,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<Archived>, Error> {
        let sql = format!(
            "/* letters::discard */
            with chosen as (
                select d.id from dead_letter d where {CONDITION} and d.state in ('dead', 'held')
                order by d.first_failed_at, d.id limit $12 for update
            ), discarded as (
                update dead_letter d set state = 'discarded', state_at = $13 from chosen where d.id = chosen.id
                returning d.id, d.letter, d.queue, d.properties
            ), noted as (
                insert into dead_letter_event (letter_id, at, by, event) select id, $13, $14, 'discarded' from discarded
            )
            select id, letter, queue, properties, ''::bytea as body from discarded"
        );
        let states = filter.states();
        let mut parameters = filter.parameters(&states);
        parameters.extend([&limit as &(dyn ToSql + Sync), &now, &by]);
        self.change_ledger(&sql, &parameters).await?.iter().map(archived).collect()
    }

    /// Notes that archived dead letters lie in their queues again: those of these numbers that were discarded or are gone, at
    /// most `limit`. Returns them, whole, so that they can be put there.
    pub async fn restore_dead_letters(
        &self,
        ids: &[i64],
        limit: i64,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<Archived>, Error> {
        let sql = "/* letters::restore */
            with chosen as (
                select id, state from dead_letter where id = any($1) and state in ('discarded', 'vanished')
                order by first_failed_at, id limit $2 for update
            ), restored as (
                update dead_letter d set state = case when generation >= $5 then 'held' else 'dead' end, state_at = $3
                from chosen where d.id = chosen.id
                returning d.id, d.letter, d.queue, d.properties, d.body
            ), noted as (
                insert into dead_letter_event (letter_id, at, by, event, detail)
                select id, $3, $4, 'restored', 'it was ' || state from chosen
            )
            select id, letter, queue, properties, body from restored order by id";
        let most = MOST_GENERATIONS;
        let rows = self.change_ledger(sql, &[&ids, &limit, &now, &by, &most]).await?;
        rows.iter().map(archived).collect()
    }

    /// The dead letters meant, whole, oldest first, a page at a time: at most `limit` after the dead letter numbered `after`.
    pub async fn export_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, DeadLetter)>, Error> {
        let sql = format!(
            "/* letters::export */
            select d.id, d.letter, d.queue, d.stage, d.class, d.code, d.message, d.causes, d.fingerprint, d.attempts,
                   d.first_failed_at, d.last_failed_at, d.build, d.host, d.generation, d.message_id, d.kind, d.pull_id,
                   d.chunk, d.properties, d.body
            from dead_letter d where {CONDITION} and d.id > $12 order by d.id limit $13"
        );
        let states = filter.states();
        let mut parameters = filter.parameters(&states);
        parameters.extend([&after as &(dyn ToSql + Sync), &limit]);
        let rows = self.client().await?.query(&sql, &parameters).await?;
        rows.iter().map(|row| Ok((row.column("id")?, whole(row)?))).collect()
    }

    /// Writes dead letters from elsewhere down as lying in their queues, but for those that lie there already. Returns those
    /// that are to be put there, with their numbers here.
    pub async fn import_dead_letters(
        &self,
        letters: &[DeadLetter],
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<Archived>, Error> {
        let mut client = self.client().await?;
        let transaction = super::letter::write_ledger(&mut client).await?;
        let mut new = Vec::new();
        for letter in letters {
            if let Some(id) = super::letter::imported(&transaction, letter, by, now).await? {
                new.push(Archived {
                    id,
                    letter: letter.letter.clone(),
                    queue: letter.queue.clone(),
                    properties: letter.properties.clone(),
                    body: letter.body.clone(),
                });
            }
        }
        transaction.commit().await?;
        Ok(new)
    }

    /// Adds a line to a dead letter's history.
    pub async fn note_dead_letter(
        &self,
        id: i64,
        by: &str,
        event: &str,
        detail: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* letters::note_letter */
            insert into dead_letter_event (letter_id, at, by, event, detail) values ($1, $2, $3, $4, $5)";
        self.client().await?.execute(sql, &[&id, &now, &by, &event, &detail]).await?;
        Ok(())
    }
}
