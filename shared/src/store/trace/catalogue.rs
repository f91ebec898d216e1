//! A channel or a game: what is known of it, since when, and through which pull; or that Twitch does not know it.

use chrono::{DateTime, Utc};

use crate::{
    schema::PullId,
    store::{Error, Kind, Store, column::Columns},
};

/// What is known of a channel or a game.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CatalogueTrace {
    /// Its id.
    pub id: String,
    /// Its name, when it was fetched last, and the pull that brought it; none where it is not known.
    pub known: Option<(String, DateTime<Utc>, PullId)>,
    /// That Twitch did not return it, though it was asked for.
    pub missing: Option<Missing>,
}

/// That Twitch did not return an id.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Missing {
    /// `absent`, `refused` or `malformed`.
    pub reason: String,
    /// When Twitch first did not return it.
    pub first_missed_at: DateTime<Utc>,
    /// When it was asked for last.
    pub last_asked_at: DateTime<Utc>,
    /// How often.
    pub times: i32,
    /// Where it was seen last.
    pub pull_id: PullId,
    /// Where it was seen last.
    pub chunk: i32,
}

impl Store {
    /// What is known of a channel or a game.
    pub async fn trace_catalogue(&self, kind: Kind, id: &str) -> Result<CatalogueTrace, Error> {
        let (known, missing) = match kind {
            Kind::Channel => (
                "/* trace::channel */
                select login as name, fetched_at, first_pull_id from twitch_channel where channel_id = $1",
                "/* trace::missing_channel */
                select reason, first_missed_at, last_asked_at, times, pull_id, chunk from missing_channel where channel_id = $1",
            ),
            Kind::Game => (
                "/* trace::game */ select name, fetched_at, first_pull_id from twitch_game where game_id = $1",
                "/* trace::missing_game */
                select reason, first_missed_at, last_asked_at, times, pull_id, chunk from missing_game where game_id = $1",
            ),
        };
        let client = self.client().await?;
        let known = client.query_opt(known, &[&id]).await?.map(|row| {
            Ok::<_, Error>((
                row.column("name")?,
                row.column("fetched_at")?,
                PullId(row.column("first_pull_id")?),
            ))
        });
        let missing = client.query_opt(missing, &[&id]).await?.map(|row| {
            Ok::<_, Error>(Missing {
                reason: row.column("reason")?,
                first_missed_at: row.column("first_missed_at")?,
                last_asked_at: row.column("last_asked_at")?,
                times: row.column("times")?,
                pull_id: PullId(row.column("pull_id")?),
                chunk: row.column("chunk")?,
            })
        });
        Ok(CatalogueTrace { id: id.to_owned(), known: known.transpose()?, missing: missing.transpose()? })
    }
}
