//! RabbitMQ as a bystander sees it: who taps, counts, purges and listens without being a part of the flow.

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    message::BasicGetMessage,
    options::{
        BasicGetOptions, BasicNackOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
};
use reqwest::Method;
use secrecy::ExposeSecret;
use shared::{
    schema::{Message, PullClosed, PullId, PullStatus, decode},
    topology::{EVENTS, STAGES, WORK},
};

use crate::{eventually::eventually, rig::Rig, services::Vhost};

/// Throws away what waits in a queue.
pub(crate) async fn purge(vhost: &Vhost, queue: &str) {
    vhost.call(Method::DELETE, &format!("queues/{{vhost}}/{queue}/contents"), None).await;
}

/// A connection of one's own; it closes when dropped.
pub(crate) struct Wire {
    channel: Channel,
    _connection: Connection,
}

impl Wire {
    pub(crate) async fn connect(vhost: &Vhost) -> Self {
        let url = vhost.url();
        let connection = Connection::connect(url.expose_secret(), ConnectionProperties::default())
            .await
            .expect("RabbitMQ should answer");
        let channel = connection.create_channel().await.expect("a channel");
        Self { channel, _connection: connection }
    }

    /// Declares a durable queue, so that it outlives its connection, and binds it.
    pub(crate) async fn tap(&self, queue: &str, exchange: &str, key: &str, arguments: FieldTable) {
        let options = QueueDeclareOptions::durable();
        self.channel.queue_declare(queue.into(), options, arguments).await.expect("a queue");
        let options = QueueBindOptions::default();
        self.channel
            .queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default())
            .await
            .expect("a binding");
    }

    /// Declares a durable queue.
    pub(crate) async fn declare(&self, queue: &str, arguments: FieldTable) {
        let options = QueueDeclareOptions::durable();
        self.channel.queue_declare(queue.into(), options, arguments).await.expect("a queue");
    }

    /// Puts a message straight into a queue.
    pub(crate) async fn publish(&self, queue: &str, properties: &BasicProperties, body: &[u8]) {
        let options = BasicPublishOptions::default();
        let published =
            self.channel.basic_publish("".into(), queue.into(), options, body, properties.clone()).await;
        published.expect("published");
    }

    /// Publishes a message by an exchange.
    pub(crate) async fn publish_to(
        &self,
        exchange: &str,
        key: &str,
        properties: &BasicProperties,
        body: &[u8],
    ) {
        let options = BasicPublishOptions::default();
        let published =
            self.channel.basic_publish(exchange.into(), key.into(), options, body, properties.clone()).await;
        published.expect("published");
    }

    /// Takes the message of a work queue and gives it back, as workers do that die of it, until the broker gives it up.
    pub(crate) async fn exhaust(&self, queue: &str) {
        let get = BasicGetOptions::default();
        while let Some(message) = self.channel.basic_get(queue.into(), get).await.expect("an answer") {
            let back = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
            message.delivery.acker.nack(back).await.expect("given back");
        }
    }

    /// Takes one message out of a queue, if there is one.
    pub(crate) async fn take(&self, queue: &str) -> Option<BasicGetMessage> {
        let options = BasicGetOptions { no_ack: true };
        self.channel.basic_get(queue.into(), options).await.expect("an answer")
    }

    /// Lets each announcement of work be delivered `times` times more: the broker itself sends on what has waited a
    /// moment in a queue of copies.
    pub(crate) async fn multiply(&self, times: i64) {
        for stage in STAGES {
            for copy in 1..=times {
                let queue = format!("copy-{copy}-{}", stage.name);
                let mut arguments = FieldTable::default();
                arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(copy * 50));
                arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
                arguments
                    .insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(stage.queue().into()));
                self.tap(&queue, WORK, stage.reads, arguments).await;
            }
        }
    }

    /// Whether copies are still on their way.
    pub(crate) async fn multiplies(&self, times: i64) -> bool {
        for stage in STAGES {
            for copy in 1..=times {
                let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
                let queue = format!("copy-{copy}-{}", stage.name);
                let queue =
                    self.channel.queue_declare(queue.as_str().into(), passive, FieldTable::default()).await;
                if queue.expect("a queue").message_count() > 0 {
                    return true;
                }
            }
        }
        false
    }
}

/// Somebody who listens to the ends of pulls.
pub(crate) struct Listener(Wire);

impl Listener {
    /// Hears what is said from now on.
    pub(crate) async fn new(rig: &Rig) -> Self {
        let wire = Wire::connect(&rig.vhost).await;
        wire.tap("listener", EVENTS, "pull.*", FieldTable::default()).await;
        Self(wire)
    }

    /// Waits until it hears that a pull has come to this end.
    pub(crate) async fn hears(&self, pull: PullId, status: PullStatus) -> PullClosed {
        eventually(&format!("pull {pull} should be told to be {}", status.as_str()), || async {
            let event = self.0.take("listener").await.ok_or("nothing was heard")?;
            let closed: PullClosed = decode(&event.delivery.data).expect("an event");
            let key = if closed.status == PullStatus::Success { "pull.completed" } else { "pull.failed" };
            assert_eq!(event.delivery.routing_key.as_str(), key);
            let id = event.delivery.properties.message_id().as_ref().map(ShortString::as_str);
            assert_eq!(id, Some(closed.id().as_str()));
            if (closed.pull_id, closed.status) == (pull, status) { Ok(closed) } else { Err("something else") }
        })
        .await
    }
}
