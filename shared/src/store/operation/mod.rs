//! Tables `operation` and `operation_step`: what people have ordered, who carries it out, and what came of it.

mod carry;
mod list;
mod model;
mod news;

pub use carry::{Claim, RENEW_EVERY};
pub use model::{AuditRow, NewOperation, OperationRow, OperationStep};
pub use news::OperationNews;
