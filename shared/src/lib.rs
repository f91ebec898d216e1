//! What the four workers and the operator have in common.
//!
//! The modules are as strict as crates: `failure`, `clock`, `metrics`, `dial`, `tls`, `version`, `worker_state` and `config` are leaves;
//! `schema` knows no queue, SQL or
//! HTTP; `topology` is the whole broker as one typed table; `helix` and `store` do not know each other; `runtime` is
//! the only one that consumes, publishes, acknowledges, retries and dead-letters; `work` is what several workers do
//! alike, `dead_letters` what people do with dead letters, and both see all of these. `tests/suite` checks the imports.

pub mod clock;
pub mod config;
pub mod dead_letter;
pub mod dead_letters;
mod dial;
pub mod failure;
pub mod helix;
pub mod metrics;
pub mod runtime;
pub mod schema;
pub mod store;
mod tls;
pub mod token_store;
pub mod topology;
pub mod version;
pub mod work;
pub mod worker_state;
