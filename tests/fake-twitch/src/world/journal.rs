//! What faults did to streams, so that a test knows what it may miss.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde::Serialize;

use crate::fault::Defect;
use crate::lock::lock;

/// What happened to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// Went offline before it was listed.
    Vanished,
    /// Its audience grew: it jumped above the cursor without having been listed.
    Rose,
    /// Its audience shrank: it was listed and comes again.
    Fell,
    /// Was left out of the page it belongs to.
    Lost,
    /// Was listed again on the page after its own.
    Repeated,
    /// Was told wrongly.
    Broken(Defect),
}

/// One thing that happened to one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What happened.
    pub what: Happening,
    /// The stream's true id.
    pub stream_id: String,
    /// The number of the `/streams` call it happened on, from 1.
    pub call: u64,
}

/// The last events, the oldest first.
#[derive(Debug, Default)]
pub struct Journal(Mutex<VecDeque<Event>>);

/// Beyond this many the oldest are forgotten.
const KEPT: usize = 200_000;

impl Journal {
    /// Every event kept.
    pub fn events(&self) -> Vec<Event> {
        lock(&self.0).iter().cloned().collect()
    }

    /// The ids of the streams this happened to, as often as it did.
    pub fn ids(&self, what: Happening) -> Vec<String> {
        lock(&self.0).iter().filter(|event| event.what == what).map(|event| event.stream_id.clone()).collect()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    pub(crate) fn note(&self, what: Happening, stream_id: &str, call: u64) {
        let mut events = lock(&self.0);
        if events.len() == KEPT {
            events.pop_front();
        }
        events.push_back(Event { what, stream_id: stream_id.to_owned(), call });
    }
}
