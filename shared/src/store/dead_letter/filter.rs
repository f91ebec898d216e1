//! Which dead letters are meant, as a condition in SQL.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::ToSql;

/// Which dead letters are meant. Everything given must hold; nothing given means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetterFilter {
    /// These, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<i64>>,
    /// Of this stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Of this class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Of this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Of the group whose fingerprint begins so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// About this pull.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<i64>,
    /// About a chunk with this channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// About a chunk with this game.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game: Option<String>,
    /// That failed last at or after this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// That failed last before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// In one of these states; without it, those that lie in their queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub states: Option<Vec<String>>,
}

/// Every state a dead letter can be in.
pub const DEAD_LETTER_STATES: [&str; 7] =
    ["dead", "held", "replaying", "replayed", "cured", "discarded", "vanished"];

/// States of dead letters that lie in their queue.
const QUEUED: [&str; 3] = ["dead", "held", "replaying"];

/// The filter as a condition on `dead_letter d`; its parameters are `$1` to `$11`.
pub(super) const CONDITION: &str = "($1::bigint[] is null or d.id = any($1))
    and ($2::text is null or d.stage = $2) and ($3::text is null or d.class = $3) and ($4::text is null or d.code = $4)
    and ($5::text is null or d.fingerprint = $5 or length($5) < 16 and starts_with(d.fingerprint, $5)) and ($6::bigint is null or d.pull_id = $6)
    and ($7::text is null or exists (select from pull_chunk c where c.pull_id = d.pull_id
         and (d.chunk is null or c.chunk = d.chunk) and $7 = any(c.channel_ids)))
    and ($8::text is null or exists (select from pull_chunk c where c.pull_id = d.pull_id
         and (d.chunk is null or c.chunk = d.chunk) and $8 = any(c.game_ids)))
    and ($9::timestamptz is null or d.last_failed_at >= $9) and ($10::timestamptz is null or d.last_failed_at < $10)
    and d.state = any($11)";

impl DeadLetterFilter {
    /// Those in these states, whatever it says of states.
    #[must_use]
    pub fn in_states(&self, states: &[&str]) -> Self {
        Self { states: Some(states.iter().map(ToString::to_string).collect()), ..self.clone() }
    }

    /// Those that can be taken out of their queue: of the states meant, dead and held.
    #[must_use]
    pub fn in_queue(&self) -> Self {
        let meant =
            |state: &&str| self.states.as_ref().is_none_or(|states| states.iter().any(|one| one == state));
        self.in_states(&["dead", "held"].into_iter().filter(meant).collect::<Vec<_>>())
    }

    /// Whether it leaves out whole causes and states, and no dead letter of those.
    pub(super) const fn is_of_causes(&self) -> bool {
        let Self {
            ids,
            pull,
            channel,
            game,
            since,
            until,
            stage: _,
            class: _,
            code: _,
            fingerprint: _,
            states: _,
        } = self;
        ids.is_none()
            && pull.is_none()
            && channel.is_none()
            && game.is_none()
            && since.is_none()
            && until.is_none()
    }

    /// The states meant.
    pub(super) fn states(&self) -> Vec<String> {
        self.states.clone().unwrap_or_else(|| QUEUED.map(str::to_owned).to_vec())
    }

    /// The parameters of [`CONDITION`].
    pub(super) fn parameters<'a>(&'a self, states: &'a Vec<String>) -> Vec<&'a (dyn ToSql + Sync)> {
        vec![
            &self.ids,
            &self.stage,
            &self.class,
            &self.code,
            &self.fingerprint,
            &self.pull,
            &self.channel,
            &self.game,
            &self.since,
            &self.until,
            states,
        ]
    }
}
