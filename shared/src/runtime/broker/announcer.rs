//! Publishing from beside the flow of messages: a schedule, a watch, the operator.

use std::time::Duration;

use secrecy::SecretString;
use tokio::{sync::watch, time::timeout};

use super::{
    super::{
        DeadLetterQueue, Rejects,
        message::properties_json,
        process::spans::{self, Scope},
    },
    depth::{self, QueueDepth},
    edit::{QueuedMessage, edit},
    outgoing::Outgoing,
    publish_error::PublishError,
    publisher::Publisher,
    session::{Session, declare},
};
use crate::{
    clock::Clock,
    dead_letter::Archived,
    failure::Failure,
    schema::RecordsRejected,
    topology::{Announcement, EXCHANGES, OPTIONAL_STAGES, Queue, RetryDelays, StageInfo, queues, queues_of},
};

/// How long to wait for a connection that is being made again.
const PATIENCE: Duration = Duration::from_secs(15);

/// A way to announce. Cheap to clone; follows the connection as it comes and goes.
#[derive(Clone)]
pub struct Announcer {
    publisher: watch::Receiver<Option<Publisher>>,
    delays: RetryDelays,
}

/// Tells an announcer of the connection.
pub(in crate::runtime) type Slot = watch::Sender<Option<Publisher>>;

impl Announcer {
    pub(in crate::runtime) fn new(delays: RetryDelays) -> (Slot, Self) {
        let (slot, publisher) = watch::channel(None);
        (slot, Self { publisher, delays })
    }

    /// Connects for a program that is no worker. The connection lives as long as what is returned with the announcer.
    pub async fn connect(
        url: &SecretString,
        delays: &RetryDelays,
        program: &str,
    ) -> Result<(Self, impl Send + Sync + use<>), Failure> {
        let session = Session::open(url, delays, program, None, Clock::System).await?;
        let (slot, announcer) = Self::new(delays.clone());
        slot.send_replace(Some(session.publisher.clone()));
        Ok((announcer, (slot, session)))
    }

    /// Declares and binds once more what belongs to the optional stages that are there, as their workers do when they start; or
    /// sees to it that it is there where this user may not declare.
    pub async fn declare_optional(&self) -> Result<(), Failure> {
        let publisher = self.publisher().await?;
        let deployed = publisher.deployed().stages().await?;
        let own = deployed.into_iter().flat_map(|stage| queues_of(stage, &self.delays)).collect();
        let connection = publisher.connection();
        Ok(connection.ask(declare(connection.amqp(), &EXCHANGES, own)).await??)
    }

    /// Announces, and returns when the broker has confirmed all. With each a trace begins.
    pub async fn announce(&self, announcements: Vec<Announcement>) -> Result<(), Failure> {
        let publisher = self.publisher().await?;
        let scopes: Vec<Scope> = announcements.iter().map(spans::begun).collect();
        let messages: Vec<_> = announcements
            .into_iter()
            .zip(&scopes)
            .map(|(a, scope)| publisher.address(a, &scope.trace))
            .collect();
        Ok(publisher.publish(messages).await?)
    }

    /// Every queue of the system, as deep as it is now.
    pub async fn depths(&self) -> Result<Vec<QueueDepth>, Failure> {
        let publisher = self.publisher().await?;
        let deployed = publisher.deployed().stages().await?;
        let connection = publisher.connection();
        Ok(connection.ask(depth::depths(connection.amqp(), &self.delays, &deployed)).await??)
    }

    /// Opens the dead-letter queue of a stage; waits a few seconds for whoever looks at it just now. While it is open it
    /// looks empty to everybody else.
    pub async fn open_dead_letters(&self, stage: StageInfo) -> Result<DeadLetterQueue, Failure> {
        DeadLetterQueue::open(self.publisher().await?, stage).await
    }

    /// Opens the queue of rejected records, and keeps those messages that `wanted` names.
    pub async fn open_rejects(&self, wanted: impl Fn(&RecordsRejected) -> bool) -> Result<Rejects, Failure> {
        Rejects::open(self.publisher().await?, wanted).await
    }

    /// Every queue of the topology that is there: those of the stages that may be left out too, whether or not their work queue has
    /// expired. In the order in which messages go through them.
    pub async fn all_queues(&self) -> Result<Vec<Queue>, Failure> {
        let publisher = self.publisher().await?;
        let optional = OPTIONAL_STAGES.into_iter().flat_map(|stage| queues_of(stage, &self.delays)).collect();
        let mut found = publisher.deployed().queues(optional).await?;
        found.extend(queues(&self.delays));
        found.sort_by_key(Queue::depth);
        Ok(found)
    }

    /// Hands every message of a queue over, which `change` makes another of, or none where it stays as it is.
    pub async fn edit_queue(
        &self,
        queue: &Queue,
        change: impl FnMut(&QueuedMessage) -> Option<QueuedMessage>,
    ) -> Result<(), Failure> {
        edit(&self.publisher().await?, queue, change).await
    }

    /// Puts archived dead letters into their dead-letter queues, as they were; returns when the broker has confirmed all.
    pub async fn lay_down(&self, dead_letters: &[Archived]) -> Result<(), Failure> {
        let mut messages = Vec::with_capacity(dead_letters.len());
        for dead_letter in dead_letters {
            let properties = properties_json::from_json(&dead_letter.properties).map_err(|wrong| {
                Failure::permanent(
                    "dead_letters.archive",
                    format!("dead letter {}: {wrong}", dead_letter.letter),
                )
            })?;
            messages.push(Outgoing {
                exchange: String::new(),
                key: dead_letter.queue.clone(),
                mandatory: true,
                properties,
                body: dead_letter.body.clone(),
            });
        }
        Ok(self.publisher().await?.publish(messages).await?)
    }

    pub(in crate::runtime) async fn publisher(&self) -> Result<Publisher, PublishError> {
        let mut publisher = self.publisher.clone();
        let connected = timeout(PATIENCE, publisher.wait_for(Option::is_some)).await;
        match connected {
            Ok(Ok(publisher)) => publisher.clone().ok_or(PublishError::Disconnected),
            _ => Err(PublishError::Disconnected),
        }
    }
}
