//! What a person reads, made of facts: the sentences that the operator and the console share, so that both say the same.
//!
//! Knows no terminal and no browser, and no time but the one passed in.

mod body;
mod dead_letter_state;
mod describe_failure;
mod describe_operation;
mod describe_pull;
mod describe_trace;
mod facts;
pub mod format;
mod health;
mod moment;
mod obstacles;
mod queues;
pub mod suggest;

pub use body::readable;
pub use dead_letter_state::dead_letter_state;
pub use describe_failure::{advice, describe_failure};
pub use describe_operation::describe_operation;
pub use describe_pull::{
    by_rule, describe_channels, describe_games, describe_incomplete, describe_progress, describe_records,
    describe_rejects, describe_stop,
};
pub use describe_trace::{describe_absence, describe_whereabouts};
pub use facts::{Facts, Vanished};
pub use health::{About, Health, Trouble, end_of_erasure, unfinished_erasure};
pub use moment::Moment;
pub use obstacles::{
    behind, long_retries, no_worker, pause, pauses, person_pause, pull_obstacle, reason, retries, silence,
    stages_with_work,
};
pub use queues::{StageQueues, by_stage, count_rows, ready};
