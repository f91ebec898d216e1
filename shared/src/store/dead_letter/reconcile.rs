//! Table `dead_letter`, compared with what really is in a dead-letter queue, page by page.
//!
//! What was found is marked in the table (`seen_at`), so that nothing has to be remembered from page to page.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::record::{lock_dead_letter_tables, record};
use crate::{
    dead_letter::DeadLetter,
    store::{Error, Store, column::Columns},
};

/// What a page of a dead-letter queue had in it that the table did not expect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageComparison {
    /// How many dead letters were recorded that the table did not know, or believed to be gone.
    pub unknown: usize,
    /// Places of second copies of a dead letter: one is enough for one piece of work.
    pub copies: Vec<usize>,
    /// Places of dead letters that were replayed or discarded already: whoever did it was cut short, or the broker was,
    /// before they were out of their queue.
    pub left_over: Vec<usize>,
}

impl Store {
    /// How many dead letters each dead-letter queue should have: those that the broker has confirmed.
    pub async fn queued_dead_letters(&self) -> Result<HashMap<String, i64>, Error> {
        let sql = "/* reconcile::queued */
            select queue, count(*) as letters from dead_letter
            where state in ('dead', 'held', 'replaying') and queued_at is not null group by queue";
        let rows = self.client().await?.query(sql, &[]).await?;
        rows.iter().map(|row| Ok((row.column("queue")?, row.column("letters")?))).collect()
    }

    /// Compares a page of a queue with the table: records dead letters that it did not know, and names those that should
    /// not be in the queue. `since` is when reading the queue began: it tells one comparison from another.
    pub async fn compare_page(
        &self,
        queue: &str,
        since: DateTime<Utc>,
        page: &[&DeadLetter],
    ) -> Result<PageComparison, Error> {
        let sql = "/* reconcile::compare_page */
            update dead_letter set seen_at = $3, queued_at = coalesce(queued_at, $3)
            where letter = any($1) and queue = $2 and state in ('dead', 'held', 'replaying')
              and seen_at is distinct from $3
            returning letter";
        let names: Vec<&str> = page.iter().map(|dead_letter| dead_letter.letter.as_str()).collect();
        let mut client = self.client().await?;
        let transaction = lock_dead_letter_tables(&mut client).await?;
        let statement = transaction.prepare_cached(sql).await?;
        let mut expected: HashSet<String> = HashSet::with_capacity(page.len());
        for row in transaction.query(&statement, &[&names, &queue, &since]).await? {
            expected.insert(row.column("letter")?);
        }
        let mut result = PageComparison::default();
        let mut unexpected: HashMap<&str, (usize, &DeadLetter)> = HashMap::new();
        for (place, dead_letter) in page.iter().copied().enumerate() {
            let name = dead_letter.letter.as_str();
            if expected.remove(name) {
                // The first of its name.
            } else if names[..place].contains(&name) {
                result.copies.push(place);
            } else {
                unexpected.insert(name, (place, dead_letter));
            }
        }
        if !unexpected.is_empty() {
            let found: Vec<&DeadLetter> = unexpected.values().map(|(_, dead_letter)| *dead_letter).collect();
            let recorded = record(&transaction, &found, since, Some(since)).await?;
            result.unknown = recorded.new.len();
            for (name, (place, _)) in unexpected {
                if recorded.open.contains(name) {
                    result.copies.push(place);
                } else if !recorded.new.contains(name) {
                    result.left_over.push(place);
                }
            }
        }
        transaction.commit().await?;
        Ok(result)
    }

    /// Notes which dead letters should be in the queue and were on none of its pages: the broker dropped them, or somebody
    /// took them out with another tool. One that was never confirmed is missed after an hour: by then its message was
    /// delivered again, or had no id by which its row could be found. Returns how many.
    pub async fn note_vanished(&self, queue: &str, since: DateTime<Utc>) -> Result<usize, Error> {
        let sql = "/* reconcile::note_vanished */
            with gone as (
                update dead_letter set state = 'vanished', state_at = $2
                where queue = $1 and state in ('dead', 'held') and state_at < $2 and seen_at is distinct from $2
                  and (queued_at < $2 or (queued_at is null and last_failed_at < $2::timestamptz - interval '1 hour'))
                returning id)
            insert into dead_letter_event (letter_id, at, by, event, detail)
            select id, $2, 'reconciliation', 'vanished',
                   'it is no longer in its queue: the broker dropped it, or somebody took it out with another tool' from gone
            returning letter_id";
        Ok(self.change_dead_letter_tables(sql, &[&queue, &since]).await?.len())
    }
}
