//! Warnings and errors that persist. A leaf: `runtime` collects them, `store` keeps them.

use chrono::{DateTime, Utc};

/// A warning or an error of a program, and how often it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Equal for events of one program that differ only in numbers, times and quoted words, and are about the same pull.
    pub fingerprint: String,
    /// `WARN` or `ERROR`.
    pub level: &'static str,
    /// The program.
    pub stage: String,
    /// The code of the failure, such as `store.unreachable`, where there is one.
    pub code: Option<String>,
    /// The pull it is about, where it is about one.
    pub pull_id: Option<i64>,
    /// The latest chunk it was about.
    pub chunk: Option<i32>,
    /// Its latest words.
    pub message: String,
    /// The latest trace it was part of.
    pub trace: Option<String>,
    /// The build of the program.
    pub build: &'static str,
    /// The host it runs on.
    pub host: String,
    /// How often it was seen.
    pub count: u64,
    /// When it was seen first, by the program's clock.
    pub first_at: DateTime<Utc>,
    /// When it was seen last.
    pub last_at: DateTime<Utc>,
}

impl Event {
    /// Takes in another event with the same fingerprint.
    pub fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first_at = self.first_at.min(other.first_at);
        if other.last_at >= self.last_at {
            let (count, first_at) = (self.count, self.first_at);
            *self = Self { count, first_at, ..other };
        }
    }
}
