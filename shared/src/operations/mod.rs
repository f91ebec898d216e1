//! What people order, as rows: carried out by an extractor, or by the command that ordered it; with the same code.
//!
//! Who carries an operation out claims its row and says again and again that it is there; when it dies, somebody else goes on.
//! Each step is harmless when it is done twice. Knows no terminal and no browser.

mod action;
mod carry;
mod command;
mod duty;
mod perform;
mod run_once;

pub use action::{Action, Careful};
pub use carry::{Carrier, Requester, begin, record, request};
pub use duty::duty;
pub use perform::{Effect, Tools};
pub use run_once::run_once;
