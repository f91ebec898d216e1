//! Tables `dead_letter`, `dead_letter_event`, `replay_letter`: dead letters as they are recorded, and what became of them.
//!
//! A dead letter is first a row, then a message. `queued_at` says since when its queue is known to have it: null from the
//! record until the broker has confirmed the message.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use deadpool_postgres::{ClientWrapper, Transaction};
use futures::future::BoxFuture;
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    dead_letter::{DeadLetter, DeadLetterStore, MOST_GENERATIONS, Replayed, Settled},
    failure::Failure,
    store::{Error, Store, column::Columns},
    version::VERSION,
};

impl DeadLetterStore for Store {
    fn record<'a>(&'a self, dead_letter: &'a DeadLetter) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let mut client = self.client().await?;
            let transaction = lock_dead_letter_tables(&mut client).await?;
            failed(&transaction, dead_letter).await?;
            transaction.commit().await.map_err(Error::from)?;
            Ok(())
        })
    }

    fn settle<'a>(&'a self, settled: &'a Settled, now: DateTime<Utc>) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { Ok(self.note_settled(settled, now).await?) })
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

    /// Notes what became of deliveries. What is already noted stays as it is.
    async fn note_settled(&self, settled: &Settled, now: DateTime<Utc>) -> Result<(), Error> {
        let queued = "/* record::settle, queued */
            update dead_letter set queued_at = $2 where letter = any($1) and queued_at is null";
        let replays = "/* record::settle, replays */
            with outcome as (
                update replay_letter r set outcome = 'done', outcome_at = $3, build = $4
                from unnest($1::bigint[], $2::bigint[]) handled (replay_id, letter_id)
                where r.replay_id = handled.replay_id and r.letter_id = handled.letter_id and r.outcome is null
                returning r.letter_id
            ), resolved as (
                update dead_letter set state = 'cured', state_at = $3
                from outcome where id = outcome.letter_id and state in ('replaying', 'replayed')
            )
            insert into dead_letter_event (letter_id, at, by, event, detail)
            select letter_id, $3, 'build ' || $4, 'done', 'its replay was handled' from outcome";
        let recovered = "/* record::settle, recovered */
            with resolved as (
                update dead_letter set state = 'cured', state_at = $2
                where letter = any($1) and state in ('dead', 'held') returning id
            )
            insert into dead_letter_event (letter_id, at, by, event, detail)
            select id, $2, 'build ' || $3, 'done', 'the message was delivered again, and handled' from resolved";
        if settled.is_empty() {
            return Ok(());
        }
        let (replay_ids, letter_ids): (Vec<i64>, Vec<i64>) =
            settled.replays.iter().map(|replayed| (replayed.replay_id, replayed.letter_id)).unzip();
        let mut client = self.client().await?;
        let transaction = lock_dead_letter_tables(&mut client).await?;
        if !settled.queued.is_empty() {
            let statement = transaction.prepare_cached(queued).await?;
            transaction.execute(&statement, &[&settled.queued, &now]).await?;
        }
        if !replay_ids.is_empty() {
            let statement = transaction.prepare_cached(replays).await?;
            transaction.execute(&statement, &[&replay_ids, &letter_ids, &now, &VERSION]).await?;
        }
        if !settled.recovered.is_empty() {
            let statement = transaction.prepare_cached(recovered).await?;
            transaction.execute(&statement, &[&settled.recovered, &now, &VERSION]).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Begins a transaction that writes the dead-letter store. They go one after another: what became of dead letters, how far
/// a replay of them got, and what a person asks for each touch many rows of several tables, in an order of their own, and
/// two of them at once would now and then wait for each other in a circle.
pub(in crate::store) async fn lock_dead_letter_tables(
    client: &mut ClientWrapper,
) -> Result<Transaction<'_>, Error> {
    let lock = "/* record::lock_dead_letter_tables */ select pg_advisory_xact_lock(hashtext('ledger'))";
    let transaction = client.transaction().await?;
    transaction.execute(lock, &[]).await?;
    Ok(transaction)
}

/// Records a dead letter that is about to be published.
pub(in crate::store) async fn failed(
    transaction: &Transaction<'_>,
    dead_letter: &DeadLetter,
) -> Result<(), Error> {
    record(transaction, &[dead_letter], dead_letter.last_failed_at, None).await?;
    Ok(())
}

/// What became of dead letters that were to be recorded, by their own names. Those in neither set were replayed or
/// discarded, and are told no news.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// Those that were not open, and are now.
    pub(super) new: HashSet<String>,
    /// Those that were open already.
    pub(super) open: HashSet<String>,
}

/// Dead letters as a table, from the JSON array that is the first parameter: bodies are Base64.
const GIVEN: &str = "json_to_recordset($1) as given (
    letter text, queue text, stage text, class text, code text, message text, causes text, fingerprint text,
    attempts int, first_failed_at timestamptz, last_failed_at timestamptz, build text, host text, generation int,
    replay_id bigint, letter_id bigint, message_id text, kind text, pull_id bigint, chunk int, properties jsonb,
    body text)";

/// Records dead letters; `found_at` is when they were seen in their queue, none if they are on their way there.
///
/// A dead letter that is recorded again while it is open is another copy of the same work. One that was replayed or
/// discarded is open again only if it failed later than what is recorded: news of a failure may arrive after all that
/// became of it.
pub(super) async fn record(
    transaction: &Transaction<'_>,
    dead_letters: &[&DeadLetter],
    now: DateTime<Utc>,
    found_at: Option<DateTime<Utc>>,
) -> Result<Recorded, Error> {
    let state = format!("case when given.generation >= {MOST_GENERATIONS} then 'held' else 'dead' end");
    let insert = format!(
        "/* record::record */
        with new as (
            insert into dead_letter (letter, queue, stage, class, code, message, causes, fingerprint, attempts,
                first_failed_at, last_failed_at, build, host, generation, message_id, kind, pull_id, chunk, properties,
                state, state_at, queued_at, seen_at, replay_of, body)
            select letter, queue, stage, class, code, message, causes, fingerprint, attempts,
                first_failed_at, last_failed_at, build, host, generation, message_id, kind, pull_id, chunk, properties,
                {state}, $2, $3, $3, (select id from dead_letter where id = given.letter_id), decode(body, 'base64')
            from {GIVEN}
            on conflict (letter) do nothing
            returning id, letter, stage, code
        ), noted as (
            insert into dead_letter_event (letter_id, at, by, event, detail) select id, $2, stage, 'died', code from new
        )
        select letter from new"
    );
    let again = format!(
        "/* record::record, again */
        with new as (
            update dead_letter d
            set queue = given.queue, stage = given.stage, class = given.class, code = given.code,
                message = given.message, causes = given.causes, fingerprint = given.fingerprint,
                attempts = given.attempts, first_failed_at = given.first_failed_at,
                last_failed_at = greatest(d.last_failed_at, given.last_failed_at), build = given.build,
                host = given.host, generation = given.generation, message_id = given.message_id, kind = given.kind,
                pull_id = given.pull_id, chunk = given.chunk, properties = given.properties, state = {state},
                state_at = $2, queued_at = $3, seen_at = $3, held_until = null,
                replay_of = (select id from dead_letter where id = given.letter_id)
            from {GIVEN}
            where d.letter = given.letter
              and ((d.state in ('replayed', 'cured', 'discarded', 'vanished') and given.last_failed_at > d.last_failed_at)
                   or (d.state = 'vanished' and $3::timestamptz is not null))
            returning d.id, d.letter, d.stage, d.code
        ), noted as (
            insert into dead_letter_event (letter_id, at, by, event, detail) select id, $2, stage, 'died', code from new
        )
        select letter from new"
    );
    let known = format!(
        "/* record::record, known */
        update dead_letter d set last_failed_at = greatest(d.last_failed_at, given.last_failed_at)
        from {GIVEN} where d.letter = given.letter and d.letter <> all($2)
        returning d.letter, d.state in ('dead', 'held', 'replaying') as open"
    );
    let given = Json(dead_letters);
    let mut recorded = Recorded::default();
    for sql in [insert, again] {
        let statement = transaction.prepare_cached(&sql).await?;
        for row in transaction.query(&statement, &[&given, &now, &found_at]).await? {
            recorded.new.insert(row.column("letter")?);
        }
    }
    let new: Vec<&str> = recorded.new.iter().map(String::as_str).collect();
    if new.len() < dead_letters.len() {
        let statement = transaction.prepare_cached(&known).await?;
        for row in transaction.query(&statement, &[&given, &new]).await? {
            if row.column("open")? {
                recorded.open.insert(row.column("letter")?);
            }
        }
    }
    for dead_letter in dead_letters {
        if let Some(replayed) = dead_letter.replayed {
            returned(transaction, replayed, dead_letter, now).await?;
        }
    }
    Ok(recorded)
}

/// Records a dead letter from elsewhere; its number, unless it is open already.
pub(super) async fn imported(
    transaction: &Transaction<'_>,
    dead_letter: &DeadLetter,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>, Error> {
    let open = "/* record::imported, open */
        select state in ('dead', 'held', 'replaying') as open from dead_letter where letter = $1 for update";
    let statement = transaction.prepare_cached(open).await?;
    match transaction.query_opt(&statement, &[&dead_letter.letter]).await? {
        Some(row) if row.column("open")? => return Ok(None),
        Some(_) => {
            let back = "/* record::imported, back */
                update dead_letter
                set state = case when $2 >= $5 then 'held' else 'dead' end, state_at = $3, queued_at = $3, properties = $4
                where letter = $1";
            let statement = transaction.prepare_cached(back).await?;
            let (generation, properties) = (dead_letter.generation, Json(&dead_letter.properties));
            let most = MOST_GENERATIONS;
            transaction
                .execute(&statement, &[&dead_letter.letter, &generation, &now, &properties, &most])
                .await?;
        }
        None => {
            record(transaction, &[dead_letter], now, Some(now)).await?;
        }
    }
    let number = "/* record::imported, number */ select id from dead_letter where letter = $1";
    let statement = transaction.prepare_cached(number).await?;
    let id = transaction.query_one(&statement, &[&dead_letter.letter]).await?.column("id")?;
    let event = "/* record::imported, event */
        insert into dead_letter_event (letter_id, at, by, event) values ($1, $2, $3, 'imported')";
    let statement = transaction.prepare_cached(event).await?;
    transaction.execute(&statement, &[&id, &now, &by]).await?;
    Ok(Some(id))
}

/// Notes that a replay failed again.
async fn returned(
    transaction: &Transaction<'_>,
    replayed: Replayed,
    dead_letter: &DeadLetter,
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
    let Replayed { replay_id, letter_id } = replayed;
    let DeadLetter { fingerprint, build, stage, .. } = dead_letter;
    transaction.execute(&statement, &[&replay_id, &letter_id, fingerprint, &now, build, stage]).await?;
    Ok(())
}
