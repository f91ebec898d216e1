//! Dead letters as rows: recorded, listed, held, sent back, archived, and compared with their queues.

mod alarm;
mod annotate;
mod archive;
mod count;
mod filter;
mod groups;
mod list;
mod reconcile;
mod record;
mod replay;
mod replay_report;
mod take_over;

pub use alarm::{Alarm, AlarmLimits, DeadLetterDepth};
pub use filter::{DEAD_LETTER_STATES, DeadLetterFilter};
pub use groups::DeadLetterGroup;
pub use list::{DeadLetterDetails, DeadLetterEvent, DeadLetterRow};
pub use reconcile::PageComparison;
pub(super) use record::{failed, lock_dead_letter_tables};
pub use replay::{Plan, ReplayLease, ReplayedDeadLetter};
pub use replay_report::{Outcome, ReplayReport};
pub use take_over::{Continued, Interrupted};
