//! What an endpoint answers: items and, on a list, where it goes on.

use serde::Serialize;

use super::reply::Reply;

/// The items of an answer, as JSON text.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    items: Vec<u8>,
    onward: Onward,
    null: bool,
}

/// Where an answer goes on.
#[derive(Debug, Default)]
enum Onward {
    /// It is not a page of a list.
    #[default]
    Single,
    Last,
    Cursor(String),
}

impl Answer {
    pub(crate) fn push<T: Serialize>(&mut self, item: &T) {
        self.separate();
        // A struct of texts and numbers has no way to fail being written to memory.
        serde_json::to_writer(&mut self.items, item).unwrap_or_default();
    }

    pub(crate) fn push_text(&mut self, item: &str) {
        self.separate();
        self.items.extend_from_slice(item.as_bytes());
    }

    fn separate(&mut self) {
        if !self.items.is_empty() {
            self.items.push(b',');
        }
    }

    /// This is a page of a list.
    pub(crate) fn page(&mut self, next: Option<String>) {
        self.onward = next.map_or(Onward::Last, Onward::Cursor);
    }

    /// `data` shall be `null`.
    pub(crate) fn nullify(&mut self) {
        self.null = true;
    }

    pub(crate) fn into_reply(self) -> Reply {
        let mut body = b"{\"data\":".to_vec();
        if self.null {
            body.extend_from_slice(b"null");
        } else {
            body.push(b'[');
            body.extend(self.items);
            body.push(b']');
        }
        match self.onward {
            Onward::Single => {}
            Onward::Last => body.extend_from_slice(b",\"pagination\":{}"),
            // Base64 needs no escaping.
            Onward::Cursor(text) => {
                body.extend(format!(",\"pagination\":{{\"cursor\":\"{text}\"}}").into_bytes());
            }
        }
        body.push(b'}');
        Reply::json(body)
    }
}
