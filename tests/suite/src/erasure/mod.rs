//! Erasure: a channel is found nowhere afterwards, byte for byte, and every sum keeps its value.

mod queues;
mod resumed;

use std::process::{Command, Stdio};

use fake_twitch::{World, WorldConfig};
use lapin::{
    BasicProperties,
    message::Delivery,
    types::{AMQPValue, FieldTable},
};
use serde_json::Value;
use shared::{
    dead_letter::{DeadLetter, DeadLetterStore},
    schema::ChunkRef,
    topology::REJECTED,
};
use tokio_postgres::Client;

use crate::{
    builders::dead_letter,
    dead_letter_rig::{DEAD, operator, owner},
    rig::Rig,
    wire::{Wire, purge},
};

/// Everything in the database, as text.
pub(crate) fn dump(rig: &Rig) -> String {
    let dump = Command::new("pg_dump")
        .arg(rig.database.plain_url())
        .args(["--no-owner", "--inserts"])
        .stdin(Stdio::null())
        .output()
        .expect("pg_dump");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    // A token that is another each time; and the point budget, to which a process gives back what it did not use a little
    // after its last call.
    let passing =
        |line: &&str| !line.starts_with('\\') && !line.starts_with("insert into public.helix_token ");
    let lines = String::from_utf8_lossy(&dump.stdout).to_lowercase();
    lines.lines().filter(passing).collect::<Vec<_>>().join("\n")
}

/// The body and the headers of a message.
fn text_of(message: &Delivery) -> String {
    let mut parts = vec![String::from_utf8_lossy(&message.data).into_owned()];
    for (name, value) in message.properties.headers().iter().flat_map(FieldTable::inner) {
        let value = match value {
            AMQPValue::LongString(value) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
            other => format!("{other:?}"),
        };
        parts.push(format!("{name}: {value}"));
    }
    parts.join("\n")
}

/// What analyses are made of.
async fn aggregates(db: &Client) -> Vec<String> {
    let sql = "select array_to_string(array[pulled_at::text, game_name, language, count(*)::text, sum(viewer_count)::text,
                   count(distinct channel_id)::text, count(distinct stream_id)::text,
                   count(*) filter (where data->'channel' <> 'null')::text], '|') as line
               from pull_data group by pulled_at, game_name, language
               union all select array_to_string(array[id, fetched, stored, rejected, channels_filled, channels_missing], '|')
               from pull order by 1";
    db.query(sql, &[]).await.expect("aggregates").iter().map(|row| row.get("line")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_channel_is_found_nowhere_and_sums_stay() {
    let mut rig = Rig::new(World::generate(WorldConfig { tail: 10, ..WorldConfig::sized(300) })).await;
    rig.start_all();
    let first = rig.whole_pull().await;
    rig.whole_pull().await;
    rig.stop_all().await;

    let sql = "select d.channel_id, c.login, c.display_name, d.chunk, d.pulled_at from pull_data d
               join twitch_channel c using (channel_id) where pull_id = $1 order by viewer_count desc limit 1";
    let row = rig.db.query_one(sql, &[&first.pull_id.0]).await.expect("a stream");
    let (id, login, name): (String, String, String) =
        (row.get("channel_id"), row.get("login"), row.get("display_name"));
    let chunk = ChunkRef { pull_id: first.pull_id, pulled_at: row.get("pulled_at"), chunk: row.get("chunk") };

    // Wherever else it may be named.
    let about = |text: &str| text.replace("{id}", &id).replace("{login}", &login).replace("{name}", &name);
    let dead_letter = DeadLetter {
        message: about("Twitch rejected the request to /users?id={id}"),
        causes: about("{name} is no channel"),
        body: about(r#"{"user_id": "{id}", "user_login": "{login}"}"#).into_bytes(),
        properties: serde_json::json!({"headers": {"flow-message": about("no {login}")}}),
        ..dead_letter("finalizer", chunk)
    };
    rig.store.record(&dead_letter).await.expect("a dead letter");
    let elsewhere = about(
        "update pull_data set title = 'raid by {name} and @{login}!',
             data = jsonb_set(data, '{title}', '\"raid by {name} and @{login}!\"')
         where (pull_id, stream_id) in (select pull_id, stream_id from pull_data where channel_id <> '{id}' limit 3);
         update pull_chunk set failure = 'channel {id} is gone', rejects = json_build_array(json_build_object('place', 1,
             'rule', 'title', 'detail', 'of {login}', 'raw', '{\"user_id\": \"{id}\", \"user_name\": \"{name}\"}'))::text
         where chunk = 1;
         insert into dead_letter_note values ('f', 'me', 'ask {login}', 'me', now());
         insert into alarm (at, queue, kind, detail) values (now(), 'q', 'age', '{login} {id}');
         insert into missed_slot values (now(), '{name}', now());
         create table later (channel_id text, channel_name text, title text, seen jsonb);
         insert into later values ('{id}', '{name}', 'my title', '{\"channel_id\": \"{id}\", \"title\": \"mine\"}')",
    );
    rig.db.batch_execute(&elsewhere).await.expect("mentions");
    let wire = Wire::connect(&rig.vhost).await;
    let plain = BasicProperties::default();
    wire.publish(DEAD, &plain, &dead_letter.body).await;
    wire.publish(DEAD, &plain, b"somebody else's").await;
    purge(&rig.vhost, REJECTED).await;
    let rejected = about(r#"{"raw": "{\"user_login\": \"{login}\"}"}"#);
    wire.publish(REJECTED, &plain, rejected.as_bytes()).await;
    rig.waits(DEAD, 2).await;
    rig.waits(REJECTED, 1).await;

    let (sums, needles) =
        (aggregates(&rig.db).await, [id.clone(), login.to_lowercase(), name.to_lowercase()]);
    let before = dump(&rig);
    assert!(needles.iter().all(|needle| before.contains(needle)));

    let (code, _, err) = operator(&rig, &format!("erase --channel {id} --yes")).await;
    assert!(code == 1 && err.contains("does not own the tables"), "{err}");
    // But for the event that it failed.
    rig.db.batch_execute("delete from event where stage = 'operator'").await.expect("no event");
    let (code, counted, err) = owner(&rig, &format!("erase --channel {id} --dry-run --json")).await;
    assert_eq!(code, 0, "{err}");
    let counted: Value = serde_json::from_str(&counted).expect("JSON");
    assert_eq!(
        (&counted["counts"]["pull_data.channel_id"], &counted["counts"][DEAD]),
        (&2.into(), &1.into()),
        "{counted}"
    );
    let unchanged = dump(&rig);
    let lines: Vec<_> =
        unchanged.lines().filter(|line| !before.lines().any(|other| other == *line)).collect();
    assert!(unchanged == before, "counting changes nothing: {lines:?}");

    let (code, erased, err) = owner(&rig, &format!("erase --channel {id} --yes --by me --json")).await;
    assert_eq!(code, 0, "{erased} {err}");
    let erased: Value = serde_json::from_str(&erased).expect("JSON");
    assert_eq!((&erased["counts"], &erased["found"]), (&counted["counts"], &serde_json::json!({})));

    let after = dump(&rig);
    for needle in &needles {
        let at = after.find(needle).map(|at| &after[at.saturating_sub(200)..at + 80]);
        assert_eq!(at, None, "{needle}");
    }
    for (queue, messages) in [(DEAD, 2), (REJECTED, 1)] {
        rig.waits(queue, messages).await;
        while let Some(message) = wire.take(queue).await {
            let text = text_of(&message.delivery).to_lowercase();
            assert!(needles.iter().all(|needle| !text.contains(needle.as_str())), "{queue}: {text}");
        }
    }
    assert_eq!(aggregates(&rig.db).await, sums);
    let record = "select by, ended_at is not null, counts = $1, found = '{}' from erasure";
    let row = rig.db.query_one(record, &[&counted["counts"]]).await.expect("a record");
    assert_eq!((row.get::<_, &str>(0), row.get(1), row.get(2), row.get(3)), ("me", true, true, true));

    // What is left can still be made again, and be pulled again.
    let (code, _, err) = operator(&rig, &format!("rerun {} --from merge --yes", first.pull_id)).await;
    assert_eq!(code, 0, "{err}");
    rig.start_all();
    rig.succeeded(first.pull_id).await;
    rig.stop_all().await;
    assert!(!dump(&rig).contains(&login), "a rerun does not bring it back");
    rig.end(&[]).await;
}
