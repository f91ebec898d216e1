//! `GET /games`: games by id. <https://dev.twitch.tv/docs/api/reference/#get-games>
//!
//! Costs one point. At most 100 ids; not paginated. Unknown ids are left out of the answer. One id that Twitch finds
//! bad makes the whole call [`Error::BadRequest`].

use serde::Deserialize;

use super::{
    Batch, Client, Error, Game,
    batch::{self, Item},
    text,
};
use crate::schema::GameId;

impl Client {
    /// The games with these ids. More than 100 are [`Error::TooManyIds`].
    pub async fn games(&self, ids: &[GameId]) -> Result<Batch<GameId, Game>, Error> {
        batch::fetch(&self.0, "games", ids).await
    }
}

/// A game on the wire. Fields we do not know are passed over; only id and name must be there.
#[derive(Deserialize)]
pub(super) struct Wire {
    id: GameId,
    #[serde(deserialize_with = "text::needed")]
    name: String,
    #[serde(default, deserialize_with = "text::optional")]
    box_art_url: String,
    #[serde(default, deserialize_with = "text::optional")]
    igdb_id: String,
}

impl From<Wire> for Game {
    fn from(Wire { id, name, box_art_url, igdb_id }: Wire) -> Self {
        Self { id, name, box_art_url, igdb_id }
    }
}

impl Item for Game {
    type Id = GameId;
    type Wire = Wire;

    fn id(&self) -> &GameId {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> Vec<GameId> {
        ids.iter().map(|id| id.parse().unwrap()).collect()
    }

    #[test]
    fn a_recorded_reply_is_read() {
        let body = include_bytes!("recorded/games.json");
        let batch = batch::decode::<Game>("games", &ids(&["33214", "509658", "404"]), body).unwrap();
        assert_eq!(
            batch.found.iter().map(|game| game.name.as_str()).collect::<Vec<_>>(),
            ["Fortnite", "Just Chatting"]
        );
        assert_eq!((batch.found[0].igdb_id.as_str(), batch.found[1].igdb_id.as_str()), ("1905", ""));
        assert!(batch.malformed.is_empty(), "404 is unknown, not malformed");
    }

    #[test]
    fn one_bad_item_does_not_cost_the_others() {
        let body = r#"{"data":[{"id":"1","name":"a\u0000b"},{"id":"2","name":null},{"name":"no id"},7,
            {"id":"3","name":"\ud800"},{"id":"1","name":"again"},{"id":"5","name":"not asked for"}]}"#;
        let batch = batch::decode::<Game>("games", &ids(&["1", "2", "3", "4"]), body.as_bytes()).unwrap();
        assert_eq!(batch.found.len(), 1);
        assert_eq!(batch.found[0].name, "a\u{FFFD}b");
        assert_eq!(batch.malformed, ids(&["2", "3"]));
    }
}
