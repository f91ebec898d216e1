//! Reading answers: bodies of bounded size, errors of any shape, the envelope of a list. Sends nothing.

use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::Error;

/// Largest body read, in bytes after decompression: a page of 100 streams is about 52 KB.
pub(super) const LARGEST_BODY: usize = 8 << 20;
/// As much of an error's body is looked at, in bytes.
const LARGEST_ERROR: usize = 16 << 10;
/// As much of an error's message is kept, in characters.
const LONGEST_MESSAGE: usize = 200;

/// The body of an answer.
pub(super) async fn body(endpoint: &'static str, mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_BODY => {
                return Err(Error::TooLarge { endpoint, limit: LARGEST_BODY });
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) if error.is_timeout() => return Err(Error::unreachable(endpoint, error)),
            Err(error) => return Err(Error::malformed(endpoint, error.without_url())),
        }
    }
}

/// The value that a body holds.
pub(super) fn json<T: DeserializeOwned>(endpoint: &'static str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::malformed(endpoint, error))
}

/// What an answer without success means.
pub(super) async fn error(endpoint: &'static str, response: Response, secret: &SecretString) -> Error {
    let status = response.status();
    let message = message(response, secret).await;
    match status {
        StatusCode::BAD_REQUEST => Error::BadRequest { endpoint, message },
        StatusCode::UNAUTHORIZED => Error::Unauthorized { endpoint, message },
        StatusCode::GONE => Error::Gone { endpoint, message },
        status if status.is_server_error() => Error::Server { endpoint, status: status.as_u16(), message },
        status => Error::Unexpected { endpoint, status: status.as_u16(), message },
    }
}

/// What an error's body says. Twitch sends JSON with a `message`, the CDN before it plain text or HTML.
pub(super) async fn message(mut response: Response, secret: &SecretString) -> String {
    let mut body = Vec::new();
    while body.len() < LARGEST_ERROR {
        // An error whose text is cut off is still the error that its status says.
        let Ok(Some(chunk)) = response.chunk().await else { break };
        body.extend_from_slice(&chunk);
    }
    body.truncate(LARGEST_ERROR);
    excerpt(&body, secret.expose_secret())
}

/// The message in an error's body, on one line, without markup, without `secret`, and short.
fn excerpt(body: &[u8], secret: &str) -> String {
    #[derive(Deserialize)]
    struct Told {
        message: String,
    }
    let text = serde_json::from_slice(body)
        .map_or_else(|_| without_markup(&String::from_utf8_lossy(body)), |told: Told| told.message);
    let line = text
        .replace(secret, "[secret]")
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(LONGEST_MESSAGE) {
        _ if line.is_empty() => "(no message)".into(),
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The text between the tags.
fn without_markup(text: &str) -> String {
    let mut inside = false;
    let visible = |c| match c {
        '<' => {
            inside = true;
            Some(' ')
        }
        '>' if inside => {
            inside = false;
            None
        }
        c => (!inside).then_some(c),
    };
    text.chars().filter_map(visible).collect()
}

/// The envelope of a list. `data` must be there; `null` is an empty list, as Twitch has meant it before.
#[derive(Deserialize)]
pub(super) struct List {
    #[serde(deserialize_with = "null_is_empty")]
    pub(super) data: Vec<Box<RawValue>>,
    #[serde(default)]
    pub(super) pagination: Option<Pagination>,
}

/// Where a list goes on.
#[derive(Deserialize)]
pub(super) struct Pagination {
    pub(super) cursor: Option<String>,
}

fn null_is_empty<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Box<RawValue>>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_in_one_short_line() {
        for (body, expected) in [
            (r#"{"error":"Bad Request","status":400,"message":"Invalid cursor."}"#, "Invalid cursor."),
            (r#"{"status":403,"message":"invalid client secret"}"#, "invalid client secret"),
            (r#"{"error":"Internal Server Error","status":500,"message":""}"#, "(no message)"),
            (
                "<html><head><title>503</title></head>\n<body>first byte\ttimeout</body>",
                "503 first byte timeout",
            ),
            ("maximum threads for service reached", "maximum threads for service reached"),
            ("you sent Bearer s3cret\u{0}!", "you sent Bearer [secret] !"),
            ("", "(no message)"),
        ] {
            assert_eq!(excerpt(body.as_bytes(), "s3cret"), expected);
        }
        assert_eq!(excerpt("ż".repeat(500).as_bytes(), "s3cret").chars().count(), LONGEST_MESSAGE + 1);
    }

    #[test]
    fn a_list_must_be_there_and_may_be_null() {
        let list = |body: &str| json::<List>("streams", body.as_bytes()).map(|list| list.data.len());
        assert_eq!(list(r#"{"data":[{},7]}"#).unwrap(), 2);
        assert_eq!(list(r#"{"data":null,"pagination":null}"#).unwrap(), 0);
        for wrong in
            ["", "{}", "[]", "null", r#"{"data":{}}"#, r#"{"data":[{}"#, "<html>", "{\"data\":[\"\u{FFFD}"]
        {
            assert!(list(wrong).is_err(), "{wrong}");
        }
    }
}
