//! A dead letter as one line of JSON: what `export` writes and `import` reads.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    dead_letter::DeadLetter,
    runtime::{check_properties, header},
    topology::StageInfo,
};

/// The largest body a broker takes.
const LARGEST_BODY: usize = 16 * 1024 * 1024;
/// The longest name, and the longest of all other texts.
const LONGEST_NAME: usize = 255;
const LONGEST_TEXT: usize = 64 * 1024;

/// A dead letter without what applies only where it came from: its number, state, history and replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    letter: String,
    stage: String,
    class: String,
    code: String,
    message: String,
    causes: String,
    fingerprint: String,
    attempts: i32,
    first_failed_at: DateTime<Utc>,
    last_failed_at: DateTime<Utc>,
    build: String,
    host: String,
    generation: i32,
    message_id: String,
    kind: String,
    pull_id: Option<i64>,
    chunk: Option<i32>,
    properties: Value,
    /// Base64.
    body: String,
}

impl From<DeadLetter> for Line {
    fn from(dead_letter: DeadLetter) -> Self {
        Self {
            body: STANDARD.encode(&dead_letter.body),
            letter: dead_letter.letter,
            stage: dead_letter.stage,
            class: dead_letter.class,
            code: dead_letter.code,
            message: dead_letter.message,
            causes: dead_letter.causes,
            fingerprint: dead_letter.fingerprint,
            attempts: dead_letter.attempts,
            first_failed_at: dead_letter.first_failed_at,
            last_failed_at: dead_letter.last_failed_at,
            build: dead_letter.build,
            host: dead_letter.host,
            generation: dead_letter.generation,
            message_id: dead_letter.message_id,
            kind: dead_letter.kind,
            pull_id: dead_letter.pull_id,
            chunk: dead_letter.chunk,
            properties: dead_letter.properties,
        }
    }
}

impl Line {
    /// The dead letter, if it can be stored here.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn into_dead_letter(mut self) -> Result<DeadLetter, String> {
        let stage = StageInfo::find(&self.stage)
            .ok_or_else(|| format!("this build has no stage {:?}", self.stage))?;
        for (name, text, longest) in [
            ("letter", &self.letter, LONGEST_NAME),
            ("fingerprint", &self.fingerprint, LONGEST_NAME),
            ("message_id", &self.message_id, LONGEST_NAME),
            ("message", &self.message, LONGEST_TEXT),
            ("causes", &self.causes, LONGEST_TEXT),
        ] {
            if text.len() > longest || text.contains('\0') {
                return Err(format!("{name} is longer than {longest} bytes, or contains U+0000"));
            }
        }
        if self.letter.is_empty() || self.generation < 0 || self.attempts < 0 {
            return Err("letter is empty, or generation or attempts below zero".into());
        }
        for time in [self.first_failed_at, self.last_failed_at] {
            if !(1970..=9999).contains(&time.year()) {
                return Err(format!("{time} is not a plausible time of failure"));
            }
        }
        self.adopt()?;
        check_properties(&self.properties)?;
        let body = STANDARD.decode(&self.body).map_err(|error| format!("body is not base64: {error}"))?;
        if body.len() > LARGEST_BODY {
            return Err(format!("body is larger than {LARGEST_BODY} bytes"));
        }
        Ok(DeadLetter {
            queue: stage.dead(),
            replayed: None,
            body,
            letter: self.letter,
            stage: self.stage,
            class: self.class,
            code: self.code,
            message: self.message,
            causes: self.causes,
            fingerprint: self.fingerprint,
            attempts: self.attempts,
            first_failed_at: self.first_failed_at,
            last_failed_at: self.last_failed_at,
            build: self.build,
            host: self.host,
            generation: self.generation,
            message_id: self.message_id,
            kind: self.kind,
            pull_id: self.pull_id,
            chunk: self.chunk,
            properties: self.properties,
        })
    }

    /// Names the dead letter in its headers, and removes the replay it came from: a replay here may have the same number, and
    /// would count its result.
    fn adopt(&mut self) -> Result<(), String> {
        let properties = self.properties.as_object_mut().ok_or("properties are not a JSON object")?;
        let headers = properties.entry("headers").or_insert_with(|| json!({}));
        if headers.is_null() {
            *headers = json!({});
        }
        let headers = headers.as_object_mut().ok_or("the headers are not a JSON object")?;
        headers.remove(header::REPLAY);
        headers.remove(header::REPLAYED_LETTER);
        headers.insert(header::LETTER.to_owned(), self.letter.clone().into());
        Ok(())
    }
}

/// The dead letters of a whole file, or what is wrong with the first bad line.
pub(super) fn read(text: &[u8]) -> Result<Vec<DeadLetter>, String> {
    let lines =
        text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(n, line)| {
            let parsed: Line = serde_json::from_slice(line).map_err(|error| {
                let cut = if error.is_eof() { ": the file may be cut off here" } else { "" };
                format!("line {}: {error}{cut}", n + 1)
            })?;
            parsed.into_dead_letter().map_err(|wrong| format!("line {}: {wrong}", n + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead_letter() -> DeadLetter {
        DeadLetter {
            letter: "ab12".into(),
            queue: "finalizer.dead".into(),
            stage: "finalizer".into(),
            class: "permanent".into(),
            code: "test".into(),
            message: "it broke".into(),
            causes: String::new(),
            fingerprint: "cd34".into(),
            attempts: 1,
            first_failed_at: "2026-07-12T10:42:00Z".parse().unwrap(),
            last_failed_at: "2026-07-12T10:42:00Z".parse().unwrap(),
            build: "0.1.0".into(),
            host: "host".into(),
            generation: 1,
            replayed: None,
            message_id: "m".into(),
            kind: "k".into(),
            pull_id: Some(1),
            chunk: Some(2),
            properties: json!({"message_id": "m", "headers": {"flow-replay": 3, "flow-replayed-letter": 4, "x": {"type": "u32", "value": 1}}}),
            body: vec![0, 255, b'\n'],
        }
    }

    #[test]
    fn a_dead_letter_comes_back_without_the_replay_it_came_from() {
        let line = serde_json::to_string(&Line::from(dead_letter())).unwrap();
        let back = read(format!("{line}\n\n").as_bytes()).unwrap().remove(0);
        let properties =
            json!({"message_id": "m", "headers": {"flow-letter": "ab12", "x": {"type": "u32", "value": 1}}});
        assert_eq!(back, DeadLetter { properties, ..dead_letter() });
    }

    #[test]
    fn the_first_bad_line_is_named() {
        let good = serde_json::to_string(&Line::from(dead_letter())).unwrap();
        let cut = &good[..good.len() / 2];
        let cases = [
            (format!("{good}\n{cut}"), "line 2: EOF"),
            (format!("{good}\n\nnonsense\n{good}"), "line 3: expected"),
            (good.replace("\"finalizer\"", "\"finisher\""), "line 1: this build has no stage \"finisher\""),
            (good.replace("\"AP8K\"", "\"?\""), "line 1: body is not base64"),
            (good.replace("\"u32\"", "\"u33\""), "line 1: x is of type u33"),
            (good.replace("it broke", "\\u0000"), "contains U+0000"),
        ];
        for (file, words) in cases {
            let wrong = read(file.as_bytes()).unwrap_err();
            assert!(wrong.contains(words), "{wrong}");
        }
    }
}
