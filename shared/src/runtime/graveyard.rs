//! A dead-letter queue, opened: letters in it can be looked at, sent back, and taken out.
//!
//! While it is open the queue is ours alone, and looks empty to others: keep it short.

use std::{collections::HashSet, ops::ControlFlow};

use lapin::message::Delivery;

use super::{
    envelope, letter,
    look::{Look, look},
    publish::{Outgoing, Publisher},
};
use crate::{
    failure::{Class, Failure},
    ledger::{Letter, Replayed},
    topology::StageInfo,
};

/// Which letters of a queue are meant.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Those of these names; the look ends when all are found.
    Named(&'a HashSet<&'a str>),
    /// All; those of these names without their bodies, which are known.
    All {
        /// Names of letters whose bodies are not needed.
        known: &'a HashSet<String>,
    },
}

/// A letter to be sent back.
#[derive(Debug)]
pub struct Resend {
    /// Its place among [`Graveyard::letters`].
    pub place: usize,
    /// The replay it is sent by.
    pub replayed: Replayed,
    /// What is sent instead of its own body, where somebody edited it.
    pub body: Option<Vec<u8>>,
}

/// An open dead-letter queue. Dropping it gives back what was not taken.
pub struct Graveyard {
    queue: String,
    publisher: Publisher,
    look: Look,
    found: Vec<(Letter, Delivery)>,
}

impl Graveyard {
    /// Opens the dead-letter queue of a stage and reads what is wanted of it.
    pub(super) async fn open(
        publisher: Publisher,
        stage: StageInfo,
        wanted: Wanted<'_>,
    ) -> Result<Self, Failure> {
        let queue = stage.dead();
        let mut found: Vec<(Letter, Delivery)> = Vec::new();
        let mut missing: HashSet<&str> = match wanted {
            Wanted::Named(names) => names.clone(),
            Wanted::All { .. } => HashSet::new(),
        };
        let see = |mut delivery: Delivery| {
            let mut letter = letter::read(&delivery, stage.name, publisher.clock().now());
            // Held once, in the letter.
            delivery.data = Vec::new();
            match wanted {
                Wanted::Named(_) => {
                    if missing.remove(letter.letter.as_str()) {
                        found.push((letter, delivery));
                    }
                    if missing.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                }
                Wanted::All { known } => {
                    if known.contains(&letter.letter) {
                        letter.body = Vec::new();
                    }
                    found.push((letter, delivery));
                    ControlFlow::Continue(())
                }
            }
        };
        let look = look(publisher.clone(), &queue, see).await?;
        Ok(Self { queue, publisher, look, found })
    }

    /// The letters wanted that lie in it, in the queue's order.
    pub fn letters(&self) -> impl ExactSizeIterator<Item = &Letter> {
        self.found.iter().map(|(letter, _)| letter)
    }

    /// Publishes fresh messages made of letters, byte for byte, to `target`'s replay queue, confirmed. The letters stay
    /// where they are until [`Graveyard::remove`].
    pub async fn resend(&self, target: StageInfo, letters: Vec<Resend>) -> Result<(), Failure> {
        let mut messages = Vec::with_capacity(letters.len());
        for Resend { place, replayed, body } in letters {
            let (letter, delivery) = self.at(place)?;
            messages.push(Outgoing {
                exchange: String::new(),
                key: target.replay(),
                mandatory: true,
                properties: envelope::replay(&delivery.properties, replayed),
                body: body.unwrap_or_else(|| letter.body.clone()),
            });
        }
        Ok(self.publisher.publish(messages).await?)
    }

    /// Takes the letter at `place` out of its queue, for good once the queue is closed with [`Graveyard::close`].
    pub async fn remove(&self, place: usize) -> Result<(), Failure> {
        let (_, delivery) = self.at(place)?;
        if self.look.take(delivery).await? { Ok(()) } else { Err(gone(&self.queue)) }
    }

    /// Closes the queue; what was not removed goes back. When this has succeeded, what was removed is gone.
    pub async fn close(self) -> Result<(), Failure> {
        self.look.close().await
    }

    fn at(&self, place: usize) -> Result<&(Letter, Delivery), Failure> {
        self.found.get(place).ok_or_else(|| gone(&self.queue))
    }
}

fn gone(queue: &str) -> Failure {
    Failure::new(
        Class::Outage,
        "dead_letters.gone",
        format!("{queue} gave a letter back while it was looked at"),
    )
}
