//! The queue of rejected records, opened: each message is one page's rejects.

use super::{browser::QueueBrowser, publisher::Publisher};
use crate::{
    failure::Failure,
    schema::{RecordsRejected, decode},
    topology::REJECTED,
};

/// The open queue. Dropping it gives back what was not taken.
pub struct Rejects {
    browser: QueueBrowser,
    found: Vec<(RecordsRejected, u64)>,
}

impl Rejects {
    /// Opens the queue and keeps the messages that `wanted` names; one that cannot be read is nobody's.
    pub(in crate::runtime) async fn open(
        publisher: Publisher,
        wanted: impl Fn(&RecordsRejected) -> bool,
    ) -> Result<Self, Failure> {
        let mut browser = QueueBrowser::open(publisher, REJECTED).await?;
        let mut found = Vec::new();
        while let Some(delivery) = browser.next().await? {
            if let Ok(message) = decode::<RecordsRejected>(&delivery.data)
                && wanted(&message)
            {
                found.push((message, delivery.delivery_tag));
            }
        }
        Ok(Self { browser, found })
    }

    /// The messages wanted, in the queue's order.
    pub fn messages(&self) -> impl ExactSizeIterator<Item = &RecordsRejected> {
        self.found.iter().map(|(message, _)| message)
    }

    /// Takes the message at `place` out, for good once the queue is closed with [`Rejects::close`].
    pub async fn remove(&self, place: usize) -> Result<(), Failure> {
        if let Some((_, delivery_tag)) = self.found.get(place) {
            self.browser.take(*delivery_tag).await?;
        }
        Ok(())
    }

    /// Closes the queue; what was not removed goes back.
    pub async fn close(self) -> Result<(), Failure> {
        self.browser.close().await
    }
}
