//! Following a pull or a replay: polls the database a few times per second, and shows what changed.

mod bars;
mod display;
mod follow;
mod format;
mod missing_worker;
mod queue_poller;
mod rate;
mod replay;

pub(crate) use follow::{Ended, Follower};
pub(crate) use replay::ReplayProgress;
