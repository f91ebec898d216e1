//! What is kept for how long, and how what is past its time is removed, statement by statement. When it is done, and in which
//! order, is decided in [`crate::retention`].

mod class;
mod days;
mod lake;
mod policy;
mod rows;
mod unnamed;

pub use class::{LAKE_SNAPSHOTS, Place, RETENTION_CLASSES, RetentionClass, Ttl};
pub use days::{Leaving, StoredDay};
pub use policy::RetentionRun;
pub use rows::Stored;
