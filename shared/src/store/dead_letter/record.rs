//! Tables `dead_letter`, `dead_letter_event`, `replay_letter`: the dead-letter store, as it is told.

use chrono::{DateTime, Utc};
use deadpool_postgres::{ClientWrapper, Transaction};
use futures::future::BoxFuture;
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    dead_letter::{DeadLetter, DeadLetterStore, Entry, MOST_GENERATIONS, Replayed},
    failure::Failure,
    store::{Error, Store, column::Columns},
};

impl DeadLetterStore for Store {
    fn record<'a>(&'a self, entries: &'a [Entry], now: DateTime<Utc>) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let mut client = self.client().await?;
            let transaction = lock_dead_letter_tables(&mut client).await?;
            for entry in entries {
                match entry {
                    Entry::Failed(letter) => {
                        died(&transaction, letter, now, false).await?;
                    }
                    Entry::Resolved { replayed, build, at } => {
                        resolved(&transaction, *replayed, build, *at).await?;
                    }
                }
            }
            transaction.commit().await.map_err(Error::from)?;
            Ok(())
        })
    }
}

impl Store {
    /// Carries one statement out that writes the dead-letter store.
    pub(super) async fn change_dead_letter_tables(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let mut client = self.client().await?;
        let transaction = lock_dead_letter_tables(&mut client).await?;
        let rows = transaction.query(sql, parameters).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    /// How many dead letters the dead-letter store has in each dead-letter queue.
    pub async fn dead_letters_by_queue(&self) -> Result<Vec<(String, i64)>, Error> {
        let sql = "/* record::by_queue */ select queue, letters from dead_letter_depth";
        let rows = self.client().await?.query(sql, &[]).await?;
        rows.iter().map(|row| Ok((row.column("queue")?, row.column("letters")?))).collect()
    }

    /// How many dead letters of each stage vanished from their queue since a time, and are still gone.
    pub async fn vanished_dead_letters(&self, since: DateTime<Utc>) -> Result<Vec<(String, i64)>, Error> {
        let sql = "/* record::vanished */
            select stage, count(*) as letters from dead_letter where state = 'vanished' and state_at >= $1
            group by stage order by stage";
        let rows = self.client().await?.query(sql, &[&since]).await?;
        rows.iter().map(|row| Ok((row.column("stage")?, row.column("letters")?))).collect()
    }
}

/// Begins a transaction that writes the dead-letter store. They go one after another: what came of dead letters, how far a replay of them
/// got, and what a person asks for each touch many rows of several tables, in an order of their own, and two of them at
/// once would now and then wait for each other in a circle.
pub(super) async fn lock_dead_letter_tables(client: &mut ClientWrapper) -> Result<Transaction<'_>, Error> {
    let lock = "/* record::lock_dead_letter_tables */ select pg_advisory_xact_lock(hashtext('ledger'))";
    let transaction = client.transaction().await?;
    transaction.execute(lock, &[]).await?;
    Ok(transaction)
}

/// What the dead-letter store knew of a letter.
pub(super) enum Known {
    /// Nothing, or that it did not lie there any more; it does now.
    New,
    /// That it lies there.
    Queued,
    /// That it was sent back or discarded, and this tells nothing newer.
    Settled,
}

/// Writes a dead letter down. `seen` says that it lies in its queue now; otherwise it was told that it died, maybe long ago.
///
/// A dead letter that is told again while it lies there is another copy of the same work. One that was replayed or discarded
/// lies there again only if it failed later than what is written: the news of a death may arrive after all that became
/// of it.
pub(super) async fn died(
    transaction: &Transaction<'_>,
    letter: &DeadLetter,
    now: DateTime<Utc>,
    seen: bool,
) -> Result<Known, Error> {
    let insert = "/* record::died */
        insert into dead_letter (letter, queue, stage, class, code, message, causes, fingerprint, attempts,
            first_failed_at, last_failed_at, build, host, generation, message_id, kind, pull_id, chunk, properties,
            state, state_at, replay_of, body)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
            (select id from dead_letter where id = $22), $23)
        on conflict (letter) do nothing
        returning id";
    let again = "/* record::died, again */
        update dead_letter d
        set queue = $2, stage = $3, class = $4, code = $5, message = $6, causes = $7, fingerprint = $8, attempts = $9,
            first_failed_at = $10, last_failed_at = greatest(d.last_failed_at, $11), build = $12, host = $13,
            generation = $14, message_id = $15, kind = $16, pull_id = $17, chunk = $18, properties = $19, state = $20,
            state_at = $21, held_until = null, replay_of = (select id from dead_letter where id = $22)
        where letter = $1 and ((state in ('replayed', 'cured', 'discarded', 'vanished') and $11 > d.last_failed_at)
                               or (state = 'vanished' and $23))
        returning id";
    let told = "/* record::died, told */
        update dead_letter d set last_failed_at = greatest(last_failed_at, $2) where letter = $1
        returning state in ('dead', 'held', 'replaying') as lies";
    let state = state_of(letter);
    let replay_of = letter.replayed.map(|replayed| replayed.letter_id);
    let properties = Json(&letter.properties);
    let facts: [&(dyn ToSql + Sync); 22] = [
        &letter.letter,
        &letter.queue,
        &letter.stage,
        &letter.class,
        &letter.code,
        &letter.message,
        &letter.causes,
        &letter.fingerprint,
        &letter.attempts,
        &letter.first_failed_at,
        &letter.last_failed_at,
        &letter.build,
        &letter.host,
        &letter.generation,
        &letter.message_id,
        &letter.kind,
        &letter.pull_id,
        &letter.chunk,
        &properties,
        &state,
        &now,
        &replay_of,
    ];
    let statement = transaction.prepare_cached(insert).await?;
    let mut row = transaction.query_opt(&statement, &and(&facts, &letter.body)).await?;
    if row.is_none() {
        let statement = transaction.prepare_cached(again).await?;
        row = transaction.query_opt(&statement, &and(&facts, &seen)).await?;
    }
    let known = if let Some(row) = row {
        event(transaction, row.column("id")?, now, &letter.stage, "died", &letter.code).await?;
        Known::New
    } else {
        let statement = transaction.prepare_cached(told).await?;
        let row = transaction.query_one(&statement, &[&letter.letter, &letter.last_failed_at]).await?;
        if row.column("lies")? { Known::Queued } else { Known::Settled }
    };
    if let Some(replayed) = letter.replayed {
        returned(transaction, replayed, letter, now).await?;
    }
    Ok(known)
}

fn and<'a>(facts: &[&'a (dyn ToSql + Sync)], last: &'a (dyn ToSql + Sync)) -> Vec<&'a (dyn ToSql + Sync)> {
    facts.iter().copied().chain([last]).collect()
}

/// Writes a dead letter from elsewhere down; its number, unless it lies there already.
pub(super) async fn imported(
    transaction: &Transaction<'_>,
    letter: &DeadLetter,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>, Error> {
    let lies = "/* record::imported, queued */
        select state in ('dead', 'held', 'replaying') as lies from dead_letter where letter = $1 for update";
    let statement = transaction.prepare_cached(lies).await?;
    match transaction.query_opt(&statement, &[&letter.letter]).await? {
        Some(row) if row.column("lies")? => return Ok(None),
        Some(_) => {
            let back = "/* record::imported, back */
                update dead_letter set state = $2, state_at = $3, properties = $4 where letter = $1";
            let state = state_of(letter);
            let statement = transaction.prepare_cached(back).await?;
            transaction
                .execute(&statement, &[&letter.letter, &state, &now, &Json(&letter.properties)])
                .await?;
        }
        None => {
            died(transaction, letter, now, false).await?;
        }
    }
    let number = "/* record::imported, number */ select id from dead_letter where letter = $1";
    let statement = transaction.prepare_cached(number).await?;
    let id = transaction.query_one(&statement, &[&letter.letter]).await?.column("id")?;
    event(transaction, id, now, by, "imported", "").await?;
    Ok(Some(id))
}

/// A dead letter of too many replays is held from the beginning.
fn state_of(letter: &DeadLetter) -> &'static str {
    if letter.generation >= MOST_GENERATIONS { "held" } else { "dead" }
}

/// Notes that a replay came back.
async fn returned(
    transaction: &Transaction<'_>,
    replayed: Replayed,
    letter: &DeadLetter,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "/* record::returned */
        with outcome as (
            update replay_letter r
            set outcome = case when d.fingerprint = $3 then 'returned-same' else 'returned-different' end,
                outcome_at = $4, build = $5
            from dead_letter d
            where d.id = r.letter_id and r.replay_id = $1 and r.letter_id = $2 and r.outcome is null
            returning r.letter_id, r.outcome)
        insert into dead_letter_event (letter_id, at, by, event, detail)
        select letter_id, $4, $6, outcome, $5 from outcome";
    let statement = transaction.prepare_cached(sql).await?;
    transaction
        .execute(
            &statement,
            &[
                &replayed.replay_id,
                &replayed.letter_id,
                &letter.fingerprint,
                &now,
                &letter.build,
                &letter.stage,
            ],
        )
        .await?;
    Ok(())
}

/// Notes that a replayed message was handled.
async fn resolved(
    transaction: &Transaction<'_>,
    replayed: Replayed,
    build: &str,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "/* record::resolved */
        with outcome as (
            update replay_letter set outcome = 'done', outcome_at = $3, build = $4
            where replay_id = $1 and letter_id = $2 and outcome is null
            returning letter_id
        ), letter as (
            update dead_letter set state = 'cured', state_at = $3
            from outcome where id = outcome.letter_id and state in ('replaying', 'replayed')
        )
        insert into dead_letter_event (letter_id, at, by, event, detail)
        select letter_id, $3, 'build ' || $4, 'done', 'its replay was handled' from outcome";
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, &[&replayed.replay_id, &replayed.letter_id, &at, &build]).await?;
    Ok(())
}

/// Adds a line to a dead letter's history.
pub(super) async fn event(
    transaction: &Transaction<'_>,
    letter_id: i64,
    at: DateTime<Utc>,
    by: &str,
    event: &str,
    detail: &str,
) -> Result<(), Error> {
    let sql = "/* record::event */
        insert into dead_letter_event (letter_id, at, by, event, detail) values ($1, $2, $3, $4, $5)";
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, &[&letter_id, &at, &by, &event, &detail]).await?;
    Ok(())
}
