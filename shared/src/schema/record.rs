//! From a raw record to a validated stream, or to the named rule that rejects it.
//!
//! Fields are taken from parsed JSON, each by its own name and type: no title, name or tag can change an id.

use chrono::{DateTime, Datelike};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{ChannelId, GameId, Record, StreamId, rule::Rule};

/// A record that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// The stream.
    pub record: Record,
    /// How many characters U+0000 were replaced by U+FFFD, because PostgreSQL text cannot hold them.
    pub nul_replaced: i32,
}

/// A rule, and what it found in words.
type Rejection = (Rule, String);

/// The fields as they came. A key given twice is an error, as nobody can say which one was meant.
#[derive(Deserialize)]
struct Fields {
    id: Option<Value>,
    user_id: Option<Value>,
    user_login: Option<Value>,
    user_name: Option<Value>,
    game_id: Option<Value>,
    game_name: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<Value>,
    title: Option<Value>,
    viewer_count: Option<Value>,
    started_at: Option<Value>,
    language: Option<Value>,
    thumbnail_url: Option<Value>,
    tags: Option<Value>,
    is_mature: Option<Value>,
}

/// Validates one record of a page.
///
/// # Errors
/// The first rule the record breaks, and what was wrong in words.
pub fn validate(raw: &RawValue, min_viewers: i32) -> Result<Validated, (Rule, String)> {
    if !raw.get().starts_with('{') {
        return Err((Rule::NotAnObject, "the record is not a JSON object".into()));
    }
    let fields: Fields =
        serde_json::from_str(raw.get()).map_err(|error| (Rule::MalformedJson, error.to_string()))?;
    let mut nul_replaced = 0;
    let mut text = |name, value, needed| text(name, value, needed, &mut nul_replaced);

    let record = Record {
        id: id::<StreamId>("id", fields.id, Rule::StreamIdNotNumeric)?,
        user_id: id::<ChannelId>("user_id", fields.user_id, Rule::ChannelIdNotNumeric)?,
        game_id: match fields.game_id {
            None => None,
            Some(Value::String(empty)) if empty.is_empty() => None,
            some => Some(id::<GameId>("game_id", some, Rule::GameIdNotNumeric)?),
        },
        viewer_count: viewer_count(fields.viewer_count.as_ref())?,
        user_login: text("user_login", fields.user_login, true)?,
        user_name: text("user_name", fields.user_name, true)?,
        title: text("title", fields.title, true)?,
        language: text("language", fields.language, true)?,
        game_name: text("game_name", fields.game_name, false)?,
        kind: text("type", fields.kind, false)?,
        thumbnail_url: text("thumbnail_url", fields.thumbnail_url, false)?,
        started_at: started_at(fields.started_at)?,
        tags: tags(fields.tags, &mut nul_replaced)?,
        is_mature: match fields.is_mature {
            None => false,
            Some(Value::Bool(mature)) => mature,
            Some(other) => return Err((Rule::MatureNotABoolean, format!("is_mature is {}", shown(&other)))),
        },
    };
    if record.viewer_count < min_viewers {
        let detail =
            format!("viewer_count is {}, and at least {min_viewers} are wanted", record.viewer_count);
        return Err((Rule::BelowMinViewers, detail));
    }
    Ok(Validated { record, nul_replaced })
}

fn id<T: TryFrom<String>>(name: &str, value: Option<Value>, rule: Rule) -> Result<T, Rejection> {
    let found = match value {
        Some(Value::String(digits)) => match T::try_from(digits.clone()) {
            Ok(id) => return Ok(id),
            Err(_) => shown(&Value::String(digits)),
        },
        Some(other) => shown(&other),
        None => "missing".into(),
    };
    Err((rule, format!("{name} is {found}, and must be a string of 1 to 20 digits")))
}

fn viewer_count(value: Option<&Value>) -> Result<i32, Rejection> {
    let count = value.and_then(Value::as_i64).and_then(|count| i32::try_from(count).ok());
    count.filter(|count| *count >= 0).ok_or_else(|| {
        let found = value.map_or_else(|| "missing".into(), shown);
        (Rule::ViewerCountNotANumber, format!("viewer_count is {found}, and must be a whole number from 0"))
    })
}

fn text(name: &str, value: Option<Value>, needed: bool, nuls: &mut i32) -> Result<String, Rejection> {
    match value {
        Some(Value::String(text)) => Ok(without_nul(text, nuls)),
        None if !needed => Ok(String::new()),
        None => Err((Rule::TextNotAString, format!("{name} is missing or null"))),
        Some(other) => {
            Err((Rule::TextNotAString, format!("{name} is {}, and must be a string", shown(&other))))
        }
    }
}

fn started_at(value: Option<Value>) -> Result<String, Rejection> {
    match value {
        Some(Value::String(time)) if is_time(&time) => Ok(time),
        other => {
            let found = other.as_ref().map_or_else(|| "missing".into(), shown);
            Err((Rule::StartedAtNotATime, format!("started_at is {found}, and must be an RFC 3339 time")))
        }
    }
}

/// A time every program agrees on: RFC 3339 knows a year 0, and PostgreSQL does not.
fn is_time(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok_and(|time| time.year() >= 1970)
}

fn tags(value: Option<Value>, nuls: &mut i32) -> Result<Vec<String>, Rejection> {
    let wrong =
        |found: &Value| (Rule::TagsNotStrings, format!("tags hold {}, and must be strings", shown(found)));
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(tags)) => tags
            .into_iter()
            .map(|tag| match tag {
                Value::String(tag) => Ok(without_nul(tag, nuls)),
                other => Err(wrong(&other)),
            })
            .collect(),
        Some(other) => Err(wrong(&other)),
    }
}

fn without_nul(text: String, replaced: &mut i32) -> String {
    let found = text.bytes().filter(|byte| *byte == 0).count();
    if found == 0 {
        return text;
    }
    *replaced = replaced.saturating_add(i32::try_from(found).unwrap_or(i32::MAX));
    text.replace('\0', "\u{FFFD}")
}

/// The value as JSON, short enough for a log line.
fn shown(value: &Value) -> String {
    let json = value.to_string();
    if json.chars().count() <= 80 { json } else { json.chars().take(80).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({"id":"40000000001","user_id":"123","user_login":"ada","user_name":"Ada","game_id":"509658",
            "game_name":"Just Chatting","type":"live","title":"hello","viewer_count":10,
            "started_at":"2026-11-23T00:00:00Z","language":"en","thumbnail_url":"u","tag_ids":[],
            "tags":["a"],"is_mature":false})
    }

    fn with(key: &str, value: Value) -> String {
        let mut record = good();
        record[key] = value;
        record.to_string()
    }

    fn without(key: &str) -> String {
        let mut record = good();
        record.as_object_mut().unwrap().remove(key);
        record.to_string()
    }

    fn check(json: &str) -> Result<Validated, Rule> {
        validate(&RawValue::from_string(json.to_owned()).unwrap(), 10).map_err(|(rule, _)| rule)
    }

    #[test]
    fn every_defect_has_its_rule() {
        let cases = [
            ("[]".into(), Rule::NotAnObject),
            ("null".into(), Rule::NotAnObject),
            (with("title", json!("X")).replace("\"X\"", r#""\ud800""#), Rule::MalformedJson),
            (with("title", json!("X")).replace("\"X\"", r#""a","id":"7""#), Rule::MalformedJson),
            (with("viewer_count", json!(10)).replace(":10}", ":1e400}"), Rule::MalformedJson),
            (with("id", json!("abc")), Rule::StreamIdNotNumeric),
            (with("id", json!(5)), Rule::StreamIdNotNumeric),
            (without("id"), Rule::StreamIdNotNumeric),
            (with("user_id", json!("testDocumentId2")), Rule::ChannelIdNotNumeric),
            (with("game_id", json!("x")), Rule::GameIdNotNumeric),
            (with("viewer_count", json!("10")), Rule::ViewerCountNotANumber),
            (with("viewer_count", json!(-1)), Rule::ViewerCountNotANumber),
            (with("viewer_count", json!(10.5)), Rule::ViewerCountNotANumber),
            (without("viewer_count"), Rule::ViewerCountNotANumber),
            (with("viewer_count", json!(9)), Rule::BelowMinViewers),
            (with("title", json!(1)), Rule::TextNotAString),
            (with("user_name", Value::Null), Rule::TextNotAString),
            (without("language"), Rule::TextNotAString),
            (with("started_at", json!("yesterday")), Rule::StartedAtNotATime),
            (with("started_at", json!("0000-01-01T00:00:00Z")), Rule::StartedAtNotATime),
            (with("tags", json!(["a", 1])), Rule::TagsNotStrings),
            (with("tags", json!("a")), Rule::TagsNotStrings),
            (with("is_mature", json!("no")), Rule::MatureNotABoolean),
        ];
        for (json, rule) in cases {
            assert_eq!(check(&json), Err(rule), "{json}");
        }
    }

    #[test]
    fn what_twitch_really_sends_passes() {
        let passed = check(&with("game_id", json!(""))).unwrap().record;
        assert_eq!(passed.game_id, None, "a stream without category is legal");
        assert!(check(&with("tags", Value::Null)).unwrap().record.tags.is_empty());
        assert!(check(&with("title", json!(""))).is_ok());
        assert!(check(&with("a_field_of_tomorrow", json!({"x": 1}))).is_ok());
        assert!(check(&without("is_mature")).is_ok(), "deprecated, so it may go");
    }

    #[test]
    fn nul_is_replaced_and_counted() {
        let passed = check(&with("title", json!("a\0b\0"))).unwrap();
        assert_eq!((passed.record.title.as_str(), passed.nul_replaced), ("a\u{FFFD}b\u{FFFD}", 2));
    }

    #[test]
    fn no_text_changes_an_id() {
        let titles = [
            r#"","user_id":"666"#,
            ", user_id=666",
            "\"id\":\"1\"",
            "\u{202e}}{",
            "\\\",\n\t'; drop table pull;--",
        ];
        for title in titles {
            let record = check(&with("title", json!(title))).unwrap().record;
            assert_eq!((record.user_id.as_str(), record.title.as_str()), ("123", title));
        }
    }
}
