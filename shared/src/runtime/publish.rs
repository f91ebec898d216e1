//! Publishing with confirmation: a message is out when the broker says it has it, and not before.

use std::{sync::Arc, time::Duration};

use futures::future::try_join_all;
use lapin::{
    BasicProperties, Channel, Confirmation,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{sync::Mutex, time::timeout};

use super::{envelope, link::Link, trace::Trace};
use crate::{
    clock::Clock,
    failure::{Class, Failure},
    measure,
    topology::Announcement,
};

/// How long the broker may take to confirm. It holds confirms back while it is short of memory or disk.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);
/// How many messages are under way before their confirmations are awaited.
const BATCH: usize = 100;

/// A message that could not be brought to the broker.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The connection or channel broke.
    #[error("the broker did not take a message")]
    Broker(#[from] lapin::Error),
    /// No confirmation came.
    #[error("the broker did not confirm within {} s", CONFIRM_TIMEOUT.as_secs())]
    Timeout,
    /// The broker refused the message.
    #[error("the broker refused a message for {0}")]
    Refused(String),
    /// No queue takes the message.
    #[error("no queue takes {id}: the binding of {to} is gone; `operator topology` declares it again")]
    Unroutable {
        /// The message's id.
        id: String,
        /// Exchange and routing key.
        to: String,
    },
    /// There is no connection, and none came in time.
    #[error("there is no connection to the broker")]
    Disconnected,
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::of(Class::Outage, "broker.publish", &error)
    }
}

/// A message on its way out.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) exchange: String,
    pub(super) key: String,
    /// Whether it is an error that no queue takes it.
    pub(super) mandatory: bool,
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
}

/// A channel in confirm mode. Cheap to clone; clones take turns, because lapin may attach a returned message to the
/// wrong confirmation when several publish on one channel at once.
#[derive(Clone)]
pub(super) struct Publisher {
    link: Arc<Link>,
    channel: Arc<Mutex<Channel>>,
    program: Arc<str>,
    clock: Clock,
}

impl Publisher {
    pub(super) async fn open(link: Link, program: &str, clock: Clock) -> Result<Self, lapin::Error> {
        let channel = link.connection().create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let channel = Arc::new(Mutex::new(channel));
        Ok(Self { link: Arc::new(link), channel, program: program.into(), clock })
    }

    /// The program it publishes for.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// The time.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The connection under it, for questions that may break a channel.
    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// An announcement, addressed, and put in its place in a trace.
    pub(super) fn address(&self, announcement: Announcement, trace: &Trace) -> Outgoing {
        let properties = envelope::new(announcement.kind, &announcement.id, &self.program, self.clock.now());
        Outgoing {
            exchange: announcement.route.exchange.to_owned(),
            key: announcement.route.key.to_owned(),
            mandatory: announcement.route.mandatory,
            properties: trace.put(&properties),
            body: announcement.body,
        }
    }

    /// Publishes all, and returns when the broker has confirmed all. After an error any of them may be out: the same
    /// messages published again have the same ids.
    pub(super) async fn publish(&self, messages: &[Outgoing]) -> Result<(), PublishError> {
        let channel = self.channel.lock().await;
        for batch in messages.chunks(BATCH) {
            let published = async {
                let mut confirms = Vec::with_capacity(batch.len());
                for message in batch {
                    confirms.push(publish_one(&channel, message).await?);
                }
                try_join_all(confirms).await
            };
            let confirmations = timeout(CONFIRM_TIMEOUT, self.link.unless_severed(published))
                .await
                .map_err(|_| PublishError::Timeout)???;
            for (confirmation, message) in confirmations.into_iter().zip(batch) {
                check(confirmation, message)?;
                let direct = message.exchange.is_empty();
                measure::sent(if direct { &message.key } else { &message.exchange });
            }
        }
        Ok(())
    }
}

async fn publish_one(channel: &Channel, message: &Outgoing) -> Result<lapin::PublisherConfirm, lapin::Error> {
    channel
        .basic_publish(
            envelope::short(&message.exchange),
            envelope::short(&message.key),
            BasicPublishOptions { mandatory: message.mandatory, ..BasicPublishOptions::default() },
            &message.body,
            message.properties.clone(),
        )
        .await
}

/// Only a plain acknowledgement is one. A returned message may hang on a neighbour's confirmation, so it is named by its
/// own properties.
fn check(confirmation: Confirmation, message: &Outgoing) -> Result<(), PublishError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => Err(unroutable(&returned)),
        Confirmation::Nack(None) | Confirmation::NotRequested => {
            Err(PublishError::Refused(format!("{}/{}", message.exchange, message.key)))
        }
    }
}

fn unroutable(returned: &BasicReturnMessage) -> PublishError {
    let id = returned.delivery.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
    PublishError::Unroutable {
        id,
        to: format!("{}/{}", returned.delivery.exchange, returned.delivery.routing_key),
    }
}
