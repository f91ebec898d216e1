//! Moving in: a database as the NiFi flow left it, written from the world itself, beside a pull of ours.

use fake_twitch::{Stream, World, WorldConfig};
use serde_json::{Value, json};
use shared::schema::PullId;

use crate::{dead_letter_rig::command, rig::Rig, services::Database, wire::purge};

/// What the NiFi flow wrote of a stream (LEGACY-PULL-DATA: keys, numbers and nulls, its faults included).
fn legacy(world: &World, stream: &Stream) -> Value {
    let number = |id: &str| id.parse::<u64>().map_or(Value::Null, Value::from);
    let game = world.game(&stream.game_id);
    let user = world.user(&stream.user_id);
    let of_user = |value: fn(&fake_twitch::User) -> Value| user.as_ref().map_or(Value::Null, value);
    let mut document = json!({
        "_id": number(&stream.id), "game_id": number(&stream.game_id), "game": game.map(|game| &game.name),
        "delay": 0, "viewers": stream.viewer_count, "created_at": stream.started_at,
        "stream_type": stream.kind, "broadcast_platform": stream.kind,
        "channel": {
            "_id": number(&stream.user_id), "status": stream.title,
            "language": stream.language, "broadcaster_language": stream.language,
            "name": of_user(|user| json!(user.login)), "display_name": of_user(|user| json!(user.display_name)),
            "url": of_user(|user| json!(format!("https://www.twitch.tv/{}", user.login))),
            "logo": of_user(|user| json!(user.profile_image_url)),
            "video_banner": of_user(|user| json!(user.offline_image_url)),
            "views": of_user(|user| json!(user.view_count)),
            "broadcaster_type": user.as_ref().map_or("", |user| user.broadcaster_type),
            "partner": of_user(|user| json!(user.broadcaster_type == "partner")),
            "description": of_user(|user| json!(user.description)), "game": game.map(|game| &game.name),
            "mature": false, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "followers": null, "profile_banner": null, "private_video": false,
            "privacy_options_enabled": "false", "broadcaster_software": ""
        }
    });
    if let Some(game) = game {
        document["box_art_url"] = json!(game.box_art_url);
    }
    document
}

/// A database of the NiFi flow with these pages in a pull of the time of `pull`.
async fn nifi(rig: &Rig, pull: PullId, pages: &[String]) -> Database {
    let database = Database::create().await;
    let client = database.client().await;
    let tables = "create table pulls (id serial primary key, pull_time timestamp, status text);
                  create table pull_data (pull_id int references pulls, data text)";
    client.batch_execute(tables).await.expect("tables");
    let at = "select to_char(started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') from pull where id = $1";
    let at: String = rig.db.query_one(at, &[&pull.0]).await.expect("a pull").get(0);
    client
        .execute("insert into pulls values (41, $1::text::timestamp + interval '3 s', 'new')", &[&at])
        .await
        .expect("a pull");
    for page in pages {
        client.execute("insert into pull_data values (41, $1)", &[page]).await.expect("a page");
    }
    database
}

/// What `operator shadow compare` says: its exit code, and a document per pull.
async fn compare(rig: &Rig, nifi: &Database) -> (i32, Vec<Value>) {
    let mut command = command(rig, "shadow compare --json");
    command.env("LEGACY_DATABASE_URL", nifi.plain_url());
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("a thread").expect("an operator");
    let text = String::from_utf8(output.stdout).expect("text");
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(wrong.is_empty(), "{wrong}");
    let documents = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (output.status.code().expect("a code"), documents)
}

fn pages(streams: &[Value]) -> Vec<String> {
    streams.chunks(100).map(|page| json!({"_total": page.len(), "streams": page}).to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shadow_has_no_false_differences_and_finds_every_seeded_one() {
    let mut rig = Rig::new(World::generate(WorldConfig { tail: 20, ..WorldConfig::sized(400) })).await;
    rig.start_all();
    let pull = rig.whole_pull().await.pull_id;
    rig.stop_all().await;
    let world = rig.twitch.world();
    // The flow stopped by viewers, and kept what it could read of them.
    let streams: Vec<Value> = world.sound_streams(5).map(|stream| legacy(world, stream)).collect();

    let same = nifi(&rig, pull, &pages(&streams)).await;
    let (code, documents) = compare(&rig, &same).await;
    assert_eq!(code, 0, "{documents:?}");
    assert_eq!((documents.len(), &documents[0]["legacy_pull"]), (1, &json!("41")));
    let both = world.sound_streams(10).count();
    assert_eq!(documents[0]["comparison"]["both"], json!(both));

    // Its known faults: a title that overwrote an id, a game that was not filled, a stream twice, a page lost, a title that
    // broke its page.
    let mut broken = streams.clone();
    let id = |stream: &Value| stream["_id"].to_string();
    broken[0]["channel"]["_id"] = json!(7);
    broken[1]["channel"]["status"] = json!("cut at");
    broken[2]["game"] = Value::Null;
    broken[3]["viewers"] = json!(1);
    let twice = id(&broken[4]);
    broken.push(broken[4].clone());
    let invented = json!({"_id": 5, "viewers": 50, "channel": {}});
    broken.push(invented);
    let lost = id(&broken.remove(5));
    let mut broken = pages(&broken);
    broken.push(r#"{"_total": 1, "streams": [{"title": "say "hi""}]}"#.to_owned());
    let faulty = nifi(&rig, pull, &broken).await;
    let client = faulty.client().await;
    let alone = "insert into pulls values (42, (select pull_time + interval '1 minute' from pulls), 'new')";
    client.batch_execute(alone).await.expect("a pull that we missed");
    let (code, documents) = compare(&rig, &faulty).await;
    assert_eq!((code, documents.len()), (1, 2), "{documents:?}");
    let found = &documents[0]["comparison"];
    assert_eq!((&found["only_legacy"], &found["only_ours"]), (&json!(["5"]), &json!([lost])));
    assert_eq!((&found["duplicates"], &found["unreadable_pages"]), (&json!([twice]), &json!(1)));
    let columns: Vec<&String> = found["columns"].as_object().expect("columns").keys().collect();
    assert_eq!(columns, ["channel._id", "channel.status", "game", "viewers"]);
    assert!(
        found["columns"].as_object().expect("columns").values().all(|column| column["streams"] == 1),
        "{found}"
    );
    assert_eq!(documents[1], json!({"pull_id": null, "legacy_pull": "42", "comparison": null}));

    same.drop().await;
    faulty.drop().await;
    purge(&rig.vhost, shared::topology::REJECTED).await;
    rig.end(&[]).await;
}
