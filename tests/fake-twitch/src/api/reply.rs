//! What goes back over the wire, whole or damaged.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures::{StreamExt, stream};
use serde_json::{Map, Value, json};

/// A reply before it becomes bytes on a connection.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) fate: Fate,
}

/// What becomes of a reply on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Whole,
    /// Half of it arrives.
    CutOff,
    /// Nothing of it arrives.
    Nothing,
}

pub(crate) const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

impl Reply {
    pub(crate) fn new(code: u16, kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, kind, body: body.into(), fate: Fate::Whole }
    }

    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, JSON, body)
    }

    /// Sets a field of its items, or of one of them, or of an answer that is no list; without a value it is taken out. What
    /// is no JSON stays as it is.
    pub(crate) fn set(&mut self, name: &str, value: Option<&Value>, item: Option<usize>) {
        let Ok(mut answer) = serde_json::from_slice::<Value>(&self.body) else { return };
        let set = |fields: &mut Map<String, Value>| match value {
            Some(value) => _ = fields.insert(name.to_owned(), value.clone()),
            None => _ = fields.remove(name),
        };
        match answer.get_mut("data").and_then(Value::as_array_mut) {
            Some(items) => {
                let meant = |place: usize| item.is_none_or(|item| item == place);
                let items = items.iter_mut().enumerate().filter(|(place, _)| meant(*place));
                items.filter_map(|(_, item)| item.as_object_mut()).for_each(set);
            }
            None => answer.as_object_mut().into_iter().for_each(set),
        }
        self.body = answer.to_string().into_bytes();
    }

    /// An error as the API words it.
    pub(crate) fn error(code: u16, message: &str) -> Self {
        let phrase =
            StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
        Self::new(code, JSON, json!({ "error": phrase, "status": code, "message": message }).to_string())
    }

    /// An error as the token server words it: without `error`.
    pub(crate) fn oauth_error(code: u16, message: &str) -> Self {
        Self::new(code, JSON, json!({ "status": code, "message": message }).to_string())
    }

    /// A page as a CDN sends it.
    pub(crate) fn html(code: u16) -> Self {
        let page = "<html><head><title>Guru Meditation</title></head><body><h1>Error</h1>\
                    <p>maximum threads for service reached</p></body></html>";
        Self::new(code, HTML, page)
    }

    /// What the CDN says to an address it does not know.
    pub(crate) fn lost() -> Self {
        Self::new(
            503,
            "text/plain; charset=utf-8",
            "upstream connect error or disconnect/reset before headers",
        )
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let length = self.body.len();
        let body = match self.fate {
            Fate::Whole => Body::from(self.body),
            Fate::CutOff => breaking(Some(Bytes::copy_from_slice(&self.body[..length / 2]))),
            Fate::Nothing => breaking(None),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        response
    }
}

/// A body that fails after its first part. The server then drops the connection, without having written even the
/// head if there is no first part; the pause lets it write the part there is.
fn breaking(part: Option<Bytes>) -> Body {
    let has_part = part.is_some();
    let end = stream::once(async move {
        if has_part {
            tokio::task::yield_now().await;
        }
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    Body::from_stream(stream::iter(part).map(Ok).chain(end))
}
