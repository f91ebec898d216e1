//! The classes of data, what each holds, and how long it is kept unless somebody says otherwise.
//!
//! A new table that grows gets a line here, and nothing else: the survey, the daily run and the operator's commands go by this
//! list. One that has no line says why in the test that walks all tables (`retention_classes.rs`). `pull` has none: its rows are
//! small, and they are the account of what was collected.

use std::{fmt, str::FromStr, time::Duration};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// How long data is kept: whole hours, or for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl(Option<Duration>);

/// Data that is kept for the same time.
#[derive(Debug)]
pub struct RetentionClass {
    /// What people call it.
    pub name: &'static str,
    /// What it holds, in a few words.
    pub about: &'static str,
    /// How long it is kept unless somebody says otherwise.
    pub default: Ttl,
    /// Where its data is.
    pub places: &'static [Place],
}

/// Where data of a class is, and how it is removed.
#[derive(Debug)]
pub enum Place {
    /// A table that is partitioned by day: whole days are detached and dropped.
    Days {
        /// The table.
        table: &'static str,
        /// The column of `pull` that counts its rows: counting them would read them all.
        counted: &'static str,
        /// Whether a lake holds the same, and so has to have it first.
        in_lake: bool,
    },
    /// Rows of a table, deleted in batches.
    Rows {
        /// The table.
        table: &'static str,
        /// The column whose time is their age.
        at: &'static str,
        /// Which rows may go at all.
        only: &'static str,
    },
    /// Rows of a table that is partitioned by day and has a default partition, deleted in batches; days that are empty then are
    /// dropped. A whole day would leave only under a lock that its writers would wait for.
    RowsOfDays {
        /// The table.
        table: &'static str,
        /// The column whose time is their age.
        at: &'static str,
    },
    /// Columns of `pull_chunk`, emptied in batches.
    Columns {
        /// The columns.
        names: &'static [&'static str],
        /// Which rows may lose them at all.
        only: &'static str,
    },
    /// Games or channels that no row names which is still there.
    Unnamed {
        /// The table.
        table: &'static str,
        /// Its key, which is also the column of `pull_data` that names it.
        key: &'static str,
        /// The column of `pull_chunk` that names it while the chunk is not merged.
        of_chunk: &'static str,
    },
    /// Dead letters that are not open, with their history and their replays.
    DeadLetters,
    /// Snapshots of the lake's catalogue: the files that only they have leave storage after them, by the exporter's hand.
    LakeSnapshots,
}

/// The class of the lake's snapshots, which the exporter expires too.
pub const LAKE_SNAPSHOTS: &str = "lake-snapshots";

/// All classes.
pub const RETENTION_CLASSES: [RetentionClass; 13] = [
    RetentionClass {
        name: "pages",
        about: "chunks: the raw page, the rejects, state and times of each stage (pull_chunk)",
        default: Ttl::days(90),
        places: &[Place::Days { table: "pull_chunk", counted: "chunks", in_lake: false }],
    },
    RetentionClass {
        name: "raw",
        about: "what Twitch sent, of chunks that are merged, where it is to leave before the rest of the chunk",
        default: Ttl::NEVER,
        places: &[Place::Columns {
            names: &["page", "page_jsonb", "rejects"],
            only: "merged_at is not null",
        }],
    },
    RetentionClass {
        name: "rows",
        about: "streams with their documents (pull_data)",
        default: Ttl::NEVER,
        places: &[Place::Days { table: "pull_data", counted: "stored", in_lake: true }],
    },
    RetentionClass {
        name: "rejects",
        about: "rejected records; counts by rule stay with the page (pull_chunk.rejects)",
        default: Ttl::days(30),
        places: &[Place::Columns { names: &["rejects"], only: "true" }],
    },
    RetentionClass {
        name: "dead-letters",
        about: "dead letters that are resolved, discarded or vanished, with their history and replays; never open ones",
        default: Ttl::days(90),
        places: &[Place::DeadLetters],
    },
    RetentionClass {
        name: "missing-ids",
        about: "ids that Twitch did not answer for (missing_game, missing_channel)",
        default: Ttl::days(180),
        places: &[
            Place::Rows { table: "missing_game", at: "last_asked_at", only: "true" },
            Place::Rows { table: "missing_channel", at: "last_asked_at", only: "true" },
        ],
    },
    RetentionClass {
        name: "catalogue",
        about: "games and channels that were not asked for since, and that no stored stream names (twitch_game, twitch_channel)",
        default: Ttl::days(400),
        places: &[
            Place::Unnamed { table: "twitch_game", key: "game_id", of_chunk: "game_ids" },
            Place::Unnamed { table: "twitch_channel", key: "channel_id", of_chunk: "channel_ids" },
        ],
    },
    RetentionClass {
        name: "alarms",
        about: "alarms about dead letters (alarm)",
        default: Ttl::days(90),
        places: &[Place::Rows { table: "alarm", at: "at", only: "true" }],
    },
    RetentionClass {
        name: "slots",
        about: "slots without a pull, and why (missed_slot)",
        default: Ttl::days(365),
        places: &[Place::Rows { table: "missed_slot", at: "slot", only: "true" }],
    },
    RetentionClass {
        name: "events",
        about: "warnings and errors of the workers (event)",
        default: Ttl::days(90),
        places: &[Place::Rows { table: "event", at: "last_at", only: "true" }],
    },
    RetentionClass {
        name: "provenance",
        about: "what each stage did with a chunk (provenance)",
        default: Ttl::days(90),
        places: &[Place::RowsOfDays { table: "provenance", at: "pulled_at" }],
    },
    RetentionClass {
        name: "history",
        about: "ends of pulls, starts and pauses of workers, orders (pull_history, worker_history, operation, steering, run_once, \
                retention_run, lake.request)",
        default: Ttl::days(365),
        places: &[
            Place::Rows { table: "pull_history", at: "at", only: "true" },
            Place::Rows { table: "worker_history", at: "at", only: "true" },
            Place::Rows { table: "steering", at: "at", only: "true" },
            Place::Rows { table: "operation", at: "requested_at", only: "ended_at is not null" },
            Place::Rows { table: "run_once", at: "requested_at", only: "ended_at is not null" },
            Place::Rows { table: "retention_run", at: "started_at", only: "true" },
            Place::Rows { table: "lake.request", at: "requested_at", only: "finished_at is not null" },
        ],
    },
    RetentionClass {
        name: LAKE_SNAPSHOTS,
        about: "versions of the lake that can still be read, and the files that only they have (schema lake)",
        default: Ttl::days(7),
        places: &[Place::LakeSnapshots],
    },
];

impl RetentionClass {
    /// The class of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        RETENTION_CLASSES.iter().find(|class| class.name == name)
    }
}

impl Ttl {
    /// Kept for ever.
    pub const NEVER: Self = Self(None);

    /// So many days.
    pub const fn days(days: u64) -> Self {
        Self(Some(Duration::from_secs(days * DAY)))
    }

    /// Of so many seconds; 0 keeps for ever.
    pub(super) fn of_seconds(seconds: i64) -> Self {
        Self(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs))
    }

    /// In seconds; 0 keeps for ever.
    pub(super) fn seconds(self) -> i64 {
        self.0.map_or(0, |ttl| i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX))
    }

    /// The time; none for ever.
    pub const fn duration(self) -> Option<Duration> {
        self.0
    }
}

impl FromStr for Ttl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if matches!(text, "never" | "0") {
            return Ok(Self::NEVER);
        }
        let ttl = humantime::parse_duration(text).map_err(|error| error.to_string())?;
        match ttl.as_secs() {
            seconds if seconds % HOUR == 0 && ttl.subsec_nanos() == 0 && seconds > 0 => Ok(Self(Some(ttl))),
            _ => Err("write whole hours or days, such as 30d, or never".into()),
        }
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.map(|ttl| ttl.as_secs()) {
            None => f.write_str("never"),
            Some(seconds) if seconds % DAY == 0 => write!(f, "{}d", seconds / DAY),
            Some(seconds) => write!(f, "{}h", seconds / HOUR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_written_as_it_is_shown() {
        for text in ["never", "90d", "36h", "1h"] {
            assert_eq!(text.parse::<Ttl>().unwrap().to_string(), text);
        }
        assert_eq!("0".parse(), Ok(Ttl::NEVER));
        assert_eq!("48h".parse::<Ttl>().unwrap().to_string(), "2d");
        for bad in ["", "90", "30m", "1h 1s", "-1d", "for ever"] {
            assert!(bad.parse::<Ttl>().is_err(), "{bad}");
        }
    }
}
