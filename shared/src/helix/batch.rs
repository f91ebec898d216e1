//! Asking for many things by their ids in one call. Knows neither games nor channels.

use std::collections::HashSet;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tracing::warn;

use super::{
    Error,
    http::Http,
    reply::{self, List},
};

/// Most ids in one call, the same for `/games` and `/users`.
pub(super) const MOST_IDS: usize = 100;

/// What Twitch answered for the ids of one call. An id in neither list was left out of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch<Id, T> {
    /// What was found, each once, in Twitch's order.
    pub found: Vec<T>,
    /// The ids whose items could not be read.
    pub malformed: Vec<Id>,
}

/// How an item is read from the wire.
pub(super) trait Item: Sized {
    /// What it is asked for by.
    type Id: AsRef<str> + Clone;
    /// Its form on the wire.
    type Wire: DeserializeOwned + Into<Self>;

    /// Its own id.
    fn id(&self) -> &Self::Id;
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
    decode(endpoint, ids, &http.get(endpoint, &query).await?)
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
    let (mut found, mut unreadable) = (Vec::with_capacity(items.len()), HashSet::new());
    for item in &items {
        match serde_json::from_str::<T::Wire>(item.get()).map(Into::<T>::into) {
            Ok(thing) if wanted.remove(thing.id().as_ref()) => found.push(thing),
            Ok(_) => {}
            Err(error) => {
                let id = id_of(item);
                warn!(helix.endpoint = endpoint, helix.id = id, %error, "an item of /{endpoint} cannot be read");
                unreadable.extend(id);
            }
        }
    }
    let malformed = ids
        .iter()
        .filter(|id| unreadable.contains(id.as_ref()) && wanted.remove(id.as_ref()))
        .cloned()
        .collect();
    Ok(Batch { found, malformed })
}

/// The id of an item that is otherwise no good.
fn id_of(item: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    serde_json::from_str(item.get()).ok().map(|named: Named| named.id)
}
