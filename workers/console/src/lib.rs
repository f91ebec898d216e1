//! The console: the flow in a browser. It reads, and changes nothing: beside every number stands the command of the operator
//! that says more, or acts.
//!
//! A request names a page ([`route`]); the page asks the store ([`page`]) and makes a [`document`], which one template turns into
//! HTML. [`sampler`] judges the flow for all open pages at once, [`live`] sends open pages their news, [`memory`] keeps what a page
//! showed last for when PostgreSQL is unavailable, and [`guard`] decides who is answered at all.

mod access;
mod asset;
mod cell;
mod document;
mod error;
mod guard;
mod live;
mod memory;
mod page;
mod picture;
mod render;
mod route;
mod sampler;
mod search;
mod settings;
mod state;
mod web;

pub use state::Console;
