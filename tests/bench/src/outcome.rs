//! What a drill comes to, and how it tells the person who runs it.

use std::io::{self, Write};

/// What a drill comes to; whatever ends it early is told in words.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A line for the person who runs it.
pub(crate) fn say(line: &str) -> Outcome<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}
