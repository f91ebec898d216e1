//! What the four workers and the operator have in common.
//!
//! The modules are as strict as crates: `failure`, `clock`, `metrics`, `dial`, `tls`, `version`, `event`, `scrub`,
//! `lake`, `worker_state`, `steering` and `config` are leaves;
//! `schema` knows no queue, SQL or
//! HTTP; `topology` is the whole broker as one typed table; `helix` and `store` do not know each other; `runtime` is
//! the only one that consumes, publishes, acknowledges, retries and dead-letters; above them stand
//! `enrichment`, the worker that both enrichers are, `pull`, what ends and repeats pulls, `dead_letters`, what becomes of dead letters, `retention`, what is removed when, and `erasure`, how a channel is forgotten; `proof` searches for it afterwards. `operations` is what people order of that, and `view` what they read. `tests/suite` checks the imports.

pub mod budget_store;
pub mod clock;
pub mod config;
pub mod dead_letter;
pub mod dead_letters;
mod dial;
pub mod enrichment;
pub mod erasure;
pub mod event;
pub mod failure;
pub mod helix;
pub mod lake;
pub mod metrics;
pub mod operations;
pub mod proof;
pub mod pull;
pub mod replica;
pub mod retention;
pub mod runtime;
pub mod schema;
pub mod scrub;
pub mod steering;
pub mod store;
mod tls;
pub mod token_store;
pub mod token_validation;
pub mod topology;
pub mod version;
pub mod view;
pub mod worker_state;
