//! Changing messages in a queue: each that changes is published again, confirmed, and then taken out. A crash in between leaves
//! both, and doing it again takes the old one out.
//!
//! A classic queue is browsed, and what does not change stays where it is. A quorum queue counts each look at a message as a
//! delivery, of which a message has only so many: there every message is published again, so that none is spent. It waits in a retry
//! queue from the start then.

use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicGetOptions},
    types::AMQPValue,
};
use serde_json::Value;

use super::{
    super::message::{
        dead_letter,
        headers::{self, header},
        properties_json,
    },
    browser::QueueBrowser,
    depth::look_at,
    outgoing::Outgoing,
    publisher::Publisher,
};
use crate::{
    failure::Failure,
    topology::{Queue, all_stages},
};

/// Messages that are published at once.
const BATCH: usize = 100;

/// A message in a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedMessage {
    /// Its body.
    pub body: Vec<u8>,
    /// Its properties and headers, as JSON.
    pub properties: Value,
}

/// Hands every message of `queue` over, which `edit` makes another of, or none where it stays as it is.
pub(in crate::runtime) async fn edit(
    publisher: &Publisher,
    queue: &Queue,
    mut edit: impl FnMut(&QueuedMessage) -> Option<QueuedMessage>,
) -> Result<(), Failure> {
    let name = queue.name.as_str();
    if !queue.is_classic() {
        return rotate(publisher, name, edit).await;
    }
    let mut browser = QueueBrowser::open(publisher.clone(), name).await?;
    while let Some(delivery) = browser.next().await? {
        let Some(new) = edit(&read(&delivery)) else { continue };
        publisher.publish(vec![edited(publisher, name, &delivery, new)?]).await?;
        browser.take(delivery.delivery_tag).await?;
    }
    browser.close().await
}

/// The same for a queue whose messages cannot be looked at without harm.
async fn rotate(
    publisher: &Publisher,
    queue: &str,
    mut edit: impl FnMut(&QueuedMessage) -> Option<QueuedMessage>,
) -> Result<(), Failure> {
    let connection = publisher.connection();
    let channel = connection.ask(connection.amqp().create_channel()).await??;
    let mut left = connection.ask(look_at(&channel, queue)).await??.message_count();
    while left > 0 {
        let (mut messages, mut tags) = (Vec::new(), Vec::new());
        while left > 0 && messages.len() < BATCH {
            left -= 1;
            let got = channel.basic_get(headers::short(queue), BasicGetOptions::default());
            let Some(message) = connection.ask(got).await?? else {
                left = 0;
                break;
            };
            let delivery = message.delivery;
            tags.push(delivery.delivery_tag);
            messages.push(match edit(&read(&delivery)) {
                Some(new) => edited(publisher, queue, &delivery, new)?,
                None => outgoing(queue, headers::again(&delivery.properties), delivery.data),
            });
        }
        publisher.publish(messages).await?;
        for tag in tags {
            connection.ask(channel.basic_ack(tag, BasicAckOptions::default())).await??;
        }
    }
    Ok(connection.ask(channel.close(200, "edited".into())).await??)
}

fn read(delivery: &Delivery) -> QueuedMessage {
    QueuedMessage { body: delivery.data.clone(), properties: properties_json::to_json(&delivery.properties) }
}

fn edited(
    publisher: &Publisher,
    queue: &str,
    old: &Delivery,
    new: QueuedMessage,
) -> Result<Outgoing, Failure> {
    let wrong = |wrong| Failure::permanent("queue.properties", format!("a message of {queue}: {wrong}"));
    let mut properties = headers::again(&properties_json::from_json(&new.properties).map_err(wrong)?);
    // A dead letter without a name of its own is known by its body, which is another now.
    if let Some(stage) = all_stages().find(|stage| stage.dead() == queue) {
        let dead_letter = dead_letter::read(&old.properties, &old.data, stage.name, publisher.clock().now());
        let mut table = properties.headers().clone().unwrap_or_default();
        table.insert(header::LETTER.into(), AMQPValue::LongString(dead_letter.letter.into()));
        properties = properties.with_headers(table);
    }
    Ok(outgoing(queue, properties, new.body))
}

fn outgoing(queue: &str, properties: lapin::BasicProperties, body: Vec<u8>) -> Outgoing {
    Outgoing { exchange: String::new(), key: queue.to_owned(), mandatory: true, properties, body }
}
