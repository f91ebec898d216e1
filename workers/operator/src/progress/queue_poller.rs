//! Polls the broker's queues every few seconds in the background, so that the display never waits for it.

use std::time::Duration;

use shared::{
    config::Broker,
    runtime::{Announcer, QueueDepth},
};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

/// The time between two polls, and before connecting again.
const EVERY: Duration = Duration::from_secs(2);

/// The latest depths; empty while the broker is unavailable or not configured.
pub(crate) struct QueuePoller {
    queues: watch::Receiver<Vec<QueueDepth>>,
    task: Option<JoinHandle<()>>,
}

impl QueuePoller {
    /// Starts polling if there is an `AMQP_URL`; waiting for a pull does not need one.
    pub(crate) fn start(broker: &Broker) -> Self {
        let (polled, queues) = watch::channel(Vec::new());
        let task = broker.url().ok().map(|url| {
            let delays = broker.retry_delays.clone();
            tokio::spawn(async move {
                loop {
                    if let Ok((announcer, _session)) = Announcer::connect(&url, &delays, "operator").await {
                        while let Ok(depths) = announcer.depths().await {
                            polled.send_replace(depths);
                            sleep(EVERY).await;
                        }
                    }
                    polled.send_replace(Vec::new());
                    sleep(EVERY).await;
                }
            })
        });
        Self { queues, task }
    }

    /// The latest depths.
    pub(crate) fn queues(&self) -> Vec<QueueDepth> {
        self.queues.borrow().clone()
    }
}

impl Drop for QueuePoller {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
