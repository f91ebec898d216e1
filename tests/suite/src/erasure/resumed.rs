//! An erasure that was cut short is gone on with, and what it could not reach is found.

use fake_twitch::{World, WorldConfig};
use serde_json::{Value, json};

use super::dump;
use crate::{
    dead_letter_rig::{command, operator, owner},
    eventually::eventually,
    rig::Rig,
    services::connect,
};

/// A pull of which one channel's id, login and display name are known.
async fn rig_with_a_channel() -> (Rig, [String; 3]) {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(20))).await;
    rig.start_all();
    rig.whole_pull().await;
    rig.stop_all().await;
    let sql = "select channel_id, login, display_name from twitch_channel order by channel_id limit 1";
    let row = rig.db.query_one(sql, &[]).await.expect("a channel");
    let needles = ["channel_id", "login", "display_name"].map(|column| row.get(column));
    (rig, needles)
}

/// The pseudonyms that rows of a table have.
async fn pseudonyms(rig: &Rig, table: &str) -> Vec<String> {
    let sql = format!(
        "select distinct channel_id from {table} where length(channel_id) = 18 and channel_id like '9%'"
    );
    rig.db.query(&sql, &[]).await.expect("rows").iter().map(|row| row.get("channel_id")).collect()
}

async fn subjects(rig: &Rig) -> i64 {
    rig.db.query_one("select count(*) as n from erasure_subject", &[]).await.expect("a count").get("n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_is_killed_in_the_middle_is_ended_by_the_next() {
    let (rig, needles) = rig_with_a_channel().await;
    let [id, login, _] = &needles;
    let later = format!(
        "create table zz_later (channel_id text, channel_login text, note text);
         insert into zz_later values ('{id}', '{login}', 'x'), ('1', 'other', 'ask {login}')"
    );
    rig.db.batch_execute(&later).await.expect("a table that comes last");
    let counted = owner(&rig, &format!("erase --channel {id} --dry-run --json")).await.1;
    let counted: Value = serde_json::from_str(&counted).expect("JSON");

    // It dies when the channel's own rows are gone, and with them its names.
    let blocker = rig.database.client().await;
    blocker.batch_execute("begin; lock table zz_later in access exclusive mode").await.expect("a lock");
    let mut dying = command(&rig, &format!("erase --channel {id} --yes --by me"));
    let mut dying = dying.env("DATABASE_URL", rig.database.plain_url()).spawn().expect("an operator");
    eventually("it should come to the last table", || async {
        let sql = "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and query like '%zz_later%'";
        let waits: i64 = rig.db.query_one(sql, &[]).await.map_err(|error| error.to_string())?.get("n");
        if waits > 0 { Ok(()) } else { Err("it does not wait".to_owned()) }
    })
    .await;
    dying.kill().expect("killed");
    dying.wait().expect("dead");
    blocker.batch_execute("rollback").await.expect("no lock");
    let known = "select count(*) from twitch_channel where channel_id = $1";
    assert_eq!(rig.db.query_one(known, &[id]).await.expect("a count").get::<_, i64>(0), 0);

    for (words, code) in [("status --json", 1), ("doctor --json", 1)] {
        let (ended, out, err) = operator(&rig, words).await;
        let command = format!("operator erase --channel {id}");
        assert!(ended == code && out.contains(&command) && out.contains("me began"), "{words}: {out}{err}");
    }

    let (code, erased, err) = owner(&rig, &format!("erase --channel {id} --yes --json")).await;
    assert_eq!(code, 0, "{erased}{err}");
    let erased: Value = serde_json::from_str(&erased).expect("JSON");
    assert_eq!(erased["counts"], counted["counts"], "what the first did is counted once");
    let dump = dump(&rig);
    assert_eq!(needles.iter().find(|needle| dump.contains(&needle.to_lowercase())), None);
    let first = pseudonyms(&rig, "pull_data").await;
    assert_eq!((first.len(), &first), (1, &pseudonyms(&rig, "zz_later").await), "one pseudonym");
    assert_eq!(subjects(&rig).await, 0, "nothing tells whose it was");
    let records = "select count(*) from erasure where ended_at is not null and by = 'me'";
    assert_eq!(
        rig.db.query_one(records, &[]).await.expect("a count").get::<_, i64>(0),
        1,
        "it was one erasure"
    );
    assert!(!operator(&rig, "status").await.1.contains("erase"));
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_scrubber_knows_is_found_and_keeps_the_erasure_open() {
    let (rig, needles) = rig_with_a_channel().await;
    let [id, login, name] = &needles;
    let odd = format!(
        "create domain nickname as text;
         create table odd (channel_number bigint, nick nickname, doc xml, viewers bigint, counted text);
         insert into odd values ({id}, '{name}', '<a>{login}</a>', {id}, '1{id}');"
    );
    rig.db.batch_execute(&odd).await.expect("what nobody foresaw");
    let (code, erased, err) = owner(&rig, &format!("erase --channel {id} --yes --json")).await;
    assert_eq!(code, 1, "{err}");
    let erased: Value = serde_json::from_str(&erased).expect("JSON");
    assert_eq!(erased["found"], json!({"odd.channel_number": 1, "odd.nick": 1, "odd.doc": 1}), "{erased}");
    let explained = &erased["explained"];
    assert_eq!(explained["digits within a longer number"]["odd.counted"], 1, "{explained}");
    assert_eq!(explained["a number that counts something else"]["odd.viewers"], 1, "{explained}");
    assert_eq!((&erased["ended"], subjects(&rig).await), (&json!(false), 1));
    let first = pseudonyms(&rig, "pull_data").await;
    let reader = connect(&rig.database.url_of("operator")).await;
    reader.query("select channel from erasure_subject", &[]).await.expect("whose erasure it is");
    reader
        .query("select scrubber from erasure_subject", &[])
        .await
        .expect_err("the key is the owner's alone");

    // The channel is pulled again meanwhile: it is the same erasure that goes on.
    let again = format!(
        "alter table odd drop column channel_number, drop column nick, drop column doc;
         create table again (channel_id text, note text); insert into again values ('{id}', 'with {login}')"
    );
    rig.db.batch_execute(&again).await.expect("again");
    let (code, out, err) = owner(&rig, &format!("erase --channel {id} --yes")).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("Not reached") && out.contains("backups") && out.contains("logs"), "{out}");
    assert_eq!((&pseudonyms(&rig, "again").await, subjects(&rig).await), (&first, 0));
    rig.end(&[]).await;
}
