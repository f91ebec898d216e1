//! What ends a pull that cannot be finished, and repeats one that was. Knows the store and the runtime.

mod ending;
mod rerun;

pub use ending::{give_up_on_chunk, give_up_on_pull};
pub use rerun::rerun;
