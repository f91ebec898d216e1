//! How deep the queues are.

use lapin::{ErrorKind, options::QueueDeclareOptions, protocol::AMQPSoftError, types::FieldTable};
use serde::Serialize;

use super::{super::message::headers::short, error::BrokerError, session::is_soft};
use crate::topology::{OPTIONAL_STAGES, Queue, RetryDelays, queues, queues_of};

/// A queue and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueDepth {
    /// The queue.
    pub name: String,
    /// Messages that wait; those in a worker's hand are not among them. None when the queue is not there.
    pub ready: Option<u32>,
    /// Workers that read it.
    pub consumers: Option<u32>,
}

/// How deep every queue is. A queue that is missing is reported as such and costs one channel; those of a stage that is left out
/// are not missing.
pub(in crate::runtime) async fn depths(
    connection: &lapin::Connection,
    delays: &RetryDelays,
) -> Result<Vec<QueueDepth>, BrokerError> {
    let mut depths = depths_of(connection, queues(delays)).await?;
    for stage in OPTIONAL_STAGES {
        if is_there(connection, stage.queue()).await? {
            depths.extend(depths_of(connection, queues_of(stage, delays)).await?);
        }
    }
    Ok(depths)
}

async fn depths_of(
    connection: &lapin::Connection,
    queues: Vec<Queue>,
) -> Result<Vec<QueueDepth>, BrokerError> {
    let mut channel = connection.create_channel().await?;
    let mut depths = Vec::new();
    for Queue { name, .. } in queues {
        match look_at(&channel, &name).await {
            Ok(queue) => depths.push(QueueDepth {
                name,
                ready: Some(queue.message_count()),
                consumers: Some(queue.consumer_count()),
            }),
            Err(error) if matches!(error.kind(), ErrorKind::ProtocolError(_)) => {
                depths.push(QueueDepth { name, ready: None, consumers: None });
                channel = connection.create_channel().await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    channel.close(200, "counted".into()).await?;
    Ok(depths)
}

/// Whether a queue is there. Where it is not, the broker closes the channel with its answer, and nothing else may be asked on it:
/// the answer was seen to be taken for that of the next question.
async fn is_there(connection: &lapin::Connection, queue: &str) -> Result<bool, BrokerError> {
    let channel = connection.create_channel().await?;
    match look_at(&channel, queue).await {
        Ok(_) => {
            channel.close(200, "looked".into()).await?;
            Ok(true)
        }
        Err(error) if is_soft(&error, &AMQPSoftError::NOTFOUND) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn look_at(channel: &lapin::Channel, queue: &str) -> Result<lapin::Queue, lapin::Error> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    channel.queue_declare(short(queue), passive, FieldTable::default()).await
}
