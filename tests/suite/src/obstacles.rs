//! Whoever waits for a pull is told what it waits for: by `pull --wait`, `status` and `show`, and not by a log.

use fake_twitch::{Effect, Endpoint, Fault, When, World, WorldConfig};
use serde_json::Value;

use crate::{
    dead_letter_rig::{answer, command, operator, operator_json},
    eventually::eventually,
    process::{Options, Process},
    rig::{Rig, Setup},
    wire::purge,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_is_told_to_whoever_waits_and_the_pull_waits_as_well() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(150))).await;
    let wrong = vec![("TWITCH_CLIENT_SECRET", "not-the-secret".to_owned())];
    let extractor = Process::start(&rig, "extractor", &Options { variables: wrong, ..Options::default() });
    rig.start(rig.game_enricher());
    rig.start(rig.channel_enricher());
    rig.start(rig.finalizer());

    let (code, _, told) = operator(&rig, "pull --wait --timeout 15s").await;
    assert_eq!(code, 124, "the time is over, and the pull has not failed: {told}");
    assert!(told.contains("waiting: the extractor is paused"), "{told}");
    assert!(told.contains("check TWITCH_CLIENT_SECRET"), "{told}");
    assert!(!told.contains("no extractor is running"), "{told}");
    let last = told.lines().last().unwrap_or_default();
    assert!(last.contains("waiting: the extractor is paused"), "the end says it as well: {last}");
    assert!(!told.contains("not-the-secret"), "a secret is told to nobody");
    // The doctor's sentence is the same, but for how long it has been so.
    let (_, reason) = last.split_once("waiting: the extractor is paused for ").expect("a reason");
    let (_, reason) = reason.split_once(": ").expect("a reason");
    let (_, doctor, _) = operator(&rig, "doctor latest").await;
    assert!(doctor.starts_with("1. the extractor is paused") && doctor.contains(reason), "{doctor} {last}");

    let (code, status, _) = operator(&rig, "status").await;
    assert!(code == 1 && status.contains("check TWITCH_CLIENT_SECRET"), "{status}");
    let shown = operator_json(&rig, "show latest").await;
    let obstacle = shown["obstacle"].as_str().unwrap_or_default();
    assert!(obstacle.contains("check TWITCH_CLIENT_SECRET"), "{shown:#}");

    extractor.terminate().await;
    let pull = rig.store.latest_pull().await.expect("a pull").expect("a pull");
    rig.start(rig.extractor());
    rig.stored_world(pull).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_goes_on_waiting_while_others_hold_what_is_read() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    rig.db.batch_execute("begin; lock table worker_state in access exclusive mode").await.expect("a lock");
    let mut command = command(&rig, "pull --wait --timeout 4s");
    command
        .env("DATABASE_URL", format!("{}?options=-clock_timeout%3D200ms", rig.database.url_of("operator")));
    let (code, _, told) = answer(command).await;
    assert!(
        code == 124 && told.contains("still waiting: another transaction holds what is needed"),
        "{told}"
    );
    rig.db.batch_execute("rollback").await.expect("let go");
    purge(&rig.vhost, "extractor").await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_reads_the_doctors_sentence() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let doctor = async || operator(&rig, "doctor --json").await.1;
    let cause = |said: &str| -> String {
        let said: Value = serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {said}"));
        said["causes"][0]["cause"].as_str().unwrap_or_else(|| panic!("a cause: {said}")).to_owned()
    };

    let (code, _, told) = operator(&rig, "pull --wait --timeout 7s").await;
    let no_worker = cause(&doctor().await);
    assert!(code == 124 && told.contains(&no_worker), "{told} {no_worker}");
    assert!(no_worker.starts_with("no extractor is running"), "{no_worker}");

    let read_only = format!("alter database {} set default_transaction_read_only", rig.database.name());
    rig.db.batch_execute(&format!("{read_only} = on")).await.expect("read-only");
    let (code, _, told) = operator(&rig, "pull --wait").await;
    let said = cause(&doctor().await);
    assert!(said.starts_with("the database is read-only"), "{said}");
    assert!(code == 69 && told.contains(&said), "{told} {said}");
    rig.db.batch_execute(&format!("{read_only} = off")).await.expect("read-write");

    // What PostgreSQL says when it finds no room for another page.
    let full = "
        create function full_disk() returns trigger language plpgsql as $$ begin
            raise exception 'could not extend file \"base/1/2\": No space left on device'
                using errcode = 'disk_full', hint = 'Check free disk space.'; end $$;
        create function full_disk_too() returns event_trigger language plpgsql as $$ begin
            raise exception 'could not extend file \"base/1/2\": No space left on device'
                using errcode = 'disk_full', hint = 'Check free disk space.'; end $$;
        create trigger full_disk before insert or update on pull for each row execute function full_disk();
        create event trigger full_disk on ddl_command_start execute function full_disk_too()";
    rig.db.batch_execute(full).await.expect("a full disk");
    let (code, _, told) = operator(&rig, "pull --wait").await;
    let said = cause(&doctor().await);
    assert!(said.contains("the database has run out of something: could not extend file"), "{said}");
    assert!(code == 69 && told.contains(&said), "{told} {said}");
    rig.db.batch_execute("drop event trigger full_disk").await.expect("room");
    rig.end(&[("extractor", 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_tried_again_is_told_with_its_reason() {
    let delays = "300ms,1h".parse().expect("delays");
    let setup = Setup { delays, ..Setup::default() };
    let mut rig = Rig::with(World::generate(WorldConfig::plain(150)), setup).await;
    let down = Effect::Status { code: 500, message: "it is down".to_owned() };
    rig.twitch.faults(|faults| faults.push(Fault::new(down).on(Endpoint::Users).when(When::Always)));
    rig.start_all();
    let pull = rig.pull().await;
    rig.waits("channel-enricher.retry.3600000", 2).await;
    let told = eventually("the retries should be told", || async {
        let (_, status, _) = operator(&rig, "status --retry-delays=300ms,1h").await;
        if status.contains("the channel-enricher has been retrying 2 messages") {
            Ok(status)
        } else {
            Err(status)
        }
    })
    .await;
    assert!(told.contains("500 from /users") && told.contains("it is down"), "{told}");
    let shown = operator_json(&rig, &format!("show {pull}")).await;
    assert!(shown["obstacle"].as_str().is_some_and(|why| why.contains("/users")), "{shown:#}");
    // What waits for an hour is left to wait.
    rig.end(&[("channel-enricher.retry.3600000", 2)]).await;
}
