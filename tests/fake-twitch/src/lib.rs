//! A fake Twitch: a *world* with views and scripted faults, not a set of canned replies.
//!
//! [`World`] is a state: streams, games and users made from a seed, and faults that lie over them. [`FakeTwitch`]
//! serves views of it: the Helix endpoints `streams`, `games`, `games/top` and `users`, and the token server. A test
//! changes the state and compares what its subject made of the views with the state itself.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use fake_twitch::{Effect, FakeTwitch, Fault, When, World, WorldConfig};
//!
//! let world = World::generate(WorldConfig::sized(250));
//! world.faults.push(Fault::new(Effect::NoReply).when(When::Call(2)));
//! let twitch = FakeTwitch::start(world).await;
//! // … point the subject at twitch.api_url() and twitch.token_url() …
//! assert_eq!(twitch.stats().pages, 0);
//! # });
//! ```
//!
//! It knows nothing of whoever asks.

mod api;
mod fault;
mod lock;
mod scenario;
mod server;
#[cfg(test)]
mod tests;
mod world;

pub use api::{Asked, Endpoint, EndpointStats, Latency, Settings, Stats};
pub use fault::{Defect, Defects, Effect, Fault, Faults, When};
pub use scenario::{SCENARIOS, Scenario, UnknownScenario};
pub use server::FakeTwitch;
pub use world::{Event, Game, Happening, Injected, Journal, Stream, TEST_USER, User, World, WorldConfig};
