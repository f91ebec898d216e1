//! The rows of `pull_data`: streams joined with their games and channels.

use std::collections::HashMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;

use crate::{
    schema::{ChunkRef, GameId, Record},
    store::Error,
};

/// A locked chunk that is not merged, and its streams.
pub(in crate::store) type Page = (ChunkRef, Vec<Record>);

/// A game in a document.
#[derive(Debug, Serialize)]
pub(in crate::store) struct Game {
    pub(in crate::store) id: String,
    pub(in crate::store) name: String,
    pub(in crate::store) box_art_url: String,
    pub(in crate::store) igdb_id: String,
}

/// A channel in a document.
#[derive(Debug, Serialize)]
pub(in crate::store) struct Channel {
    pub(in crate::store) id: String,
    pub(in crate::store) login: String,
    pub(in crate::store) display_name: String,
    pub(in crate::store) profile_image_url: String,
    pub(in crate::store) offline_image_url: String,
    pub(in crate::store) view_count: i64,
    pub(in crate::store) broadcaster_type: String,
    pub(in crate::store) description: String,
    pub(in crate::store) created_at: Option<String>,
}

/// The PullData document.
#[derive(Debug, Serialize)]
pub(in crate::store) struct Document<'a> {
    #[serde(flatten)]
    pub(in crate::store) record: &'a Record,
    pub(in crate::store) game: Option<&'a Game>,
    pub(in crate::store) channel: Option<&'a Channel>,
}

/// A row of `pull_data`, under the names of its columns.
#[derive(Debug, Serialize)]
pub(in crate::store) struct MergedRow<'a> {
    pub(in crate::store) pull_id: i64,
    pub(in crate::store) pulled_at: DateTime<Utc>,
    pub(in crate::store) chunk: i32,
    pub(in crate::store) stream_id: &'a str,
    pub(in crate::store) channel_id: &'a str,
    pub(in crate::store) channel_login: &'a str,
    pub(in crate::store) channel_name: &'a str,
    pub(in crate::store) game_id: Option<&'a str>,
    pub(in crate::store) game_name: &'a str,
    pub(in crate::store) viewer_count: i32,
    pub(in crate::store) language: &'a str,
    pub(in crate::store) started_at: DateTime<Utc>,
    #[serde(rename = "type")]
    pub(in crate::store) kind: &'a str,
    pub(in crate::store) title: &'a str,
    pub(in crate::store) tags: &'a [String],
    pub(in crate::store) is_mature: bool,
    pub(in crate::store) data: Document<'a>,
}

/// All streams of these pages.
pub(in crate::store) fn records(pages: &[Page]) -> impl Iterator<Item = &Record> {
    pages.iter().flat_map(|(_, records)| records)
}

/// A time as documents have it: without a fraction where there is none, with six digits where there is one.
pub(in crate::store) fn written(time: DateTime<Utc>) -> String {
    let fraction = if time.timestamp_subsec_micros() == 0 { "" } else { "%.6f" };
    time.format(&format!("%Y-%m-%dT%H:%M:%S{fraction}Z")).to_string()
}

/// The rows of these pages. Fails where a stored page holds what no time is.
pub(in crate::store) fn rows<'a>(
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
