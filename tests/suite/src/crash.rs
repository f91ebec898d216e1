//! Workers that die: in the middle of a task, and as processes that are killed, frozen or told to stop.

use std::time::Duration;

use fake_twitch::{Latency, Settings as TwitchSettings, World, WorldConfig};
use lapin::types::AMQPValue;
use shared::{schema::ChunkStored, topology::GAME_ENRICHER};

use crate::{
    builders::{now, pages, store_page},
    dead_letter_rig::operator,
    eventually::eventually,
    process::{Options, Process, probe},
    rig::{Rig, Running, Setup},
    wire::Wire,
};

/// A world of six pages and more without rejects, at a Twitch that takes its time: there is a middle to die in.
fn world() -> World {
    World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(600) })
}

fn slow() -> Setup {
    let setup = Setup::default();
    let twitch = TwitchSettings { latency: Latency::of(Duration::from_millis(30)), ..setup.twitch };
    Setup { twitch, ..setup }
}

const PROGRAMS: [&str; 4] = ["extractor", "game-enricher", "channel-enricher", "finalizer"];
/// What shows that a stage is in the middle of a pull.
const PROGRESS: [&str; 4] = ["stored", "games", "channels", "merged"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_in_the_middle_costs_nothing() {
    let rig = Rig::with(world(), slow()).await;
    let mut running: Vec<Running> = PROGRAMS.map(|stage| rig.run_stage(stage)).into();
    for round in 0..2 {
        // What is known needs no asking: every round begins with an empty catalogue.
        rig.db.batch_execute("delete from twitch_game; delete from twitch_channel").await.expect("forgotten");
        let pull = rig.pull().await;
        for stage in 0..4 {
            rig.reached(pull, PROGRESS[stage], 1 + round).await;
            running.remove(stage).kill();
            rig.let_leases_run_out().await;
            running.insert(stage, rig.run_stage(PROGRAMS[stage]));
        }
        rig.stored_world(pull).await;
    }
    for worker in running {
        worker.stop().await;
    }
    rig.mop_up().await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_costs_nothing() {
    let rig = Rig::with(world(), slow()).await;
    let told = Options::default();
    let mut running: Vec<Process> = PROGRAMS.map(|name| Process::start(&rig, name, &told)).into();
    let pull = rig.pull().await;
    for (stage, name) in PROGRAMS.into_iter().enumerate() {
        rig.reached(pull, PROGRESS[stage], 1).await;
        running[stage].kill();
        rig.let_leases_run_out().await;
        running[stage] = Process::start(&rig, name, &told);
    }
    rig.stored_world(pull).await;
    for process in running {
        process.ready().await;
        process.terminate().await;
    }
    rig.mop_up().await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_process_loses_its_work_to_another_and_does_no_harm_when_it_wakes() {
    let rig = Rig::with(world(), slow()).await;
    // Its broker gives up on a silent peer after two heartbeats.
    let told = Options { amqp: "heartbeat=1", ..Options::default() };
    let running: Vec<Process> = PROGRAMS.map(|name| Process::start(&rig, name, &told)).into();
    let frozen = &running[3];
    let address = frozen.ready().await;
    let pull = rig.pull().await;
    rig.reached(pull, "merged", 1).await;
    frozen.signal("STOP");
    let other = Process::start(&rig, "finalizer", &told);
    rig.stored_world(pull).await;

    // It is named once it has missed to say that it lives, though nothing waits for it.
    let name = format!("%-{}-%", frozen.id());
    let sql = "update worker_state set seen_at = seen_at - interval '35 s', written_at = written_at - interval '35 s'
                   where replica like $1";
    assert_eq!(rig.db.execute(sql, &[&name]).await.expect("an update"), 1);
    for command in ["status", "doctor"] {
        let (code, said, err) = operator(&rig, command).await;
        let named = said.contains("the finalizer") && said.contains(&format!("-{}-", frozen.id()));
        assert!(code == 1 && named && said.contains("has been silent for "), "{said} {err}");
    }
    frozen.signal("CONT");
    eventually("the frozen one should work again", || async {
        let (status, why) = probe(address, "readyz").await;
        if status.is_success() { Ok(()) } else { Err(why) }
    })
    .await;
    for process in running.into_iter().chain([other]) {
        process.ready().await;
        process.terminate().await;
    }
    rig.mop_up().await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_under_load_lose_nothing_and_take_no_time() {
    let rig = Rig::with(world(), Setup { delays: "1h".parse().expect("delays"), ..slow() }).await;
    let told = Options { delays: "1h", ..Options::default() };
    let mut running: Vec<Process> = PROGRAMS.map(|name| Process::start(&rig, name, &told)).into();
    for process in &running {
        process.ready().await;
    }
    let pull = rig.pull().await;
    for round in 0..8 {
        let stage = round % 4;
        rig.reached(pull, PROGRESS[stage], 1).await;
        let next = Process::start(&rig, PROGRAMS[stage], &told);
        let took = std::mem::replace(&mut running[stage], next).terminate().await;
        assert!(took < Duration::from_secs(25), "{} took {took:?} to stop", PROGRAMS[stage]);
        rig.let_leases_run_out().await;
    }
    rig.stored_world(pull).await;
    for process in running {
        process.ready().await;
        process.terminate().await;
    }
    rig.mop_up().await;
    // A failed attempt would wait for an hour, and be found here.
    rig.end(&[]).await;
}

/// A rig whose game-enricher holds every chunk it is given for long: none of the games is known, and company may come, as
/// the pull is still being fetched.
async fn holding(number: usize) -> Rig {
    let setup = Setup { collect_for: Duration::from_mins(30), ..Setup::default() };
    let rig = Rig::with(World::generate(WorldConfig::plain(3)), setup).await;
    let pull = rig.store.request_pull("test", now()).await.expect("a pull");
    let chunk = store_page(&rig.store, pull, &pages(rig.twitch.world(), 3)[0], false).await.chunk;
    let messages = (0..number).map(|_| GAME_ENRICHER.request(&ChunkStored(chunk))).collect();
    rig.announcer.announce(messages).await.expect("announced");
    rig
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_gives_back_what_it_holds_as_if_it_had_never_had_it() {
    let rig = holding(3).await;
    // More often than a message may come back from workers that died.
    for _ in 0..22 {
        let worker = rig.run(rig.game_enricher());
        rig.waits("game-enricher", 0).await;
        worker.stop().await;
        rig.waits("game-enricher", 3).await;
    }
    let wire = Wire::connect(&rig.vhost).await;
    for _ in 0..3 {
        let message = wire.take("game-enricher").await.expect("a message").delivery;
        let headers = message.properties.headers().clone().unwrap_or_default();
        let spent = headers.inner().get("x-delivery-count").and_then(AMQPValue::as_long_long_int);
        assert_eq!((message.redelivered, spent.unwrap_or(0)), (false, 0), "{headers:?}");
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_holds_no_more_than_its_share_and_gives_all_of_it_back() {
    let rig = holding(1_200).await;
    let share = u32::from(GAME_ENRICHER.info().prefetch);
    for _ in 0..3 {
        let worker = rig.run(rig.game_enricher());
        rig.waits("game-enricher", 1_200 - share).await;
        worker.stop().await;
        rig.waits("game-enricher", 1_200).await;
    }
    rig.end(&[("game-enricher", 1_200)]).await;
}
