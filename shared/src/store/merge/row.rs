//! The rows of `pull_data`: streams joined with their games and channels.

use std::collections::HashMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;

use crate::{
    schema::{ChunkRef, GameId, Record},
    store::Error,
};

/// A locked chunk that is not merged, and its streams.
pub(super) type Page = (ChunkRef, Vec<Record>);

/// A game in a document.
#[derive(Debug, Serialize)]
pub(super) struct Game {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) box_art_url: String,
    pub(super) igdb_id: String,
}

/// A channel in a document.
#[derive(Debug, Serialize)]
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) login: String,
    pub(super) display_name: String,
    pub(super) profile_image_url: String,
    pub(super) offline_image_url: String,
    pub(super) view_count: i64,
    pub(super) broadcaster_type: String,
    pub(super) description: String,
    pub(super) created_at: Option<String>,
}

/// The PullData document.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    #[serde(flatten)]
    pub(super) record: &'a Record,
    pub(super) game: Option<&'a Game>,
    pub(super) channel: Option<&'a Channel>,
}

/// A row of `pull_data`, under the names of its columns.
#[derive(Debug, Serialize)]
pub(super) struct MergedRow<'a> {
    pub(super) pull_id: i64,
    pub(super) pulled_at: DateTime<Utc>,
    pub(super) chunk: i32,
    pub(super) stream_id: &'a str,
    pub(super) channel_id: &'a str,
    pub(super) channel_login: &'a str,
    pub(super) channel_name: &'a str,
    pub(super) game_id: Option<&'a str>,
    pub(super) game_name: &'a str,
    pub(super) viewer_count: i32,
    pub(super) language: &'a str,
    pub(super) started_at: DateTime<Utc>,
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    pub(super) title: &'a str,
    pub(super) tags: &'a [String],
    pub(super) is_mature: bool,
    pub(super) data: Document<'a>,
}

/// All streams of these pages.
pub(super) fn records(pages: &[Page]) -> impl Iterator<Item = &Record> {
    pages.iter().flat_map(|(_, records)| records)
}

/// A time as documents have it: without a fraction where there is none, with six digits where there is one.
pub(super) fn written(time: DateTime<Utc>) -> String {
    let fraction = if time.timestamp_subsec_micros() == 0 { "" } else { "%.6f" };
    time.format(&format!("%Y-%m-%dT%H:%M:%S{fraction}Z")).to_string()
}

/// The rows of these pages. Fails where a stored page holds what no time is.
pub(super) fn rows<'a>(
    pages: &'a [Page],
    games: &'a HashMap<String, Game>,
    channels: &'a HashMap<String, Channel>,
) -> Result<Vec<MergedRow<'a>>, Error> {
    let mut rows = Vec::with_capacity(records(pages).count());
    for (chunk, records) in pages {
        for record in records {
            let game_id = record.game_id.as_ref().map(GameId::as_str);
            let channel = channels.get(record.user_id.as_str());
            let started_at = DateTime::parse_from_rfc3339(&record.started_at)
                .map_err(|error| Error::Page { chunk: *chunk, source: serde::de::Error::custom(error) })?;
            rows.push(MergedRow {
                pull_id: chunk.pull_id.0,
                pulled_at: chunk.pulled_at,
                chunk: chunk.chunk,
                stream_id: record.id.as_str(),
                channel_id: record.user_id.as_str(),
                channel_login: or_known(&record.user_login, channel.map(|channel| &channel.login)),
                channel_name: or_known(&record.user_name, channel.map(|channel| &channel.display_name)),
                game_id,
                game_name: &record.game_name,
                viewer_count: record.viewer_count,
                language: &record.language,
                // As PostgreSQL rounds a time that it reads.
                started_at: started_at.to_utc().round_subsecs(6),
                kind: &record.kind,
                title: &record.title,
                tags: &record.tags,
                is_mature: record.is_mature,
                data: Document { record, game: game_id.and_then(|id| games.get(id)), channel },
            });
        }
    }
    Ok(rows)
}

/// A name as the stream has it, or else as its channel has it.
fn or_known<'a>(told: &'a str, known: Option<&'a String>) -> &'a str {
    if told.is_empty() { known.map_or("", String::as_str) } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_fraction_only_where_there_is_one() {
        for text in ["2016-12-14T20:32:28Z", "2019-09-06T13:04:27.123456Z", "2011-03-19T15:42:22.100000Z"] {
            assert_eq!(written(text.parse().unwrap()), text);
        }
    }
}
