//! Changing messages in a classic queue: each that changes is published again, confirmed, and then taken out. A crash in
//! between leaves both, and doing it again takes the old one out.

use lapin::types::AMQPValue;
use serde_json::Value;

use super::{
    super::message::{
        dead_letter,
        headers::{self, header},
        properties_json,
    },
    browser::QueueBrowser,
    outgoing::Outgoing,
    publisher::Publisher,
};
use crate::{failure::Failure, topology::STAGES};

/// Hands every message of `queue` over: `body` makes another body of it, or none where it stays, and `properties` changes its
/// properties and headers, as JSON, and says whether it did. Returns how many messages change; with `write` they have.
pub(in crate::runtime) async fn edit(
    publisher: Publisher,
    queue: &str,
    write: bool,
    body: impl Fn(&[u8]) -> Option<Vec<u8>>,
    properties: impl Fn(&mut Value) -> bool,
) -> Result<i64, Failure> {
    let mut browser = QueueBrowser::open(publisher.clone(), queue).await?;
    let stage = STAGES.into_iter().find(|stage| stage.dead() == queue);
    let mut changed = 0;
    while let Some(delivery) = browser.next().await? {
        let mut json = properties_json::to_json(&delivery.properties);
        let (new_body, new_properties) = (body(&delivery.data), properties(&mut json));
        if new_body.is_none() && !new_properties {
            continue;
        }
        changed += 1;
        if !write {
            continue;
        }
        let read = |wrong| Failure::permanent("queue.properties", format!("a message of {queue}: {wrong}"));
        let mut properties = headers::again(&properties_json::from_json(&json).map_err(read)?);
        // A dead letter without a name of its own is known by its body, which is another now.
        if let Some(stage) = stage {
            let dead_letter =
                dead_letter::read(&delivery.properties, &delivery.data, stage.name, publisher.clock().now());
            let mut table = properties.headers().clone().unwrap_or_default();
            table.insert(header::LETTER.into(), AMQPValue::LongString(dead_letter.letter.into()));
            properties = properties.with_headers(table);
        }
        let message = Outgoing {
            exchange: String::new(),
            key: queue.to_owned(),
            mandatory: true,
            properties,
            body: new_body.unwrap_or(delivery.data),
        };
        publisher.publish(vec![message]).await?;
        browser.take(delivery.delivery_tag).await?;
    }
    browser.close().await?;
    Ok(changed)
}
