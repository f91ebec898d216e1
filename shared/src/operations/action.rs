//! What can be ordered, as it is kept in a row.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    dead_letters::Canary,
    failure::Failure,
    store::{DeadLetterFilter, OperationRow, RerunFrom},
};

/// What can be ordered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Action {
    /// Send dead letters back.
    Replay {
        /// Which.
        filter: DeadLetterFilter,
        /// The stage they are sent to; none is each dead letter's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// At most so many.
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<i64>,
        /// At most so many per second.
        #[serde(skip_serializing_if = "Option::is_none")]
        rate: Option<f64>,
        /// In growing batches; none sends all.
        #[serde(skip_serializing_if = "Option::is_none")]
        canary: Option<Careful>,
        /// Whether nothing is sent where others match than were counted.
        #[serde(default)]
        exactly: bool,
    },
    /// Move dead letters from their queues into the archive.
    Discard {
        /// Which.
        filter: DeadLetterFilter,
        /// Whether nothing is discarded where others match than were counted.
        #[serde(default)]
        exactly: bool,
    },
    /// Bring archived dead letters back into their queues.
    Restore {
        /// By number.
        ids: Vec<i64>,
    },
    /// Hold dead letters.
    Hold {
        /// Which.
        filter: DeadLetterFilter,
        /// Until a build of this version, or a newer one, runs.
        #[serde(skip_serializing_if = "Option::is_none")]
        until_build: Option<String>,
    },
    /// Release held dead letters.
    Release {
        /// Which.
        filter: DeadLetterFilter,
    },
    /// Run a past pull again.
    Rerun {
        /// The pull.
        pull: i64,
        /// The first stage.
        from: RerunFrom,
    },
    /// Pause a stage.
    Pause {
        /// The stage.
        stage: String,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Seconds after the order at which it ends by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds: Option<u32>,
    },
    /// End a stage's pause.
    Resume {
        /// The stage.
        stage: String,
    },
    /// Have a paused stage handle one message.
    RunOnce {
        /// The stage.
        stage: String,
    },
    /// Cancel a pull.
    Cancel {
        /// The pull.
        pull: i64,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// When a careful replay stops by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Careful {
    /// When more than this share of a batch fails again, 0 to 1.
    pub tolerate: f64,
    /// When a batch has no results for so long, in seconds.
    pub patience: f64,
}

impl From<Canary> for Careful {
    fn from(canary: Canary) -> Self {
        Self { tolerate: canary.tolerate, patience: canary.patience.as_secs_f64() }
    }
}

impl From<Careful> for Canary {
    fn from(careful: Careful) -> Self {
        let patience = Duration::try_from_secs_f64(careful.patience).unwrap_or(Duration::MAX);
        Self { tolerate: careful.tolerate, patience }
    }
}

impl Action {
    /// Its kind, and its arguments as they are kept.
    pub(super) fn to_row(&self) -> (String, Value) {
        let mut arguments = serde_json::to_value(self).unwrap_or_default();
        let kind = arguments.as_object_mut().and_then(|arguments| arguments.remove("kind"));
        (kind.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(), arguments)
    }

    /// What a row orders.
    ///
    /// # Errors
    /// Where a newer build has ordered what this one does not know.
    pub fn of(row: &OperationRow) -> Result<Self, Failure> {
        let mut arguments = row.arguments.clone();
        if let Some(arguments) = arguments.as_object_mut() {
            arguments.insert("kind".into(), row.kind.as_str().into());
        }
        serde_json::from_value(arguments).map_err(|error| {
            let why = format!("this build does not know how to {} {}: {error}", row.kind, row.arguments);
            Failure::permanent("operation.unknown", why)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> OperationRow {
        OperationRow {
            id: 1,
            kind: String::new(),
            arguments: serde_json::Value::Null,
            command: String::new(),
            requested_by: "ada".into(),
            requested_from: "console".into(),
            requested_at: chrono::DateTime::UNIX_EPOCH,
            counted: None,
            state: "requested".into(),
            stop_by: None,
            stop_at: None,
            carried_by: None,
            started_at: None,
            ended_at: None,
            outcome: None,
            replay_id: None,
        }
    }

    #[test]
    fn what_is_kept_is_what_was_ordered() {
        let filter = DeadLetterFilter { fingerprint: Some("3fa9".into()), ..DeadLetterFilter::default() };
        let canary = Some(Careful { tolerate: 0.1, patience: 60.0 });
        for action in [
            Action::Replay { filter, to: None, limit: Some(5), rate: Some(0.5), canary, exactly: true },
            Action::Rerun { pull: 7, from: RerunFrom::Merge },
            Action::Resume { stage: "finalizer".into() },
            Action::RunOnce { stage: "finalizer".into() },
        ] {
            let (kind, arguments) = action.to_row();
            let row = OperationRow { kind, arguments, ..row() };
            assert_eq!(Action::of(&row).unwrap(), action);
        }
    }
}
