//! Following a pull: looks at the database a few times a second, and shows what changed.

mod absence;
mod bars;
mod display;
mod follow;
mod lookout;
mod pace;
mod words;

pub(crate) use follow::{Ended, Follower};
