//! `GET /users`: channels by id. <https://dev.twitch.tv/docs/api/reference/#get-users>
//!
//! Costs one point. At most 100 ids; not paginated. Deleted and suspended accounts are left out of the answer, without
//! a way to tell which they are; suspended ones may come back. One id that Twitch finds bad makes the whole call
//! [`Error::BadRequest`].

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Batch, Channel, Client, Error,
    batch::{self, Item},
    drift::{Decoration, Raw},
    text,
};
use crate::schema::ChannelId;

const ENDPOINT: &str = "users";

impl Client {
    /// The channels with these ids. More than 100 are [`Error::TooManyIds`].
    pub async fn users(&self, ids: &[ChannelId]) -> Result<Batch<ChannelId, Channel>, Error> {
        batch::fetch(&self.0, ENDPOINT, ids).await
    }
}

/// A channel on the wire. Fields we do not know are passed over; only id and login must be there.
#[derive(Deserialize)]
struct Wire<'a> {
    id: ChannelId,
    #[serde(deserialize_with = "text::needed")]
    login: String,
    #[serde(borrow)]
    display_name: Raw<'a>,
    #[serde(borrow)]
    profile_image_url: Raw<'a>,
    #[serde(borrow)]
    offline_image_url: Raw<'a>,
    /// Deprecated: it may go, or become anything.
    #[serde(borrow)]
    view_count: Raw<'a>,
    #[serde(borrow)]
    broadcaster_type: Raw<'a>,
    #[serde(borrow)]
    description: Raw<'a>,
    #[serde(borrow)]
    created_at: Raw<'a>,
}

impl Item for Channel {
    type Id = ChannelId;

    fn id(&self) -> &ChannelId {
        &self.id
    }

    fn read(item: &RawValue) -> Result<Self, serde_json::Error> {
        let wire: Wire<'_> = serde_json::from_str(item.get())?;
        let optional = Decoration(ENDPOINT);
        let view_count = wire.view_count.and_then(|count| count.get().parse().ok());
        Ok(Self {
            display_name: optional.text_or("display_name", wire.display_name, &wire.login),
            profile_image_url: optional.text("profile_image_url", wire.profile_image_url),
            offline_image_url: optional.text("offline_image_url", wire.offline_image_url),
            view_count: view_count.unwrap_or_default(),
            broadcaster_type: optional.text("broadcaster_type", wire.broadcaster_type),
            description: optional.text("description", wire.description),
            created_at: optional.time("created_at", wire.created_at),
            id: wire.id,
            login: wire.login,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_reply_is_read() {
        let ids = ["141981764", "20000001", "666"].map(|id| id.parse().unwrap());
        let batch = batch::decode::<Channel>("users", &ids, include_bytes!("recorded/users.json")).unwrap();
        let [first, second] = batch.found.as_slice() else { panic!("{batch:?}") };
        assert_eq!((first.login.as_str(), first.broadcaster_type.as_str()), ("twitchdev", "partner"));
        assert_eq!(first.created_at.unwrap().to_rfc3339(), "2016-12-14T20:32:28+00:00");
        assert_eq!((second.display_name.as_str(), second.view_count), ("ザゾルチ", 0));
        assert_eq!(
            second.created_at.unwrap().timestamp_subsec_micros(),
            123_456,
            "some times are that precise"
        );
        assert!(batch.malformed.is_empty());
    }

    #[test]
    fn decoration_of_another_type_does_not_cost_the_channel() {
        let ids = ["1", "2", "3"].map(|id| id.parse().unwrap());
        let body = r#"{"data":[{"id":"1","login":"ada","display_name":null,"created_at":"","offline_image_url":5},
            {"id":"2","login":"bob","display_name":"B","created_at":"2020-01-01T00:00:00Z","view_count":"many"},
            {"id":"3","display_name":"C"}]}"#;
        let batch = batch::decode::<Channel>("users", &ids, body.as_bytes()).unwrap();
        let [ada, bob] = batch.found.as_slice() else { panic!("{batch:?}") };
        assert_eq!((ada.display_name.as_str(), ada.created_at), ("ada", None), "the login is shown instead");
        assert_eq!((ada.offline_image_url.as_str(), bob.view_count), ("", 0));
        let [(id, why)] = batch.malformed.as_slice() else { panic!("{batch:?}") };
        assert!(*id == ids[2] && why.contains("login"), "{batch:?}");
    }
}
