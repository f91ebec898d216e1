//! The client of Twitch's Helix API: what is live, which game, which channel.
//!
//! One endpoint is one file ([`streams`](Client::streams), [`games`](Client::games), [`users`](Client::users)), each
//! with its query, its limits, its reply and a recorded reply as its test. Beneath them are one `get` (`http`), one
//! token for all processes (`token`), one view of the point budget that the client id's processes share (`budget`) and one
//! of whether Twitch works at all (`health`, [`check`](Client::check)).
//!
//! It knows no queue, no table and no pull. It repeats a call at once, and once, where Twitch advises that; everything
//! slower is the caller's business, which learns from the [`Failure`](crate::failure::Failure) what kind of trouble
//! it is and how long to wait. It fails with [`Error`].

mod app;
mod batch;
mod budget;
mod check;
mod client;
mod drift;
mod endpoint_url;
mod error;
mod games;
mod header;
mod health;
mod http;
mod reply;
mod streams;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod users;
mod validate;

pub use self::{batch::Batch, budget::BudgetView, client::Client, error::Error, streams::StreamsPage};
pub use crate::schema::{Channel, Game};
