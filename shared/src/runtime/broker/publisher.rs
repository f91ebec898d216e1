//! Publishing with confirmation: a message is out when the broker says it has it, and not before.
//!
//! It has a connection of its own, which is made when it is needed and made again when it broke or did not confirm: what
//! is in a consumer's hand belongs to another connection, and stays there. A broker that blocks publishers is waited for;
//! whoever must not wait watches [`Publisher::blocked`].

use std::{sync::Arc, time::Duration};

use futures::{TryFutureExt, future::join_all};
use lapin::{
    Channel, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};

use super::{
    super::message::{headers, trace_context::Trace},
    amqp_url::Address,
    connection::Connection,
    deployed::Deployed,
    error::BrokerError,
    outgoing::{Outgoing, unconfirmed},
    publish_error::{CONFIRM_TIMEOUT, PublishError},
};
use crate::{clock::Clock, dial::DialError, topology::Announcement};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many messages are under way before their confirmations are awaited.
const BATCH: usize = 100;

/// Publishes and awaits confirmations. Cheap to clone; clones take turns, because lapin may attach a returned message to
/// the wrong confirmation when several publish on one channel at once.
#[derive(Clone)]
pub(in crate::runtime) struct Publisher {
    inner: Arc<Inner>,
    /// The connection for questions and for reading, which the broker never blocks.
    reading: Arc<Connection>,
}

struct Inner {
    address: Address,
    program: Arc<str>,
    clock: Clock,
    open: Mutex<Option<Open>>,
    blocked: watch::Sender<Option<String>>,
    deployed: Deployed,
}

/// A connection, and a channel on it in confirm mode.
struct Open {
    connection: Connection,
    channel: Channel,
}

impl Publisher {
    /// Connects, with both connections at once: its own, and `reading`, the session's other one.
    pub(in crate::runtime) async fn open(
        address: Address,
        program: &str,
        clock: Clock,
        reading: impl Future<Output = Result<Connection, DialError>>,
    ) -> Result<Self, BrokerError> {
        let (blocked, _) = watch::channel(None);
        let program: Arc<str> = program.into();
        let deployed = Deployed::new(address.clone(), Arc::clone(&program));
        let inner = Inner { address, program, clock, open: Mutex::new(None), blocked, deployed };
        // On the heap: they are large, and whoever may have to connect would be as large.
        let (reading, own) = (Box::pin(reading.map_err(BrokerError::from)), Box::pin(inner.connect()));
        let (reading, open) = tokio::try_join!(reading, own)?;
        *inner.open.lock().await = Some(open);
        Ok(Self { inner: Arc::new(inner), reading: Arc::new(reading) })
    }

    /// The program it publishes for.
    pub(in crate::runtime) fn program(&self) -> &str {
        &self.inner.program
    }

    /// The time.
    pub(in crate::runtime) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Which optional stages are there.
    pub(super) fn deployed(&self) -> &Deployed {
        &self.inner.deployed
    }

    /// The connection for questions and for reading.
    pub(in crate::runtime) const fn connection(&self) -> &Arc<Connection> {
        &self.reading
    }

    /// Why the broker reads nothing that is published, while that is so. It says so at the first publish.
    pub(in crate::runtime) fn blocked(&self) -> watch::Receiver<Option<String>> {
        self.inner.blocked.subscribe()
    }

    /// An announcement, addressed, and put in its place in a trace.
    pub(in crate::runtime) fn address(&self, announcement: Announcement, trace: &Trace) -> Outgoing {
        let properties =
            headers::new(announcement.kind, &announcement.id, self.program(), self.clock().now());
        Outgoing {
            exchange: announcement.route.exchange.to_owned(),
            key: announcement.route.key.to_owned(),
            mandatory: announcement.route.mandatory,
            properties: trace.put(&properties),
            body: announcement.body,
        }
    }

    /// Publishes all, and returns when the broker has confirmed all; gives up on a broker that blocks publishers for long.
    /// After an error any of them may be out, or may go out later: the same messages published again have the same ids.
    pub(in crate::runtime) async fn publish(&self, mut messages: Vec<Outgoing>) -> Result<(), PublishError> {
        let mut blocked = self.blocked();
        // What a blocked connection was given stays in it until it is read, so it is given nothing more.
        let why = blocked.borrow().clone();
        if let Some(why) = why {
            let unblocked = timeout(CONFIRM_TIMEOUT, blocked.wait_for(Option::is_none)).await;
            unblocked.map_err(|_| PublishError::Blocked(why))?.map_err(|_| PublishError::Disconnected)?;
        }
        let patience = async {
            let why = blocked.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
            tokio::time::sleep(CONFIRM_TIMEOUT).await;
            why.unwrap_or_default()
        };
        let publisher = self.clone();
        // In a task of its own, which is not dropped by whoever gives up: a connection that is closed while it is blocked is
        // kept until the broker reads again, and each new one costs memory.
        let publishing = tokio::spawn(async move {
            let most = messages.len();
            publisher.publish_some(&mut messages, most).await
        });
        tokio::select! {
            outcome = publishing => outcome.unwrap_or(Err(PublishError::Disconnected)),
            why = patience => Err(PublishError::Blocked(why)),
        }
    }

    /// Publishes the first `most` of the messages, and takes out of them those that the broker has confirmed. After an
    /// error the others were refused, or may be out all the same. Waits for a broker that blocks publishers.
    pub(in crate::runtime) async fn publish_some(
        &self,
        messages: &mut Vec<Outgoing>,
        most: usize,
    ) -> Result<(), PublishError> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut slot = self.inner.open.lock().await;
        // Taken out: if this is dropped on its way, nobody meets what it left on the channel.
        let open = match slot.take().filter(|open| open.connection.is_alive()) {
            Some(open) => open,
            None => timeout(CONNECT_TIMEOUT, self.inner.connect())
                .await
                .map_err(|_| PublishError::Disconnected)?
                .map_err(PublishError::from)?,
        };
        let mut left = messages.len().min(most);
        let mut refused: Option<PublishError> = None;
        while left > 0 {
            let batch: Vec<Outgoing> = messages.drain(..left.min(BATCH)).collect();
            left -= batch.len();
            match open.publish(&batch).await {
                Ok(confirmations) => {
                    let (unconfirmed, error) = unconfirmed(batch, confirmations);
                    messages.extend(unconfirmed);
                    refused = refused.or(error);
                }
                Err(error) => {
                    messages.splice(0..0, batch);
                    return Err(error);
                }
            }
        }
        if matches!(refused, Some(PublishError::Refused(_))) {
            // A channel remembers that a queue is full, and RabbitMQ 3.10 does not tell it when a policy is lifted.
            let _ = open.channel.close(200, "refused".into()).await;
            *slot = Open::on(open.connection).await.ok();
        } else {
            *slot = Some(open);
        }
        refused.map_or(Ok(()), Err)
    }

    /// Closes its connection in the orderly way.
    pub(in crate::runtime) async fn close(&self) {
        if let Some(open) = self.inner.open.lock().await.take() {
            open.connection.close().await;
        }
    }
}

impl Inner {
    async fn connect(&self) -> Result<Open, BrokerError> {
        let connection = Connection::open(&self.address, &self.program, "publish").await?;
        self.blocked.send_replace(None);
        let (mut news, tell) = (connection.blocked(), self.blocked.clone());
        tokio::spawn(async move {
            while news.changed().await.is_ok() {
                tell.send_replace(news.borrow_and_update().clone());
            }
            // The connection is gone, and with it what the broker said of it.
            tell.send_replace(None);
        });
        Ok(Open::on(connection).await?)
    }
}

impl Open {
    /// A new channel in confirm mode.
    async fn on(connection: Connection) -> Result<Self, lapin::Error> {
        let channel = connection.amqp().create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { connection, channel })
    }

    async fn publish(&self, batch: &[Outgoing]) -> Result<Vec<Confirmation>, PublishError> {
        let published = async {
            let mut confirms = Vec::with_capacity(batch.len());
            for message in batch {
                confirms.push(publish_one(&self.channel, message).await?);
            }
            join_all(confirms).await.into_iter().collect::<Result<Vec<_>, lapin::Error>>()
        };
        let mut published = std::pin::pin!(self.connection.unless_severed(published));
        loop {
            match timeout(CONFIRM_TIMEOUT, &mut published).await {
                Ok(confirmations) => return Ok(confirmations??),
                // It confirms when it has read, and it reads again when it has room.
                Err(_) if self.connection.blocked().borrow().is_some() => {}
                Err(_) => {
                    let to = batch.first().map(|message| message.destination().to_owned());
                    return Err(PublishError::Timeout { to: to.unwrap_or_default() });
                }
            }
        }
    }
}

async fn publish_one(channel: &Channel, message: &Outgoing) -> Result<lapin::PublisherConfirm, lapin::Error> {
    channel
        .basic_publish(
            headers::short(&message.exchange),
            headers::short(&message.key),
            BasicPublishOptions { mandatory: message.mandatory, ..BasicPublishOptions::default() },
            &message.body,
            message.properties.clone(),
        )
        .await
}
