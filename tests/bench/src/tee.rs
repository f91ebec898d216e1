//! Every message again: a queue beside each work queue, whose reader sends each message to the stage again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::StreamExt;
use lapin::{
    Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::FieldTable,
};
use secrecy::{ExposeSecret, SecretString};
use shared::topology::{STAGES, StageInfo, WORK};

use crate::outcome::Outcome;

/// Sends every message of every stage again. Lives as long as it is held.
pub(crate) struct Tee {
    _connection: Connection,
    again: Arc<AtomicU64>,
}

impl Tee {
    /// Sends every message `times` more.
    pub(crate) async fn lay(url: &SecretString, times: u64) -> Outcome<Self> {
        let connection = Connection::connect(url.expose_secret(), ConnectionProperties::default()).await?;
        let again = Arc::new(AtomicU64::new(0));
        for stage in STAGES {
            repeat(&connection, stage, times, Arc::clone(&again)).await?;
        }
        Ok(Self { _connection: connection, again })
    }

    /// How many messages were sent again so far.
    pub(crate) fn again(&self) -> u64 {
        self.again.load(Ordering::Relaxed)
    }
}

async fn repeat(connection: &Connection, stage: StageInfo, times: u64, again: Arc<AtomicU64>) -> Outcome<()> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let name = format!("{}.tee", stage.name);
    channel
        .queue_declare(name.as_str().into(), QueueDeclareOptions::default(), FieldTable::default())
        .await?;
    let (queue, key) = (name.as_str().into(), stage.reads.into());
    channel.queue_bind(queue, WORK.into(), key, QueueBindOptions::default(), FieldTable::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut messages =
        channel.basic_consume(name.as_str().into(), "".into(), options, FieldTable::default()).await?;
    tokio::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            for _ in 0..times {
                // Straight to the stage's queue, past the exchange: what is sent again is not sent again once more.
                let (to, properties) = (stage.queue().into(), message.properties.clone());
                let options = BasicPublishOptions::default();
                let sent = channel.basic_publish("".into(), to, options, &message.data, properties).await;
                let Ok(sent) = sent else { return };
                if sent.await.is_err() {
                    return;
                }
                again.fetch_add(1, Ordering::Relaxed);
            }
            if message.acker.ack(BasicAckOptions::default()).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}
