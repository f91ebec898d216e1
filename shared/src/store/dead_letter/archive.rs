//! Dead letters on their way out of their queues, back into them, and from one installation to another.

use chrono::{DateTime, Utc};
use tokio_postgres::{Row, types::ToSql};

use super::{
    filter::{CONDITION, DeadLetterFilter},
    record::{imported, lock_dead_letter_tables},
};
use crate::{
    dead_letter::{Archived, DeadLetter, MOST_GENERATIONS},
    store::{Error, Store, column::Columns},
};

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
            "/* archive::discard */
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
        self.change_dead_letter_tables(&sql, &parameters).await?.iter().map(archived).collect()
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
        let sql = "/* archive::restore */
            with chosen as (
                select id, state from dead_letter where id = any($1) and state in ('discarded', 'vanished')
                order by first_failed_at, id limit $2 for update
            ), restored as (
                update dead_letter d
                set state = case when generation >= $5 then 'held' else 'dead' end, state_at = $3, queued_at = $3
                from chosen where d.id = chosen.id
                returning d.id, d.letter, d.queue, d.properties, d.body
            ), noted as (
                insert into dead_letter_event (letter_id, at, by, event, detail)
                select id, $3, $4, 'restored', 'it was ' || state from chosen
            )
            select id, letter, queue, properties, body from restored order by id";
        let most = MOST_GENERATIONS;
        let rows = self.change_dead_letter_tables(sql, &[&ids, &limit, &now, &by, &most]).await?;
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
            "/* archive::export */
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
        dead_letters: &[DeadLetter],
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<Archived>, Error> {
        let mut client = self.client().await?;
        let transaction = lock_dead_letter_tables(&mut client).await?;
        let mut new = Vec::new();
        for dead_letter in dead_letters {
            if let Some(id) = imported(&transaction, dead_letter, by, now).await? {
                new.push(Archived {
                    id,
                    letter: dead_letter.letter.clone(),
                    queue: dead_letter.queue.clone(),
                    properties: dead_letter.properties.clone(),
                    body: dead_letter.body.clone(),
                });
            }
        }
        transaction.commit().await?;
        Ok(new)
    }
}
