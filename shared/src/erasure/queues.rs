//! A channel in messages: in every queue of the topology, in their bodies and in their headers, which quote the last failure.
//!
//! A message cannot be changed in its queue: one that names the channel is published again without it, and then taken out. A message
//! that a worker has in hand is not seen; it is gone when it is handled, and one that fails says why anew.

use crate::{
    failure::Failure,
    proof::{Found, Holds, Leftovers, Needles},
    runtime::{Announcer, QueuedMessage},
    scrub::Scrubber,
    store::Places,
};

/// Counts the messages that name the channel, by queue.
pub(super) async fn count(announcer: &Announcer, scrubber: &Scrubber) -> Result<Places, Failure> {
    each(announcer, |message| without(scrubber, message).is_some(), None).await
}

/// Takes the channel out of all messages; how many named it, by queue.
pub(super) async fn erase(announcer: &Announcer, scrubber: &Scrubber) -> Result<Places, Failure> {
    each(announcer, |_| false, Some(scrubber)).await
}

async fn each(
    announcer: &Announcer,
    names_it: impl Fn(&QueuedMessage) -> bool,
    scrubber: Option<&Scrubber>,
) -> Result<Places, Failure> {
    let mut counts = Places::new();
    for queue in announcer.all_queues().await? {
        let mut messages = 0;
        let edit = |message: &QueuedMessage| {
            let new = scrubber.and_then(|scrubber| without(scrubber, message));
            messages += i64::from(new.is_some() || names_it(message));
            new
        };
        announcer.edit_queue(&queue, edit).await?;
        if messages > 0 {
            counts.insert(queue.name, messages);
        }
    }
    Ok(counts)
}

/// Searches all messages for what is left, by queue.
pub(super) async fn prove(announcer: &Announcer, needles: &Needles) -> Result<Leftovers, Failure> {
    let mut left = Leftovers::default();
    for queue in announcer.all_queues().await? {
        announcer
            .edit_queue(&queue, |message| {
                let properties = message.properties.to_string();
                let parts = [("body", &message.body[..]), ("properties", properties.as_bytes())];
                let found: Vec<Found> =
                    parts.iter().filter_map(|(name, part)| needles.find(name, Holds::Text, part)).collect();
                left.note(&queue.name, found.into_iter().reduce(Found::or));
                None
            })
            .await?;
    }
    Ok(left)
}

/// A message without the channel; none where it has nothing of it.
fn without(scrubber: &Scrubber, message: &QueuedMessage) -> Option<QueuedMessage> {
    let body = scrubber.body(&message.body);
    let mut properties = message.properties.clone();
    let changed = scrubber.json("properties", &mut properties);
    (changed || body.is_some())
        .then(|| QueuedMessage { body: body.unwrap_or_else(|| message.body.clone()), properties })
}
