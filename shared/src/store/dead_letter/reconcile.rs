//! Table `dead_letter`, compared with what really is in a dead-letter queue: page by page, so that memory is bounded
//! however many dead letters there are.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::record::{Known, died, lock_dead_letter_tables};
use crate::{
    dead_letter::DeadLetter,
    store::{Error, Store, column::Columns},
};

/// Rows read at once.
const PAGE: i64 = 1_000;

/// What was found in a dead-letter queue, from its first page to its last.
#[derive(Debug)]
pub struct QueueContents {
    queue: String,
    /// When the first page was read: what the table was told after that is not judged by it.
    since: DateTime<Utc>,
    /// The names of all that is there.
    names: HashSet<Box<str>>,
}

/// What a page of a dead-letter queue had in it that the table did not expect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageComparison {
    /// How many dead letters were recorded that the table did not know, or believed to be gone.
    pub unknown: u64,
    /// Places of second copies of a dead letter: one is enough for one piece of work.
    pub copies: Vec<usize>,
    /// Places of dead letters that were sent back or discarded already: whoever did it was cut short, or the broker was,
    /// before they were out of their queue.
    pub left_over: Vec<usize>,
}

impl QueueContents {
    /// Nothing yet of this queue, which is about to be read.
    pub fn nothing(queue: &str, since: DateTime<Utc>) -> Self {
        Self { queue: queue.to_owned(), since, names: HashSet::new() }
    }
}

impl Store {
    /// Compares a page of a queue with the table: records dead letters that it did not know, and names those that should
    /// not be in the queue any more.
    pub async fn compare_page(
        &self,
        found: &mut QueueContents,
        page: &[&DeadLetter],
    ) -> Result<PageComparison, Error> {
        let sql = "/* reconcile::compare_page */
            select letter from dead_letter
            where letter = any($1) and queue = $2 and state in ('dead', 'held', 'replaying')";
        let names: Vec<&str> = page.iter().map(|letter| letter.letter.as_str()).collect();
        let mut client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[&names, &found.queue]).await?;
        let mut expected: HashSet<String> = HashSet::with_capacity(rows.len());
        for row in &rows {
            expected.insert(row.column("letter")?);
        }
        let mut result = PageComparison::default();
        let mut unexpected = Vec::new();
        for (place, letter) in page.iter().enumerate() {
            if !found.names.insert(letter.letter.as_str().into()) {
                result.copies.push(place);
            } else if !expected.contains(&letter.letter) {
                unexpected.push((place, letter));
            }
        }
        if unexpected.is_empty() {
            return Ok(result);
        }
        let transaction = lock_dead_letter_tables(&mut client).await?;
        for (place, letter) in unexpected {
            match died(&transaction, letter, found.since, true).await? {
                Known::New => result.unknown += 1,
                Known::Queued => {}
                Known::Settled => result.left_over.push(place),
            }
        }
        transaction.commit().await?;
        Ok(result)
    }

    /// Notes which dead letters should be in the queue and were on none of its pages: somebody else's tool took them, or the
    /// broker dropped them. Returns how many.
    pub async fn note_vanished(&self, found: &QueueContents) -> Result<u64, Error> {
        let next = "/* reconcile::note_vanished, next */
            select id, letter, state in ('dead', 'held') and state_at < $3 as settled from dead_letter
            where queue = $1 and id > $2 and state in ('dead', 'held', 'replaying') order by id limit $4";
        let mut vanished = 0;
        let mut after = 0_i64;
        loop {
            let client = self.client().await?;
            let statement = client.prepare_cached(next).await?;
            let rows = client.query(&statement, &[&found.queue, &after, &found.since, &PAGE]).await?;
            drop(client);
            let Some(last) = rows.last() else { return Ok(vanished) };
            after = last.column("id")?;
            let mut gone: Vec<i64> = Vec::new();
            for row in &rows {
                let name: &str = row.column("letter")?;
                if row.column("settled")? && !found.names.contains(name) {
                    gone.push(row.column("id")?);
                }
            }
            if !gone.is_empty() {
                vanished += self.vanish(&gone, found.since).await?;
            }
        }
    }

    async fn vanish(&self, ids: &[i64], since: DateTime<Utc>) -> Result<u64, Error> {
        let sql = "/* reconcile::vanish */
            with gone as (
                update dead_letter set state = 'vanished', state_at = $2
                where id = any($1) and state in ('dead', 'held') and state_at < $2
                returning id)
            insert into dead_letter_event (letter_id, at, by, event, detail)
            select id, $2, 'finalizer', 'vanished',
                   'it is no longer in its queue: the broker dropped it, or somebody else''s tool took it' from gone
            returning letter_id";
        let rows = self.change_dead_letter_tables(sql, &[&ids, &since]).await?;
        Ok(rows.len() as u64)
    }
}
