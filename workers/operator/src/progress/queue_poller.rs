//! Looks at the broker's queues every few seconds, beside the display, which it must never hold up.

use std::time::Duration;

use shared::{
    config::Broker,
    runtime::{Announcer, QueueDepth},
};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

/// The time between two looks, and before connecting again.
const EVERY: Duration = Duration::from_secs(2);

/// What it saw last; empty while the broker is away or not known to us.
pub(crate) struct QueuePoller {
    queues: watch::Receiver<Vec<QueueDepth>>,
    task: Option<JoinHandle<()>>,
}

impl QueuePoller {
    /// Begins to look, if there is an `AMQP_URL`; waiting does not need one.
    pub(crate) fn start(broker: &Broker) -> Self {
        let (seen, queues) = watch::channel(Vec::new());
        let task = broker.url().ok().map(|url| {
            let delays = broker.retry_delays.clone();
            tokio::spawn(async move {
                loop {
                    if let Ok((announcer, _session)) = Announcer::connect(&url, &delays, "operator").await {
                        while let Ok(depths) = announcer.depths().await {
                            seen.send_replace(depths);
                            sleep(EVERY).await;
                        }
                    }
                    seen.send_replace(Vec::new());
                    sleep(EVERY).await;
                }
            })
        });
        Self { queues, task }
    }

    /// The queues as they were a moment ago.
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
