//! Comparing what is stored with what is true.

use std::collections::{BTreeMap, BTreeSet};

use fake_twitch::{Stream, World};
use serde_json::{Value, json};
use shared::schema::PullId;
use tokio_postgres::Client;

/// The PullData document a stream must have.
pub(crate) fn document(world: &World, stream: &Stream) -> Value {
    let mut document = serde_json::to_value(stream).expect("a stream is JSON");
    let fields = document.as_object_mut().expect("an object");
    fields.remove("tag_ids");
    if fields["tags"].is_null() {
        fields.insert("tags".into(), json!([]));
    }
    let game = world.game(&stream.game_id).map(|game| {
        json!({"id": game.id, "name": game.name, "box_art_url": game.box_art_url, "igdb_id": game.igdb_id})
    });
    let channel = world.user(&stream.user_id).map(|user| {
        json!({
            "id": user.id, "login": user.login, "display_name": user.display_name,
            "profile_image_url": user.profile_image_url, "offline_image_url": user.offline_image_url,
            "view_count": user.view_count, "broadcaster_type": user.broadcaster_type,
            "description": user.description, "created_at": user.created_at,
        })
    });
    fields.insert("game".into(), game.unwrap_or_default());
    fields.insert("channel".into(), channel.unwrap_or_default());
    document
}

/// Every stored row of a pull against the world: none missing, none twice, none wrong. Returns how many there are.
pub(crate) async fn assert_matches_world(
    db: &Client,
    pull: PullId,
    world: &World,
    min_viewers: u64,
) -> usize {
    let expected: BTreeMap<&str, &Stream> =
        world.sound_streams(min_viewers).map(|stream| (stream.id.as_str(), stream)).collect();
    let sql = "select stream_id, channel_id, game_id, viewer_count, language, title, data,
                      jsonb_build_array(channel_login, channel_name, game_name, type, to_jsonb(tags), is_mature,
                                        to_char(started_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')) as columns
               from pull_data where pull_id = $1";
    let rows = db.query(sql, &[&pull.0]).await.expect("rows");
    let mut seen = BTreeSet::new();
    for row in &rows {
        let id: &str = row.get("stream_id");
        let stream = expected.get(id).unwrap_or_else(|| panic!("stream {id} is stored and should not be"));
        assert!(seen.insert(id), "stream {id} is stored twice");
        assert_eq!(row.get::<_, &str>("channel_id"), stream.user_id);
        assert_eq!(row.get::<_, Option<&str>>("game_id").unwrap_or_default(), stream.game_id);
        assert_eq!(u64::try_from(row.get::<_, i32>("viewer_count")).unwrap(), stream.viewer_count);
        assert_eq!(row.get::<_, &str>("language"), stream.language);
        assert_eq!(row.get::<_, &str>("title"), stream.title);
        let columns = json!([
            stream.user_login,
            stream.user_name,
            stream.game_name,
            stream.kind,
            stream.tags.clone().unwrap_or_default(),
            stream.is_mature,
            stream.started_at,
        ]);
        assert_eq!(row.get::<_, Value>("columns"), columns, "typed columns of {id}");
        assert_eq!(row.get::<_, Option<Value>>("data"), Some(document(world, stream)), "document of {id}");
    }
    let missing: Vec<_> = expected.keys().filter(|id| !seen.contains(*id)).collect();
    assert!(missing.is_empty(), "{} streams are missing, such as {:?}", missing.len(), missing.first());
    rows.len()
}
