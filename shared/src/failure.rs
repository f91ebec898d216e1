//! A failure and its class: what the runtime needs to know to choose the fate of a message.
//!
//! Every error type of this crate classifies itself once, next to its definition, by `impl From<…> for Failure`; a
//! handler only uses `?`.

use std::{error::Error, fmt, time::Duration};

/// Longest text kept of a message or cause, in bytes: headers must fit the broker's frame with room to spare.
const LONGEST_TEXT: usize = 1024;

/// What kind of trouble it is. The table in the operator's README says which fault has which class, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// May pass by itself: tried again after a growing delay, a bounded number of times.
    Transient,
    /// The point budget is spent: waits until there are points again, which does not count as a retry.
    RateLimited,
    /// Somebody else holds what is needed, such as a lock: kept in hand and tried again soon, which does not count as a retry.
    Contention,
    /// Twitch refuses our credentials: the stage pauses and says so; no message is spent on it.
    Auth,
    /// A service everything depends on is away: the stage pauses until it is back; no message is spent on it.
    Outage,
    /// Will never pass by itself: dead-lettered at once.
    Permanent,
}

impl Class {
    /// Whether a failure of this class is charged to its message, which it may cost an attempt or its life.
    pub const fn is_charged(self) -> bool {
        matches!(self, Self::Transient | Self::Permanent)
    }

    /// The name used in headers, logs and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::RateLimited => "rate-limited",
            Self::Contention => "contention",
            Self::Auth => "auth",
            Self::Outage => "outage",
            Self::Permanent => "permanent",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a message could not be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Decides the message's fate.
    pub class: Class,
    /// A short, stable name of the fault, such as `helix.server_error`; fit for grouping and filtering.
    pub code: &'static str,
    /// The fault in words, for a person. Holds no secret.
    pub message: String,
    /// What caused it, outermost first.
    pub causes: Vec<String>,
    /// How long to wait at least, where the other side told.
    pub retry_after: Option<Duration>,
    /// Whether something took too long, which may be the message's doing or that of what all messages share: the consumer
    /// finds out which (`runtime/consumer/blame.rs`).
    pub timed_out: bool,
}

impl Failure {
    /// A failure told in words, without a cause behind it.
    pub fn new(class: Class, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            class,
            code,
            message: bounded(message.into()),
            causes: Vec::new(),
            retry_after: None,
            timed_out: false,
        }
    }

    /// A failure that will never pass by itself.
    pub fn permanent(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Class::Permanent, code, message)
    }

    /// A failure that may pass by itself.
    pub fn transient(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Class::Transient, code, message)
    }

    /// The failure an error stands for, with its chain of sources.
    pub fn of(class: Class, code: &'static str, error: &dyn Error) -> Self {
        let causes = std::iter::successors(error.source(), |&cause| cause.source())
            .take(8)
            .map(|cause| bounded(cause.to_string()))
            .collect();
        Self { causes, ..Self::new(class, code, error.to_string()) }
    }

    /// The same, as one of something that took too long: an outage, unless it turns out to be the message's doing.
    #[must_use]
    pub fn timed_out(self) -> Self {
        Self { class: Class::Outage, timed_out: true, ..self }
    }

    /// The same, not to be tried again before `wait` has passed.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl Error for Failure {}

/// The text, cut at a character boundary to the longest we keep.
fn bounded(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        let end = (0..=LONGEST_TEXT).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let failure = Failure::permanent("test", "ż".repeat(2_000));
        assert!(failure.message.len() <= LONGEST_TEXT + '…'.len_utf8());
        assert!(failure.message.ends_with("ż…"));
    }

    #[test]
    fn the_chain_of_causes_is_kept() {
        let inner = "x".parse::<i32>().unwrap_err();
        let outer = std::io::Error::other(inner);
        let failure = Failure::of(Class::Transient, "test", &outer);
        assert_eq!(failure.to_string(), "invalid digit found in string");
        assert_eq!(failure.class.to_string(), "transient");
    }
}
