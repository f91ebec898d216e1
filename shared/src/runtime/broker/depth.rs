//! How deep the queues are.

use lapin::{ErrorKind, options::QueueDeclareOptions, types::FieldTable};
use serde::Serialize;

use super::{super::message::headers::short, error::BrokerError};
use crate::topology::{Queue, RetryDelays, StageInfo, queues, queues_of};

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

/// How deep every queue is, those of these optional stages too. A queue that is missing is reported as such and costs one
/// channel.
pub(in crate::runtime) async fn depths(
    connection: &lapin::Connection,
    delays: &RetryDelays,
    deployed: &[StageInfo],
) -> Result<Vec<QueueDepth>, BrokerError> {
    let optional = deployed.iter().flat_map(|stage| queues_of(*stage, delays));
    let queues = queues(delays).into_iter().chain(optional);
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

/// What the broker says of a queue; where it is not there, it closes the channel.
pub(super) async fn look_at(channel: &lapin::Channel, queue: &str) -> Result<lapin::Queue, lapin::Error> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    channel.queue_declare(short(queue), passive, FieldTable::default()).await
}
