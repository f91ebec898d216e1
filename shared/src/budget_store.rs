//! Where the point budget of a client id is kept so that all processes share one. A leaf: `helix` uses it, `store`
//! implements it.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use crate::failure::Failure;

/// The bucket of points that belongs to a client id. What is done with it is the Helix client's business.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// Points that are neither spent nor leased, at `as_of`; negative where calls were given points to come.
    pub points: f64,
    /// When there were so many.
    pub as_of: DateTime<Utc>,
    /// Points of a full bucket, which flow back in a minute; `None` until Twitch has told.
    pub limit: Option<u32>,
    /// Points that Twitch's answers have found missing of late.
    pub missing: f64,
    /// Until when Twitch refuses calls.
    pub closed_until: Option<DateTime<Utc>>,
}

/// A place shared by all processes that use one client id.
pub trait BudgetStore: Send + Sync {
    /// The client id's bucket, and how often it was changed; no bucket before the first change.
    fn bucket<'a>(&'a self, client_id: &'a str) -> BoxFuture<'a, Result<(Option<Bucket>, i64), Failure>>;

    /// Keeps the bucket, unless it was changed since it had been changed `changes` times. Whether it did.
    fn keep_bucket<'a>(
        &'a self,
        client_id: &'a str,
        bucket: &'a Bucket,
        changes: i64,
    ) -> BoxFuture<'a, Result<bool, Failure>>;
}
