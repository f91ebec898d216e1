//! The console: the flow in a browser. Beside every number stands the command of the operator that says more, or acts. Without
//! `ALLOW_ACTIONS` it changes nothing; with it, what a person orders becomes an operation, which the server side carries out.
//!
//! A request names a page ([`route`]); the page asks the store ([`page`]) and makes a [`document`], which one template turns into
//! HTML. [`sampler`] judges the flow for all open pages at once, [`live`] sends open pages their news, [`memory`] keeps what a page
//! showed last for when PostgreSQL is unavailable, [`guard`] decides who is answered at all, and
//! [`order`] puts down what they order.

mod access;
mod asset;
mod cell;
mod document;
mod error;
mod guard;
mod live;
mod login;
mod memory;
mod order;
mod page;
mod picture;
mod render;
mod route;
mod sampler;
mod search;
mod settings;
mod show;
mod state;
mod web;

use shared::worker_state::StatusReporter;
pub use state::Console;

impl Console {
    /// Where its warnings and errors are written down.
    pub fn status_reporter(&self) -> &dyn StatusReporter {
        &self.store
    }
}
