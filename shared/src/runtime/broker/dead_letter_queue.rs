//! A dead-letter queue, opened: dead letters in it can be read, sent back, and taken out.
//!
//! While it is open the queue is ours alone, and looks empty to others: keep it short.

use std::collections::HashSet;

use lapin::{BasicProperties, message::Delivery};

use super::{
    super::message::{dead_letter, headers},
    browser::{IN_USE, QueueBrowser},
    outgoing::Outgoing,
    publisher::Publisher,
};
use crate::{
    dead_letter::{DeadLetter, Replayed},
    failure::Failure,
    topology::StageInfo,
};

/// Most dead letters on a page, and the bytes of bodies after which it ends.
const PAGE: usize = 500;
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// A dead letter to be sent back.
#[derive(Debug)]
pub struct Resend {
    /// Its place among [`DeadLetterQueue::letters`].
    pub place: usize,
    /// The replay it is sent by.
    pub replayed: Replayed,
    /// What is sent instead of its own body, where somebody edited it.
    pub body: Option<Vec<u8>>,
}

/// An open dead-letter queue. Dropping it gives back what was not taken.
pub struct DeadLetterQueue {
    stage: StageInfo,
    publisher: Publisher,
    browser: QueueBrowser,
    found: Vec<Found>,
}

/// A dead letter in hand.
struct Found {
    dead_letter: DeadLetter,
    delivery_tag: u64,
    properties: BasicProperties,
}

impl DeadLetterQueue {
    /// Opens the dead-letter queue of a stage; nothing of it is read yet.
    pub(in crate::runtime) async fn open(publisher: Publisher, stage: StageInfo) -> Result<Self, Failure> {
        let browser = QueueBrowser::open(publisher.clone(), &stage.dead()).await?;
        Ok(Self { stage, publisher, browser, found: Vec::new() })
    }

    /// Reads on, until all dead letters of these names are found, and keeps them. What is not found by the end is not there.
    pub async fn find(&mut self, names: &HashSet<&str>) -> Result<(), Failure> {
        let mut missing = names.clone();
        while !missing.is_empty() {
            let Some(found) = self.next().await? else { break };
            if missing.remove(found.dead_letter.letter.as_str()) {
                self.found.push(found);
            }
        }
        Ok(())
    }

    /// Reads on, and keeps the next dead letters in the place of those read before: a page of bounded size. False at the end
    /// of the queue.
    pub async fn turn_page(&mut self) -> Result<bool, Failure> {
        self.found.clear();
        let mut bytes = 0;
        while self.found.len() < PAGE && bytes < PAGE_BYTES {
            let Some(found) = self.next().await? else { break };
            bytes += found.dead_letter.body.len();
            self.found.push(found);
        }
        Ok(!self.found.is_empty())
    }

    async fn next(&mut self) -> Result<Option<Found>, Failure> {
        let Some(delivery) = self.browser.next().await? else { return Ok(None) };
        let Delivery { delivery_tag, properties, data, .. } = delivery;
        let dead_letter =
            dead_letter::read(&properties, &data, self.stage.name, self.publisher.clock().now());
        Ok(Some(Found { dead_letter, delivery_tag, properties }))
    }

    /// The dead letters kept, in the queue's order.
    pub fn letters(&self) -> impl ExactSizeIterator<Item = &DeadLetter> {
        self.found.iter().map(|found| &found.dead_letter)
    }

    /// Publishes fresh messages made of dead letters, byte for byte, to `target`'s replay queue, confirmed. The dead letters stay
    /// where they are until [`DeadLetterQueue::remove`].
    pub async fn resend(&self, target: StageInfo, dead_letters: Vec<Resend>) -> Result<(), Failure> {
        let mut messages = Vec::with_capacity(dead_letters.len());
        for Resend { place, replayed, body } in dead_letters {
            let found = self.at(place)?;
            messages.push(Outgoing {
                exchange: String::new(),
                key: target.replay(),
                mandatory: true,
                properties: headers::replay(&found.properties, replayed),
                body: body.unwrap_or_else(|| found.dead_letter.body.clone()),
            });
        }
        Ok(self.publisher.publish(messages).await?)
    }

    /// Takes the dead letter at `place` out of its queue, for good once the queue is closed with [`DeadLetterQueue::close`].
    pub async fn remove(&self, place: usize) -> Result<(), Failure> {
        self.browser.take(self.at(place)?.delivery_tag).await
    }

    /// Closes the queue; what was not removed goes back. When this has succeeded, what was removed is gone.
    pub async fn close(self) -> Result<(), Failure> {
        self.browser.close().await
    }

    /// Whether a failure to open a queue means that somebody else has it open.
    pub fn is_in_use(failure: &Failure) -> bool {
        failure.code == IN_USE
    }

    fn at(&self, place: usize) -> Result<&Found, Failure> {
        let none =
            || Failure::permanent("dead_letters.place", format!("there is no dead letter at place {place}"));
        self.found.get(place).ok_or_else(none)
    }
}
