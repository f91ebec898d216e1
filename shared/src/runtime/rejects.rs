//! The queue of rejected records, opened: each message is one page's rejects.

use std::ops::ControlFlow;

use lapin::message::Delivery;

use super::{
    look::{Look, look},
    publish::Publisher,
};
use crate::{
    failure::Failure,
    schema::{RecordsRejected, decode},
    topology::REJECTED,
};

/// The open queue. Dropping it gives back what was not taken.
pub struct Rejects {
    look: Look,
    found: Vec<(RecordsRejected, Delivery)>,
}

impl Rejects {
    /// Opens the queue and keeps the messages that `wanted` names; one that cannot be read is nobody's.
    pub(super) async fn open(
        publisher: Publisher,
        wanted: impl Fn(&RecordsRejected) -> bool,
    ) -> Result<Self, Failure> {
        let mut found = Vec::new();
        let see = |mut delivery: Delivery| {
            if let Ok(message) = decode::<RecordsRejected>(&delivery.data)
                && wanted(&message)
            {
                delivery.data = Vec::new();
                found.push((message, delivery));
            }
            ControlFlow::Continue(())
        };
        let look = look(publisher, REJECTED, see).await?;
        Ok(Self { look, found })
    }

    /// The messages wanted, in the queue's order.
    pub fn messages(&self) -> impl ExactSizeIterator<Item = &RecordsRejected> {
        self.found.iter().map(|(message, _)| message)
    }

    /// Takes the message at `place` out, for good once the queue is closed with [`Rejects::close`].
    pub async fn remove(&self, place: usize) -> Result<(), Failure> {
        if let Some((_, delivery)) = self.found.get(place) {
            self.look.take(delivery).await?;
        }
        Ok(())
    }

    /// Closes the queue; what was not removed goes back.
    pub async fn close(self) -> Result<(), Failure> {
        self.look.close().await
    }
}
