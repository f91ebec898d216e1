//! The API: views of the world over HTTP, and who may see them.
//!
//! One file an endpoint; each gives an [`answer::Answer`] or refuses with a [`reply::Reply`]. What goes wrong on
//! purpose is told to it by its [`Call`] and otherwise done to the finished reply in `helix`.

mod answer;
mod bucket;
mod call;
mod control;
mod cursor;
mod endpoint;
mod games;
mod games_top;
mod helix;
mod oauth;
mod page;
mod query;
mod reply;
mod router;
mod settings;
mod stats;
mod streams;
mod tokens;
mod twitch;
mod users;

pub use endpoint::Endpoint;
pub(crate) use query::Query;
pub(crate) use router::router;
pub use settings::{Latency, Settings};
pub use stats::{Asked, EndpointStats, Stats};
pub(crate) use twitch::Twitch;
