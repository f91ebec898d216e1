//! Erasure: a channel is taken out of the database and the queues, and searched for afterwards. The files of a lake are the
//! exporter's to rewrite: it is given the same [`Scrubber`].
//!
//! What is counted stays, under pseudonyms that nobody can resolve, so that sums and distinct counts keep their values. Harmless
//! to repeat: what is erased already is not found. Cut short, it has erased a part, and a repetition erases the rest under another
//! pseudonym; names that only erased rows knew have to be given then.
//!
//! A message cannot be changed in its queue: one that names the channel is published again without it, and then taken out. Only the
//! dead-letter queues and the queue of rejected records are looked through: messages on their way carry keys of chunks alone,
//! and looking at them would spend their deliveries.

use crate::{
    failure::Failure,
    runtime::Announcer,
    schema::ChannelId,
    scrub::Scrubber,
    store::{Places, Store, TextColumn},
    topology::{REJECTED, STAGES, StageInfo},
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
}

impl Search {
    /// Learns the names of the channel.
    pub async fn prepare(store: &Store, erasure: &Erasure) -> Result<Self, Failure> {
        let mut names = store.channel_names(&erasure.channel).await?;
        names.extend(erasure.names.iter().cloned());
        let scrubber = Scrubber::new(erasure.channel.as_str(), names, !erasure.own_only);
        let scrubber = scrubber
            .ok_or_else(|| Failure::transient("erasure.random", "no random numbers are to be had"))?;
        Ok(Self { channel: erasure.channel.clone(), scrubber })
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
        let mut found = Places::new();
        for column in store.text_columns().await? {
            let rows = store.scrub_column(&column, &self.scrubber, false).await?;
            *found.entry(column.place()).or_default() += rows;
        }
        for queue in queues() {
            found.insert(
                queue.clone(),
                announcer
                    .edit_queue(
                        &queue,
                        false,
                        |body| self.scrubber.body(body),
                        |json| self.scrubber.json("properties", json),
                    )
                    .await?,
            );
        }
        found.retain(|_, rows| *rows > 0);
        Ok(found)
    }

    /// Erases it, and searches for it again. Where it is still found.
    pub async fn erase(&self, store: &Store, announcer: &Announcer) -> Result<Places, Failure> {
        let columns: Vec<TextColumn> = store.text_columns().await?;
        // First the rows of its own, which are found by its id, and last what its names are known from.
        store.erase_own_rows(&self.channel, &self.scrubber).await?;
        for column in &columns {
            store.scrub_column(column, &self.scrubber, true).await?;
        }
        for queue in queues() {
            announcer
                .edit_queue(
                    &queue,
                    true,
                    |body| self.scrubber.body(body),
                    |json| self.scrubber.json("properties", json),
                )
                .await?;
        }
        store.forget_channel(&self.channel).await?;
        self.count(store, announcer).await
    }
}

/// The queues whose messages can be looked at without harm.
fn queues() -> Vec<String> {
    STAGES.iter().map(StageInfo::dead).chain([REJECTED.to_owned()]).collect()
}
