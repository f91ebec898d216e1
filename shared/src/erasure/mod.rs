//! Erasure: a channel is taken out of the database and the queues, and searched for afterwards. The files of a lake are the
//! exporter's to rewrite: it is given the same [`Scrubber`].
//!
//! What is counted stays, under pseudonyms that nobody can resolve, so that sums and distinct counts keep their values. What the
//! erasure knows the channel by, and the key of the pseudonyms, are in the database from before the first change until the end:
//! whoever repeats an erasure that was cut short goes on with the same one. What is erased already is not found again.
//!
//! The search afterwards ([`Needles`]) judges by other rules than what took the channel out.

mod queues;

use chrono::{DateTime, Utc};

use crate::{
    failure::Failure,
    proof::{Leftovers, Needles},
    runtime::Announcer,
    schema::ChannelId,
    scrub::Scrubber,
    store::{Begun, Places, Rewrite, Store},
};

/// Which channel, and how far.
#[derive(Debug, Clone)]
pub struct Erasure {
    /// The channel.
    pub channel: ChannelId,
    /// Names that it had and that the database does not know.
    pub names: Vec<String>,
    /// Whether titles, tags and descriptions of others stay as they are.
    pub own_only: bool,
}

/// A channel that is about to be erased, with all its names.
#[derive(Debug)]
pub struct Search {
    channel: ChannelId,
    scrubber: Scrubber,
    /// The erasure of it that was begun before, and did not end.
    begun: Option<Begun>,
}

impl Search {
    /// Learns the names of the channel, those too that an erasure of before has taken out already.
    pub async fn prepare(store: &Store, erasure: &Erasure) -> Result<Self, Failure> {
        let begun = store.begun_erasure(&erasure.channel).await?;
        let mut names = store.channel_names(&erasure.channel).await?;
        names.extend(erasure.names.iter().cloned());
        let mentions = !erasure.own_only;
        let scrubber = match &begun {
            Some(begun) => begun.scrubber.clone().with_mentions(mentions).also(names),
            None => Scrubber::new(erasure.channel.as_str(), names, mentions)
                .ok_or_else(|| Failure::transient("erasure.random", "no random numbers are to be had"))?,
        };
        Ok(Self { channel: erasure.channel.clone(), scrubber, begun })
    }

    /// What knows the channel, and what to put in its place.
    pub fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// The same search, for these names too.
    #[must_use]
    pub fn also(self, names: Vec<String>) -> Self {
        Self { scrubber: self.scrubber.also(names), ..self }
    }

    /// Counts where the channel is found. Changes nothing.
    pub async fn count(&self, store: &Store, announcer: &Announcer) -> Result<Places, Failure> {
        let needles = self.needles();
        let mut counts = queues::count(announcer, &self.scrubber).await?;
        for table in store.tables().await? {
            for (place, rows) in store.count_in_table(&table, self.rewrite(&needles)).await? {
                *counts.entry(place).or_default() += rows;
            }
        }
        Ok(counts)
    }

    /// Notes that the erasure begins, or is gone on with, and what it needs for that; nothing was changed before.
    pub async fn begin(self, store: &Store, by: &str, now: DateTime<Utc>) -> Result<Underway, Failure> {
        let begun = match self.begun {
            Some(begun) => begun,
            None => store.begin_erasure(by, &self.channel, &self.scrubber, now).await?,
        };
        // Another may have begun it just now.
        let scrubber =
            begun.scrubber.also(self.scrubber.names().to_vec()).with_mentions(self.scrubber.takes_mentions());
        store.note_subject(begun.id, &scrubber).await?;
        let search = Self { channel: self.channel, scrubber, begun: None };
        Ok(Underway { id: begun.id, search, counts: begun.counts })
    }

    fn needles(&self) -> Needles {
        needles(&self.scrubber)
    }

    fn rewrite<'a>(&'a self, needles: &'a Needles) -> Rewrite<'a> {
        Rewrite { scrubber: &self.scrubber, needles }
    }
}

/// What to look for where this was to take it out.
pub fn needles(scrubber: &Scrubber) -> Needles {
    Needles::new(scrubber.id(), scrubber.names(), !scrubber.takes_mentions())
}

/// An erasure that is noted in the database: wherever it is cut short, a repetition goes on with it.
#[derive(Debug)]
pub struct Underway {
    id: i64,
    search: Search,
    /// Rows and messages that it has changed, also before it was cut short.
    counts: Places,
}

impl Underway {
    /// What knows the channel, and what to put in its place.
    pub fn scrubber(&self) -> &Scrubber {
        &self.search.scrubber
    }

    /// Rows and messages that it has changed so far.
    pub fn counts(&self) -> &Places {
        &self.counts
    }

    /// Notes where else the channel was, and how often.
    pub async fn note(&mut self, store: &Store, elsewhere: Places) -> Result<(), Failure> {
        for (place, rows) in elsewhere {
            self.counts.entry(place).or_insert(rows);
        }
        Ok(store.note_erased(self.id, &self.counts).await?)
    }

    /// Takes the channel out of the queues and the database.
    pub async fn erase(&mut self, store: &Store, announcer: &Announcer) -> Result<(), Failure> {
        // Messages first: what they say of a failure is written to the database where one of them fails again.
        for (queue, messages) in queues::erase(announcer, &self.search.scrubber).await? {
            *self.counts.entry(queue).or_default() += messages;
        }
        store.note_erased(self.id, &self.counts).await?;
        let tables = store.tables().await?;
        let needles = self.search.needles();
        for table in &tables {
            store.rewrite_table(table, self.search.rewrite(&needles), self.id, &mut self.counts).await?;
        }
        Ok(store.forget_claims(&self.search.channel).await?)
    }

    /// Frees what is left of rows as they were, and searches the database and the queues.
    pub async fn prove(&self, store: &Store, announcer: &Announcer) -> Result<Leftovers, Failure> {
        let needles = self.search.needles();
        let tables = store.tables().await?;
        store.vacuum_after_erasure(&tables, &self.counts, &needles).await?;
        let mut left = queues::prove(announcer, &needles).await?;
        for table in &tables {
            left.extend(store.prove_table(table, &needles).await?);
        }
        left.extend(store.prove_statistics(&needles).await?);
        Ok(left)
    }

    /// Ends the erasure: whose it was is forgotten with it.
    pub async fn end(self, store: &Store, left: &Leftovers, now: DateTime<Utc>) -> Result<(), Failure> {
        Ok(store.end_erasure(self.id, left, now).await?)
    }

    /// Leaves it to be gone on with, and notes where the channel still is.
    pub async fn leave(self, store: &Store, left: &Leftovers) -> Result<(), Failure> {
        Ok(store.note_leftovers(self.id, left).await?)
    }
}
