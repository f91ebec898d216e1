//! The point budget: a bucket that belongs to the client id, shared by all processes that call Twitch under it.
//!
//! The [`Bucket`](crate::budget_store::Bucket) is in the budget store; [`bucket`] says what becomes of it, [`lease`] what a process has of it, and
//! [`Budget`] lets a call wait for its point. While points are plenty a process draws a growing number of them ahead, and the
//! bucket costs it next to nothing; when they are scarce each call has its turn.

mod bucket;
mod lease;
mod reading;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tracing::debug;

pub(super) use self::{bucket::Priority, reading::Reading};
use self::{
    bucket::{Asked, Draw, Grant, LONGEST_HOLD, whole},
    lease::{LEASE, Lease},
};
use super::Error;
use crate::{
    budget_store::{Bucket, BudgetStore},
    clock::Clock,
    failure::{Class, Failure},
};

/// How often to draw when others were faster each time.
const MOST_DRAWS: u32 = 50;
/// Points are scarce when less than this share of a full bucket is left.
const SCARCE: f64 = 0.25;

/// The point budget as this process has seen it last, for status displays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetView {
    /// Points thought to be left; none while Twitch refuses calls.
    pub remaining: u32,
    /// Points of a full bucket; 800 until Twitch has told.
    pub limit: u32,
    /// When the bucket will be full if nobody draws from it.
    pub full_at: DateTime<Utc>,
}

/// A process's way to the points of its client id.
pub(super) struct Budget {
    store: Arc<dyn BudgetStore>,
    client_id: String,
    /// Points left to programs that know nothing of the bucket.
    reserved: u32,
    clock: Clock,
    /// Calls that wait for a point.
    waiting: AtomicU32,
    /// Held by who draws.
    drawing: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

struct State {
    /// The bucket as it was seen last.
    bucket: Bucket,
    lease: Lease,
    /// What the latest answer said that the bucket was not told yet, and when.
    reading: Option<(Reading, DateTime<Utc>)>,
}

impl Budget {
    pub(super) fn new(
        store: Arc<dyn BudgetStore>,
        client_id: String,
        reserved: u32,
        clock: Clock,
    ) -> Arc<Self> {
        let bucket = Bucket::full(clock.now());
        let state = Mutex::new(State { bucket, lease: Lease::default(), reading: None });
        let (waiting, drawing) = Default::default();
        Arc::new(Self { store, client_id, reserved, clock, waiting, drawing, state })
    }

    /// Waits for a point if that is soon, and takes it.
    ///
    /// # Errors
    /// [`Error::RateLimited`] where it takes longer; [`Error::Points`] where the bucket cannot be reached.
    pub(super) async fn admit(self: &Arc<Self>, priority: Priority) -> Result<(), Error> {
        let mut held = Duration::ZERO;
        loop {
            match self.take(priority).await.map_err(Error::Points)? {
                Grant::Now(_) => return Ok(()),
                Grant::Later(wait) => {
                    tokio::time::sleep(wait).await;
                    return Ok(());
                }
                Grant::None(wait) => {
                    held += wait;
                    if held > LONGEST_HOLD {
                        return Err(Error::RateLimited { retry_after: wait });
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Notes what an answer says. Others hear of it with the next draw.
    pub(super) fn learn(&self, reading: Reading) {
        let mut state = self.state();
        if let Some(remaining) = reading.remaining {
            state.lease.at_most(remaining);
        }
        state.reading = Some((reading, self.clock.now()));
    }

    /// Notes a 429, for all processes; how long to wait.
    pub(super) async fn refused(&self, reading: &Reading) -> Duration {
        let now = self.clock.now();
        let wait = reading.wait(now);
        let closed_until = Some(now + TimeDelta::from_std(wait).unwrap_or_default());
        {
            let mut state = self.state();
            state.lease = Lease::default();
            state.bucket.closed_until = state.bucket.closed_until.max(closed_until);
        }
        let asked = Asked { priority: Priority::Page, waiting: 0, welcome: 0, unused: 0, closed_until };
        if let Err(failure) = self.draw(asked).await {
            debug!(code = failure.code, "other processes are not told of a 429: {failure}");
        }
        wait
    }

    /// Whether points are so scarce that a call should not be made before it is worth its point.
    pub(super) async fn is_scarce(&self) -> Result<bool, Failure> {
        let (bucket, _) = self.store.bucket(&self.client_id).await.map_err(not_charged)?;
        let Some(mut bucket) = bucket else { return Ok(false) };
        bucket.refill(self.clock.now());
        Ok(bucket.points - f64::from(self.reserved) < bucket.size() * SCARCE)
    }

    /// The bucket as this process has seen it last.
    pub(super) fn view(&self) -> BudgetView {
        let now = self.clock.now();
        let state = self.state();
        let mut bucket = state.bucket.clone();
        bucket.refill(now);
        bucket.points += f64::from(state.lease.left());
        if let Some((reading, at)) = &state.reading {
            bucket.learn(reading, *at, now);
        }
        let lacking = Duration::from_secs_f64((bucket.size() - bucket.points).max(0.0) / bucket.rate());
        let full_at = now + TimeDelta::from_std(lacking).unwrap_or_default();
        BudgetView {
            remaining: if bucket.closed_for(now).is_some() { 0 } else { whole(bucket.points.max(0.0)) },
            limit: whole(bucket.size()),
            full_at: bucket.closed_until.map_or(full_at, |at| at.max(full_at)),
        }
    }

    /// Takes a point of the lease, or of a new one.
    async fn take(self: &Arc<Self>, priority: Priority) -> Result<Grant, Failure> {
        if self.state().lease.take(self.clock.now()) {
            return Ok(Grant::Now(1));
        }
        let waiting = Waiting::of(&self.waiting);
        let _drawing = self.drawing.lock().await;
        let (unused, welcome) = {
            let (mut state, now) = (self.state(), self.clock.now());
            if state.lease.take(now) {
                return Ok(Grant::Now(1));
            }
            (state.lease.give_back(), state.lease.welcome(now))
        };
        let waiting = waiting.all();
        let asked = Asked { priority, waiting, welcome, unused, closed_until: None };
        let grant = self.draw(asked).await?;
        if let Grant::Now(points) = grant {
            let now = self.clock.now();
            let lease = Lease::new(points, now);
            if points > 1 {
                self.give_back_later();
            }
            let mut state = self.state();
            state.lease = lease;
            state.lease.take(now);
        }
        Ok(grant)
    }

    /// Draws from the bucket as it is now, and tells it what the latest answer said.
    async fn draw(&self, asked: Asked) -> Result<Grant, Failure> {
        let reading = self.state().reading.take();
        for _ in 0..MOST_DRAWS {
            let (bucket, changes) = self.store.bucket(&self.client_id).await.map_err(not_charged)?;
            let now = self.clock.now();
            let mut bucket = bucket.unwrap_or_else(|| Bucket::full(now));
            let grant = bucket.draw(&Draw { asked, reserved: self.reserved, reading }, now);
            if self.store.keep_bucket(&self.client_id, &bucket, changes).await.map_err(not_charged)? {
                self.state().bucket = bucket;
                return Ok(grant);
            }
        }
        let message = "other processes draw from the point budget all the time";
        Err(Failure::new(Class::Contention, "helix.points_contended", message))
    }

    /// Gives back what is left of a lease when its time is up.
    fn give_back_later(self: &Arc<Self>) {
        let budget = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(LEASE).await;
            if let Some(budget) = budget.upgrade() {
                budget.give_back().await;
            }
        });
    }

    async fn give_back(&self) {
        let unused = self.state().lease.expired(self.clock.now());
        let asked = Asked { priority: Priority::Page, waiting: 0, welcome: 0, unused, closed_until: None };
        if unused > 0
            && let Err(failure) = self.draw(asked).await
        {
            debug!(code = failure.code, "{unused} points are not given back: {failure}");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that waits for a point, as long as it does.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn of(waiting: &'a AtomicU32) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }

    /// How many calls wait, this one included.
    fn all(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// No message is to blame for a bucket that cannot be reached.
fn not_charged(failure: Failure) -> Failure {
    let class = if failure.class.is_charged() { Class::Outage } else { failure.class };
    Failure { class, ..failure }
}
