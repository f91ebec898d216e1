//! Publishing what came out of a batch, until the broker has it.
//!
//! What the broker does not take is kept, and published again under the same ids until it does: the deliveries stay in
//! hand, and none is spent on a queue at its limit, a binding that is gone or an alarm.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::{
    super::{
        Worker,
        broker::{outgoing::Outgoing, publish_error::PublishError},
        retry::Delays,
    },
    Consumer, broken,
};
use crate::failure::Failure;

/// The shortest and the longest time between two tries to publish what the broker did not take.
const PUBLISH_SOONEST: Duration = Duration::from_millis(500);
const PUBLISH_LATEST: Duration = Duration::from_secs(5);

impl<W: Worker> Consumer<'_, W> {
    /// Publishes, as [`publish_patiently`](Self::publish_patiently) does, and goes on consuming.
    pub(super) async fn publish(
        &mut self,
        messages: Vec<Outgoing>,
        settle_by: Instant,
    ) -> Result<(), Failure> {
        if self.publish_patiently(messages, settle_by).await?.is_some() {
            self.status.consuming();
        }
        Ok(())
    }

    /// Publishes, and returns when the broker has confirmed all. While it does not take them the stage is paused; what is
    /// left is tried again, one message before the others. Returns the latest trouble, if there was any; who calls this ends
    /// the pause. Fails when the session has ended, when it is time to stop, or after `settle_by`, when deliveries cannot be
    /// kept any longer: then they are delivered again.
    pub(super) async fn publish_patiently(
        &mut self,
        mut messages: Vec<Outgoing>,
        settle_by: Instant,
    ) -> Result<Option<Failure>, Failure> {
        let mut waits = Delays::between(PUBLISH_SOONEST, PUBLISH_LATEST);
        let (mut trouble, mut latest) = (None, None);
        while !messages.is_empty() {
            let most = if trouble.is_some() { 1 } else { messages.len() };
            let published = self.publish_once(&mut messages, most, settle_by, &mut trouble).await?;
            let failure = match published {
                Ok(()) if trouble.is_some() => {
                    // The one message went out: now the others.
                    latest = trouble.take();
                    waits.reset();
                    self.status.half_open();
                    continue;
                }
                Ok(()) => continue,
                Err(failure) => failure,
            };
            self.status.pause(&failure);
            trouble = Some(failure.clone());
            if Instant::now() > settle_by {
                return Err(broken(format!("deliveries cannot be kept any longer: {failure}")));
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(broken(format!("told to stop, and {failure}"))),
                () = sleep(waits.next()) => {}
            }
            if matches!(failure.code, "broker.unroutable" | "broker.publish") {
                // Where this user may declare, what is gone is made again; otherwise somebody else has to.
                let _ = self.session.declare().await;
            }
        }
        Ok(latest)
    }

    /// One try; says at once when the broker blocks publishers, and waits for it.
    async fn publish_once(
        &mut self,
        messages: &mut Vec<Outgoing>,
        most: usize,
        settle_by: Instant,
        trouble: &mut Option<Failure>,
    ) -> Result<Result<(), Failure>, Failure> {
        let mut blocked = self.session.publisher.blocked();
        let publishing = self.session.publisher.publish_some(messages, most);
        let mut publishing = std::pin::pin!(publishing);
        loop {
            tokio::select! {
                biased;
                published = &mut publishing => return Ok(published.map_err(Failure::from)),
                news = blocked.wait_for(Option::is_some), if trouble.is_none() => {
                    let why = news.ok().and_then(|why| why.clone()).unwrap_or_default();
                    let failure = PublishError::Blocked(why).into();
                    self.status.pause(&failure);
                    *trouble = Some(failure);
                }
                // A broker that is well is waited for: what is handled should be settled.
                () = self.stop.cancelled(), if trouble.is_some() => {
                    return Err(broken("told to stop while the broker takes nothing"));
                }
                () = sleep_until(settle_by) => {
                    return Err(broken("the broker confirms nothing, and deliveries cannot be kept any longer"));
                }
            }
        }
    }
}
