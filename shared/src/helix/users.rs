//! `GET /users`: channels by id. <https://dev.twitch.tv/docs/api/reference/#get-users>
//!
//! Costs one point. At most 100 ids; not paginated. Deleted and suspended accounts are left out of the answer, without
//! a way to tell which they are; suspended ones may come back. One id that Twitch finds bad makes the whole call
//! [`Error::BadRequest`].

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Batch, Channel, Client, Error,
    batch::{self, Item},
    text,
};
use crate::schema::ChannelId;

impl Client {
    /// The channels with these ids. More than 100 are [`Error::TooManyIds`].
    pub async fn users(&self, ids: &[ChannelId]) -> Result<Batch<ChannelId, Channel>, Error> {
        batch::fetch(&self.0, "users", ids).await
    }
}

/// A channel on the wire. Fields we do not know are passed over; only ids, names and the time must be there.
#[derive(Deserialize)]
pub(super) struct Wire {
    id: ChannelId,
    #[serde(deserialize_with = "text::needed")]
    login: String,
    #[serde(deserialize_with = "text::needed")]
    display_name: String,
    #[serde(default, deserialize_with = "text::optional")]
    profile_image_url: String,
    #[serde(default, deserialize_with = "text::optional")]
    offline_image_url: String,
    /// Deprecated: it may go, or become anything.
    #[serde(default)]
    view_count: Value,
    #[serde(default, deserialize_with = "text::optional")]
    broadcaster_type: String,
    #[serde(default, deserialize_with = "text::optional")]
    description: String,
    created_at: DateTime<Utc>,
}

impl From<Wire> for Channel {
    fn from(wire: Wire) -> Self {
        Self {
            id: wire.id,
            login: wire.login,
            display_name: wire.display_name,
            profile_image_url: wire.profile_image_url,
            offline_image_url: wire.offline_image_url,
            view_count: wire.view_count.as_i64().unwrap_or_default(),
            broadcaster_type: wire.broadcaster_type,
            description: wire.description,
            created_at: wire.created_at,
        }
    }
}

impl Item for Channel {
    type Id = ChannelId;
    type Wire = Wire;

    fn id(&self) -> &ChannelId {
        &self.id
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
        assert_eq!(first.created_at.to_rfc3339(), "2016-12-14T20:32:28+00:00");
        assert_eq!((second.display_name.as_str(), second.view_count), ("ザゾルチ", 0));
        assert_eq!(second.created_at.timestamp_subsec_micros(), 123_456, "some times are that precise");
        assert!(batch.malformed.is_empty());
    }

    #[test]
    fn a_channel_without_a_time_is_malformed() {
        let ids = ["1", "2"].map(|id| id.parse().unwrap());
        let body = r#"{"data":[{"id":"1","login":"a","display_name":"A","created_at":"yesterday"},
            {"id":"2","login":"b","display_name":"B","created_at":"2020-01-01T00:00:00Z","view_count":"many"}]}"#;
        let batch = batch::decode::<Channel>("users", &ids, body.as_bytes()).unwrap();
        assert_eq!((batch.found.len(), batch.malformed.as_slice()), (1, &ids[..1]));
    }
}
