//! Whether Twitch can be called again: what a paused stage asks before it takes work.

use std::sync::atomic::Ordering;

use super::{
    Client, Error,
    budget::Priority,
    reply::{self, List},
};
use crate::failure::{Class, Failure};

impl Client {
    /// Whether Twitch can be called, as far as this process knows. At once, and without a call, unless the latest call
    /// found that nothing works: an outage, or no token that Twitch takes. Then one call, of one point, tries it out, and
    /// whoever else asks meanwhile shares its result. A success says nothing about any message: what failed is judged
    /// anew.
    ///
    /// # Errors
    /// What is wrong with Twitch or with our credentials; never a failure that is some message's own.
    pub async fn check(&self) -> Result<(), Failure> {
        let (health, probes) = (&self.0.health, &self.0.probes);
        if !health.is_down() {
            return Ok(());
        }
        let made = probes.made.load(Ordering::Acquire);
        let mut latest = probes.latest.lock().await;
        if health.is_down() && probes.made.load(Ordering::Acquire) == made {
            *latest = self.probe().await.err();
            probes.made.fetch_add(1, Ordering::Release);
        } else if !health.is_down() {
            *latest = None;
        }
        latest.clone().map_or(Ok(()), Err)
    }
}

impl Client {
    /// Calls Twitch once, for one point: whether it is there, and takes our credentials.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub async fn probe(&self) -> Result<(), Failure> {
        let answer = self
            .0
            .get("streams", Priority::Page, &[("first", "1")], |body| reply::json::<List>("streams", body));
        answer.await.err().and_then(trouble).map_or(Ok(()), Err)
    }
}

/// What a probe's error says about Twitch; nothing, if Twitch was there to refuse the call.
fn trouble(error: Error) -> Option<Failure> {
    if matches!(error, Error::BadRequest { .. } | Error::Gone { .. } | Error::RateLimited { .. }) {
        return None;
    }
    let failure = Failure::from(error);
    let class = if failure.class.is_charged() { Class::Outage } else { failure.class };
    Some(Failure { class, ..failure })
}
