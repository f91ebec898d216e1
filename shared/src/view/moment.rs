//! A time as a person gives it: at the command line, or in an address.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

/// A time, or so long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// This time.
    At(DateTime<Utc>),
    /// So long ago.
    Ago(Duration),
}

impl Moment {
    /// The time it means now. The distant past is 1970.
    pub fn time(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(time) => time,
            Self::Ago(duration) => TimeDelta::from_std(duration)
                .ok()
                .and_then(|duration| now.checked_sub_signed(duration))
                .unwrap_or(DateTime::UNIX_EPOCH)
                .max(DateTime::UNIX_EPOCH),
        }
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.to_utc()));
        }
        humantime::parse_duration(text)
            .map(Self::Ago)
            .map_err(|_| "write a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h or 3days")
    }
}
