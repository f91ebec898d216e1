//! Following a pull: looks at the database a few times a second, and shows what changed.

mod bars;
mod display;
mod follow;
mod format;
mod missing_worker;
mod queue_poller;
mod rate;

pub(crate) use follow::{Ended, Follower};
