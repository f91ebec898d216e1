//! Whether Twitch can be called again: what a paused stage asks before it takes work.

use std::sync::atomic::Ordering;

use super::{
    Client, Error,
    budget::Priority,
    http::Http,
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
        if self.0.health.is_down() { self.0.probe_together().await } else { Ok(()) }
    }

    /// Calls Twitch once, for one point: whether it is there, and takes our credentials.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub async fn probe(&self) -> Result<(), Failure> {
        self.0.probe().await
    }
}

impl Http {
    /// A probe, whose result all share who ask while it is made.
    pub(super) async fn probe_together(&self) -> Result<(), Failure> {
        let probes = &self.probes;
        let made = probes.made.load(Ordering::Acquire);
        let mut latest = probes.latest.lock().await;
        if probes.made.load(Ordering::Acquire) == made {
            *latest = self.probe().await.err();
            probes.made.fetch_add(1, Ordering::Release);
        }
        latest.clone().map_or(Ok(()), Err)
    }

    async fn probe(&self) -> Result<(), Failure> {
        let read = |body: &[u8]| reply::json::<List>("streams", body);
        let answer = self.get_unjudged("streams", Priority::Page, &[("first", "1")], read).await;
        match answer {
            Err(error) if error.is_trouble() => Err(self.outage(error).into()),
            answer => answer.err().and_then(trouble).map_or(Ok(()), Err),
        }
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
