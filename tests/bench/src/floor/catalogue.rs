//! Games and channels: read from the tables where they are known, asked for where they are not.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Outcome,
    model::{Channel, Game},
    store::Store,
    twitch::{MOST_IDS, Twitch},
};

/// Calls under way at once.
const AT_ONCE: usize = 16;

/// A kind of thing that is known by its id.
pub(crate) trait Item: Serialize + DeserializeOwned + std::fmt::Debug + Send + Sync {
    /// Its endpoint.
    const PATH: &'static str;
    /// Of the ids in `$1`, those that are known with what is known; null where Twitch has nothing.
    const KNOWN: &'static str;
    /// Where new ones go.
    const COPY: &'static str;
    /// Notes the ids in `$1` that Twitch has nothing for.
    const MISSING: &'static str;

    fn id(&self) -> &str;
}

impl Item for Game {
    const PATH: &'static str = "games";
    const KNOWN: &'static str = "select game_id as id, data from twitch_game where game_id = any($1)
         union all select game_id, null from missing_game where game_id = any($1)";
    const COPY: &'static str = "copy twitch_game (game_id, data) from stdin binary";
    const MISSING: &'static str = "insert into missing_game select unnest($1::text[])";

    fn id(&self) -> &str {
        &self.id
    }
}

impl Item for Channel {
    const PATH: &'static str = "users";
    const KNOWN: &'static str = "select channel_id as id, data from twitch_channel where channel_id = any($1)
         union all select channel_id, null from missing_channel where channel_id = any($1)";
    const COPY: &'static str = "copy twitch_channel (channel_id, data) from stdin binary";
    const MISSING: &'static str = "insert into missing_channel select unnest($1::text[])";

    fn id(&self) -> &str {
        &self.id
    }
}

/// Everything of one kind that a pull needs.
#[derive(Debug)]
pub(crate) struct Catalogue<T> {
    pub(crate) items: HashMap<String, T>,
    /// The ids of those that were not known before.
    pub(crate) new: Vec<String>,
    /// Ids that Twitch has nothing for, asked for just now.
    pub(crate) missing: Vec<String>,
}

/// The ids that are one, each once.
pub(crate) fn distinct<'a>(ids: impl Iterator<Item = &'a str>) -> HashSet<&'a str> {
    ids.filter(|id| !id.is_empty()).collect()
}

/// Reads what is known of these ids, and asks for the rest, a hundred a call.
pub(crate) async fn fill<T: Item>(
    store: &Store,
    twitch: &Twitch,
    mut ids: HashSet<&str>,
) -> Outcome<Catalogue<T>> {
    let mut items = HashMap::with_capacity(ids.len());
    for (id, known) in store.known::<T>(&ids).await? {
        ids.remove(id.as_str());
        items.extend(known.map(|item| (id, item)));
    }
    let unknown: Vec<&str> = ids.into_iter().collect();
    let calls = unknown.chunks(MOST_IDS).map(|ids| twitch.items::<T>(ids));
    let answers: Vec<Vec<T>> = stream::iter(calls).buffer_unordered(AT_ONCE).try_collect().await?;
    let mut new = Vec::with_capacity(unknown.len());
    for item in answers.into_iter().flatten() {
        new.push(item.id().to_owned());
        items.insert(item.id().to_owned(), item);
    }
    let missing = unknown.into_iter().filter(|id| !items.contains_key(*id)).map(str::to_owned).collect();
    Ok(Catalogue { items, new, missing })
}
