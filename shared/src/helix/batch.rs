//! Asking for many things by their ids in one call. Knows neither games nor channels.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::warn;

use super::{
    budget::Priority,
    error::{Error, MOST_IDS},
    http::Http,
    reply::{self, List},
};

/// What Twitch answered for the ids of one call. An id in neither list was left out of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch<Id, T> {
    /// What was found, each once, in Twitch's order.
    pub found: Vec<T>,
    /// The ids whose items could not be read, and what was wrong with each.
    pub malformed: Vec<(Id, String)>,
}

/// How an item is read from the wire.
pub(super) trait Item: Sized {
    /// What it is asked for by.
    type Id: AsRef<str> + Clone;

    /// Its own id.
    fn id(&self) -> &Self::Id;

    /// Reads one. Only what it cannot be without is an error.
    fn read(item: &RawValue) -> Result<Self, serde_json::Error>;
}

/// Asks for the things with these ids; for none, without a call.
pub(super) async fn fetch<T: Item>(
    http: &Http,
    endpoint: &'static str,
    ids: &[T::Id],
) -> Result<Batch<T::Id, T>, Error> {
    match ids.len() {
        0 => return Ok(Batch { found: Vec::new(), malformed: Vec::new() }),
        1..=MOST_IDS => {}
        given => return Err(Error::TooManyIds { endpoint, given }),
    }
    let query: Vec<_> = ids.iter().map(|id| ("id", id.as_ref())).collect();
    http.get(endpoint, Priority::Need, &query, |body| decode(endpoint, ids, body)).await
}

/// Reads an answer. An item that cannot be read does not cost the others; what was not asked for, or comes twice, is
/// passed over.
pub(super) fn decode<T: Item>(
    endpoint: &'static str,
    ids: &[T::Id],
    body: &[u8],
) -> Result<Batch<T::Id, T>, Error> {
    let items = reply::json::<List>(endpoint, body)?.data;
    let mut wanted: HashSet<&str> = ids.iter().map(AsRef::as_ref).collect();
    let (mut found, mut unreadable) = (Vec::with_capacity(items.len()), HashMap::new());
    for item in &items {
        match T::read(item) {
            Ok(thing) if wanted.remove(thing.id().as_ref()) => found.push(thing),
            Ok(_) => {}
            Err(error) => {
                if let Some(id) = id_of(item) {
                    unreadable.insert(id, error.to_string());
                } else {
                    warn!(helix.endpoint = endpoint, %error, "an item of /{endpoint} cannot be read");
                }
            }
        }
    }
    let malformed = ids.iter().filter_map(|id| {
        let why = unreadable.remove(id.as_ref())?;
        wanted.remove(id.as_ref()).then(|| (id.clone(), why))
    });
    Ok(Batch { malformed: malformed.collect(), found })
}

/// The id of an item that is otherwise no good; also where it is a number.
fn id_of(item: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let named: Named<'_> = serde_json::from_str(item.get()).ok()?;
    Some(named.id.get().trim_matches('"').to_owned())
}
