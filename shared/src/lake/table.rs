//! The tables of the lake.

use super::{
    Column, Row, Value,
    column::Kind::{Boolean, Int32, Int64, Text, Texts, Time},
};

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its number in the catalogue. Never given twice.
    pub id: i64,
    /// Its name.
    pub name: &'static str,
    /// What a row is, for people.
    pub comment: &'static str,
    /// Its columns, in the order in which they are written. New ones go to the end, may be null, and have ids of their own.
    pub columns: &'static [Column],
    /// The columns by which its files are sorted; together they are its key.
    pub sorted_by: &'static [&'static str],
}

/// Bytes of a text without a limit that we know of.
const LONG: u16 = 65_535;
/// Bytes of an id.
const ID: u16 = 20;

const PULL_ID: Column = Column::new(1, "pull_id", Int64, "the pull");
const PULLED_AT: Column = Column::new(2, "pulled_at", Time, "when the pull was started, UTC");

/// Every table.
pub const TABLES: [Table; 4] = [
    Table {
        id: 1,
        name: "pull",
        comment: "one row per completed pull: a snapshot of everything live with an audience",
        columns: &[
            PULL_ID,
            PULLED_AT,
            Column::new(3, "slot", Time, "the scheduled time; null when a person asked for it").or_null(),
            Column::new(4, "requested_by", Text(LONG), "who asked for it"),
            Column::new(5, "extracted_at", Time, "when its last page was stored").or_null(),
            Column::new(6, "completed_at", Time, "when it was complete"),
            Column::new(7, "stop_reason", Text(64), "why it stopped fetching pages").or_null(),
            Column::new(
                8,
                "whole",
                Boolean,
                "whether the list was read to its end, or to the least viewers wanted",
            )
            .or_null(),
            Column::new(9, "pages", Int32, "pages fetched"),
            Column::new(10, "fetched", Int32, "records received: stored + rejected + duplicates"),
            Column::new(11, "stored", Int32, "streams stored: rows of stream_peek"),
            Column::new(12, "rejected", Int32, "records that failed validation"),
            Column::new(13, "duplicates", Int32, "records whose stream the pull already had"),
            Column::new(14, "games_added", Int32, "games learned through this pull").or_null(),
            Column::new(15, "games_missing", Int32, "games of this pull that Twitch does not know").or_null(),
            Column::new(16, "channels_filled", Int32, "streams stored with their channel").or_null(),
            Column::new(17, "channels_missing", Int32, "streams whose channel Twitch does not know")
                .or_null(),
            Column::new(18, "helix_calls", Int32, "calls made to Helix"),
        ],
        sorted_by: &["pull_id"],
    },
    Table {
        id: 2,
        name: "stream_peek",
        comment: "one row per stream of a pull: what was live, with how many viewers",
        columns: &[
            PULL_ID,
            PULLED_AT,
            Column::new(3, "chunk", Int32, "the page of the pull that held it, from 1"),
            Column::new(4, "stream_id", Text(ID), "the broadcast"),
            Column::new(5, "channel_id", Text(ID), "the channel"),
            Column::new(6, "channel_login", Text(256), "the channel's login name"),
            Column::new(7, "channel_name", Text(1024), "the channel's display name, in any script"),
            Column::new(8, "game_id", Text(ID), "the game; null for a stream without category").or_null(),
            Column::new(9, "game_name", Text(1024), "the game's name as the stream had it"),
            Column::new(10, "viewer_count", Int32, "viewers at the time"),
            Column::new(11, "language", Text(64), "ISO 639-1, other, or a regional form such as zh-hk"),
            Column::new(12, "started_at", Time, "when the broadcast began"),
            Column::new(13, "type", Text(64), "live, or empty where Twitch had an error"),
            Column::new(14, "title", Text(LONG), "the title"),
            Column::new(15, "tags", Texts(16), "the tags, in the order of Twitch"),
            Column::new(17, "is_mature", Boolean, "deprecated by Twitch: false since about January 2026"),
            Column::new(18, "thumbnail_url", Text(4096), "a template with {width}x{height}").or_null(),
        ],
        sorted_by: &["channel_id", "pulled_at", "stream_id"],
    },
    Table {
        id: 3,
        name: "game",
        comment: "one row per game of a pull, as it was known then",
        columns: &[
            PULL_ID,
            PULLED_AT,
            Column::new(3, "game_id", Text(ID), "the game"),
            Column::new(4, "name", Text(1024), "its name; not unique"),
            Column::new(5, "box_art_url", Text(4096), "a template with {width}x{height}"),
            Column::new(6, "igdb_id", Text(64), "its id at IGDB; empty where Twitch does not know it"),
        ],
        sorted_by: &["game_id", "pulled_at"],
    },
    Table {
        id: 4,
        name: "channel",
        comment: "one row per channel of a pull, as it was known then",
        columns: &[
            PULL_ID,
            PULLED_AT,
            Column::new(3, "channel_id", Text(ID), "the channel"),
            Column::new(4, "login", Text(256), "the login name, lower case"),
            Column::new(5, "display_name", Text(1024), "the display name, in any script"),
            Column::new(6, "broadcaster_type", Text(64), "partner, affiliate or empty"),
            Column::new(7, "description", Text(LONG), "what the channel says of itself"),
            Column::new(8, "profile_image_url", Text(4096), "the profile picture"),
            Column::new(9, "offline_image_url", Text(4096), "the picture shown while offline; often empty"),
            Column::new(10, "view_count", Int64, "deprecated by Twitch: no longer a valid number"),
            Column::new(11, "created_at", Time, "when the account was made; null where Twitch does not tell")
                .or_null(),
        ],
        sorted_by: &["channel_id", "pulled_at"],
    },
];

impl Table {
    /// The table of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.name == name)
    }

    /// The place of a column in its rows.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// What its rows are sorted by, of one row.
    pub fn key<'a>(&self, row: &'a Row) -> Vec<&'a Value> {
        self.sorted_by.iter().filter_map(|name| row.get(self.place(name)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_are_given_once_and_sorting_is_by_columns() {
        for table in &TABLES {
            let elements = table.columns.iter().filter_map(|column| match column.kind {
                Texts(element) => Some(element),
                _ => None,
            });
            let ids: Vec<i32> = table.columns.iter().map(|column| column.id).chain(elements).collect();
            assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{}", table.name);
            assert!(table.sorted_by.iter().all(|name| table.place(name).is_some()), "{}", table.name);
            // `at` cannot be a column in DuckDB.
            assert!(table.columns.iter().all(|column| column.name != "at"));
        }
        assert_eq!(TABLES.iter().map(|table| table.id).collect::<HashSet<_>>().len(), TABLES.len());
    }
}
