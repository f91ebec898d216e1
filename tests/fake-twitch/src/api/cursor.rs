//! Cursors as they look today: base64 of JSON with a `b` and an `a` side, each in turn base64 of JSON with a score.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Query;
use super::reply::Reply;
use crate::world::Score;

/// Where in the list a request starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// The first stream below this score.
    Below(Score),
    /// The last stream above this score.
    Above(Score),
    /// Nowhere: behind a cursor of half the length, with the list going on below this score.
    Half(Score),
}

impl Position {
    pub(crate) fn read(query: &Query) -> Result<Self, Reply> {
        let invalid = || Reply::error(400, "Invalid cursor.");
        match (query.one("after").unwrap_or_default(), query.one("before").unwrap_or_default()) {
            ("", "") => Ok(Self::Below(Score::TOP)),
            (after, "") => {
                let cursor = decode(after).ok_or_else(invalid)?;
                match (side(&cursor, "a"), side(&cursor, "b")) {
                    (Some(score), _) => Ok(Self::Below(score)),
                    (None, Some(score)) if cursor["a"].is_object() => Ok(Self::Half(score)),
                    _ => Err(invalid()),
                }
            }
            ("", before) => {
                let cursor = decode(before).ok_or_else(invalid)?;
                side(&cursor, "b").map(Self::Above).ok_or_else(invalid)
            }
            _ => Err(Reply::error(400, "The parameters \"after\" and \"before\" exclude each other")),
        }
    }
}

/// A cursor that goes on below `after`, or back above `before`.
pub(crate) fn cursor(before: Score, after: Score) -> String {
    encode(&format!(r#"{{"b":{},"a":{}}}"#, half(before, true), half(after, false)))
}

/// A cursor whose `a` side is empty.
pub(crate) fn half_cursor(after: Score) -> String {
    encode(&format!(r#"{{"b":{},"a":{{}}}}"#, half(after, false)))
}

fn half(score: Score, backwards: bool) -> String {
    let text = format!(r#"{{"s":{},"d":{backwards},"t":true}}"#, score.text());
    format!(r#"{{"Cursor":"{}"}}"#, encode(&text))
}

/// Any JSON in a cursor's clothes.
pub(crate) fn encode(text: &str) -> String {
    STANDARD.encode(text)
}

/// The JSON a cursor holds.
pub(crate) fn decode(cursor: &str) -> Option<Value> {
    serde_json::from_slice(&STANDARD.decode(cursor).ok()?).ok()
}

fn side(cursor: &Value, name: &str) -> Option<Score> {
    let inner = decode(cursor[name]["Cursor"].as_str()?)?;
    Score::of_number(inner["s"].as_f64()?)
}

/// The cursor of a list that is counted rather than scored.
pub(crate) fn offset_cursor(offset: usize) -> String {
    encode(&json!({ "b": null, "a": { "Offset": offset } }).to_string())
}

/// Reads what [`offset_cursor`] made.
pub(crate) fn read_offset(query: &Query) -> Result<usize, Reply> {
    let Some(after) = query.one("after").filter(|after| !after.is_empty()) else { return Ok(0) };
    let offset = decode(after).and_then(|cursor| cursor["a"]["Offset"].as_u64());
    offset.and_then(|offset| usize::try_from(offset).ok()).ok_or_else(|| Reply::error(400, "Invalid cursor."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Live;

    fn read(parameter: &str, cursor: &str) -> Result<Position, u16> {
        let text =
            url::form_urlencoded::Serializer::new(String::new()).append_pair(parameter, cursor).finish();
        Position::read(&Query::read(text.as_bytes())).map_err(|reply| reply.status.as_u16())
    }

    #[test]
    fn a_cursor_leads_where_it_was_made() {
        let live = Live::new([70_000, 12, 12, 3].into_iter());
        let scores: Vec<Score> = live.all().collect();
        let text = cursor(scores[1], scores[2]);
        assert_eq!(read("after", &text), Ok(Position::Below(scores[2])));
        assert_eq!(read("before", &text), Ok(Position::Above(scores[1])));
        assert_eq!(read("after", &half_cursor(scores[2])), Ok(Position::Half(scores[2])));
        assert!(half_cursor(scores[2]).len() * 10 < text.len() * 7);
    }

    #[test]
    fn nonsense_is_refused() {
        for nonsense in ["x", "eyJ9", &encode("{}"), &encode("[1]"), &encode(r#"{"a":{"Cursor":"!"}}"#)] {
            assert_eq!(read("after", nonsense), Err(400), "{nonsense}");
        }
    }
}
