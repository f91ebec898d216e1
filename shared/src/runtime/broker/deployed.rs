//! Which optional stages are deployed: those whose queues are there.
//!
//! AMQP knows no question for a queue that may be missing: the broker answers by closing the channel, and lapin (4.12.3) was
//! seen to take that for the end of the connection, once in some thousand times on a busy machine. Hence a connection for
//! this alone, and an answer that holds for a while.

use std::{sync::Arc, time::Duration};

use lapin::protocol::AMQPSoftError;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{
    amqp_url::Address,
    connection::Connection,
    depth::look_at,
    error::{BrokerError, is_soft},
};
use crate::topology::{OPTIONAL_STAGES, Queue, StageInfo};

/// How long the answer holds.
const HOLDS: Duration = Duration::from_secs(30);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The answer, and whom to ask.
pub(super) struct Deployed {
    address: Address,
    program: Arc<str>,
    known: Mutex<Option<(Instant, Vec<StageInfo>)>>,
}

impl Deployed {
    /// Asks nobody yet.
    pub(super) fn new(address: Address, program: Arc<str>) -> Self {
        Self { address, program, known: Mutex::new(None) }
    }

    /// The optional stages that are there, or were half a minute ago.
    pub(super) async fn stages(&self) -> Result<Vec<StageInfo>, BrokerError> {
        let mut known = self.known.lock().await;
        match &*known {
            Some((asked, stages)) if asked.elapsed() < HOLDS => Ok(stages.clone()),
            _ => {
                let stages = self.ask().await?;
                *known = Some((Instant::now(), stages.clone()));
                Ok(stages)
            }
        }
    }

    /// Those of these queues that are there.
    pub(super) async fn queues(&self, queues: Vec<Queue>) -> Result<Vec<Queue>, BrokerError> {
        let mut there = Vec::new();
        for queue in queues {
            there.extend(self.has(&queue.name).await?.then_some(queue));
        }
        Ok(there)
    }

    async fn ask(&self) -> Result<Vec<StageInfo>, BrokerError> {
        let mut deployed = Vec::new();
        for stage in OPTIONAL_STAGES {
            deployed.extend(self.has(stage.queue()).await?.then_some(stage));
        }
        Ok(deployed)
    }

    async fn has(&self, queue: &str) -> Result<bool, BrokerError> {
        let connecting = timeout(CONNECT_TIMEOUT, Connection::open(&self.address, &self.program, "look"));
        let connection = connecting.await.map_err(|_| BrokerError::Timeout)??;
        let found = connection.ask(is_there(connection.amqp(), queue)).await?;
        connection.close().await;
        Ok(found?)
    }
}

/// Whether a queue is there. Whatever fails because it is not is the answer, be it the channel or the connection.
async fn is_there(connection: &lapin::Connection, queue: &str) -> Result<bool, lapin::Error> {
    let looked = async { look_at(&connection.create_channel().await?, queue).await };
    match looked.await {
        Ok(_) => Ok(true),
        Err(error) if is_soft(&error, &AMQPSoftError::NOTFOUND) => Ok(false),
        Err(error) => Err(error),
    }
}
