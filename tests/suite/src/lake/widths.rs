//! Redshift counts the bytes of a `varchar`, Twitch limits characters: whatever Twitch may send has to fit, in any script.

use serde_json::{json, value::RawValue};
use shared::{
    lake::{Kind, Table},
    schema::{Record, validate},
};

/// Characters of one to four bytes, with those that join and combine.
const CHARACTERS: [char; 12] = ['a', 'Z', '7', '_', ' ', 'é', 'ж', '純', 'ก', '\u{200d}', '🎮', '🇵'];

/// A repeatable choice.
struct Lot(u64);

impl Lot {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }

    /// A text of at most so many characters; now and then of as many of the widest.
    fn text(&mut self, most: usize) -> String {
        match self.below(10) {
            0 => "🎮".repeat(most),
            _ => (0..self.below(most + 1)).map(|_| CHARACTERS[self.below(CHARACTERS.len())]).collect(),
        }
    }

    fn digits(&mut self, most: usize) -> String {
        (0..=self.below(most)).map(|_| char::from(b'1' + u8::try_from(self.below(9)).unwrap_or(0))).collect()
    }
}

/// Bytes that the column takes.
fn width(table: &str, column: &str) -> usize {
    let table = Table::find(table).expect("a table");
    match table.columns[table.place(column).expect("a column")].kind {
        Kind::Text(bytes) => bytes.into(),
        _ => panic!("{column} is no text"),
    }
}

/// A record within Twitch's limits: titles of 140 characters, names of 25, tags of 25
/// (<https://dev.twitch.tv/docs/api/reference/#modify-channel-information>); where it tells none, far more than was ever seen.
fn record(lot: &mut Lot) -> Record {
    let tags: Vec<String> = (0..lot.below(11)).map(|_| lot.text(25)).collect();
    let record = json!({
        "id": lot.digits(20), "user_id": lot.digits(20), "game_id": lot.digits(20),
        "user_login": lot.text(25), "user_name": lot.text(25), "game_name": lot.text(200), "title": lot.text(140),
        "type": "live", "language": lot.text(10), "thumbnail_url": lot.text(500), "tags": tags,
        "viewer_count": 10, "started_at": "2026-11-23T10:00:00Z", "is_mature": false,
    });
    let raw = RawValue::from_string(record.to_string()).expect("JSON");
    validate(&raw, 0).expect("a record that is accepted").record
}

#[test]
fn every_text_of_ten_thousand_records_fits_its_column() {
    let mut lot = Lot(1);
    let mut longest = 0;
    for _ in 0..10_000 {
        let record = record(&mut lot);
        longest = longest.max(record.title.len());
        let game_id = record.game_id.map(|id| id.to_string()).unwrap_or_default();
        for (column, text) in [
            ("stream_id", record.id.as_str()),
            ("channel_id", record.user_id.as_str()),
            ("channel_login", &record.user_login),
            ("channel_name", &record.user_name),
            ("game_id", &game_id),
            ("game_name", &record.game_name),
            ("language", &record.language),
            ("type", &record.kind),
            ("title", &record.title),
            ("thumbnail_url", &record.thumbnail_url),
        ] {
            assert!(text.len() <= width("stream_peek", column), "{column}: {} bytes: {text}", text.len());
        }
        // What Twitch says of games and channels, which it limits alike: descriptions have 300 characters.
        for (table, column, characters) in [
            ("game", "name", 200),
            ("game", "box_art_url", 500),
            ("channel", "login", 25),
            ("channel", "display_name", 25),
            ("channel", "description", 300),
            ("channel", "profile_image_url", 500),
        ] {
            assert!(lot.text(characters).len() <= width(table, column), "{table}.{column}");
        }
    }
    assert_eq!(longest, 4 * 140, "the widest title was among them");
}
