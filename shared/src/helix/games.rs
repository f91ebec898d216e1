//! `GET /games`: games by id. <https://dev.twitch.tv/docs/api/reference/#get-games>
//!
//! Costs one point. At most 100 ids; not paginated. Unknown ids are left out of the answer. One id that Twitch finds
//! bad makes the whole call [`Error::BadRequest`].

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Batch, Client, Error, Game,
    batch::{self, Item},
    drift::{Decoration, Raw},
    text,
};
use crate::schema::GameId;

const ENDPOINT: &str = "games";

impl Client {
    /// The games with these ids. More than 100 are [`Error::TooManyIds`].
    pub async fn games(&self, ids: &[GameId]) -> Result<Batch<GameId, Game>, Error> {
        batch::fetch(&self.0, ENDPOINT, ids).await
    }
}

/// A game on the wire. Fields we do not know are passed over; only id and name must be there.
#[derive(Deserialize)]
struct Wire<'a> {
    id: GameId,
    #[serde(deserialize_with = "text::needed")]
    name: String,
    #[serde(borrow)]
    box_art_url: Raw<'a>,
    #[serde(borrow)]
    igdb_id: Raw<'a>,
}

impl Item for Game {
    type Id = GameId;

    fn id(&self) -> &GameId {
        &self.id
    }

    fn read(item: &RawValue) -> Result<Self, serde_json::Error> {
        let Wire { id, name, box_art_url, igdb_id } = serde_json::from_str(item.get())?;
        let optional = Decoration(ENDPOINT);
        Ok(Self {
            id,
            name,
            box_art_url: optional.text("box_art_url", box_art_url),
            igdb_id: optional.text("igdb_id", igdb_id),
        })
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
        let malformed: Vec<_> = batch.malformed.iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(malformed, ids(&["2", "3"]));
        assert!(batch.malformed[0].1.contains("null"), "it says what was wrong: {batch:?}");
    }

    #[test]
    fn decoration_of_another_type_does_not_cost_the_game() {
        let body = r#"{"data":[{"id":"1","name":"a","box_art_url":7,"igdb_id":77},{"id":"2","name":"b"},
            {"id":"3","name":"c","box_art_url":"\ud800","igdb_id":null},{"id":501,"name":"d"}]}"#;
        let batch = batch::decode::<Game>("games", &ids(&["1", "2", "3", "501"]), body.as_bytes()).unwrap();
        let names: Vec<_> = batch.found.iter().map(|game| game.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert!(batch.found.iter().all(|game| game.box_art_url.is_empty() && game.igdb_id.is_empty()));
        assert_eq!(batch.malformed[0].0, ids(&["501"])[0], "an id that is a number is told as malformed");
    }
}
