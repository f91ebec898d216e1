//! What everything depends on goes away, and comes back: nothing is lost, and no attempt is spent on it.
//!
//! The one retry is an hour away here: a message that was charged with an attempt would keep its pull from its end, and
//! would be found at the end of the test.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use fake_twitch::{Latency, Settings as TwitchSettings, World, WorldConfig};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{failure::Class, schema::PullRequested, topology::EXTRACTOR};

use crate::{
    builders::now,
    dead_letter_rig::{DEAD, FailingWorker, announce, empty_rig},
    eventually::eventually,
    process::{Options, Process, probe},
    proxy::Proxy,
    rig::{Rig, Setup},
    truth::assert_matches_world,
};

/// No rejects, because a page announced again announces its rejects again; slow enough to have a middle.
async fn rig() -> Rig {
    let world = World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(600) });
    let setup = Setup::default();
    let twitch = TwitchSettings { latency: Latency::of(Duration::from_millis(30)), ..setup.twitch };
    let delays = "1h".parse().expect("delays");
    Rig::with(world, Setup { delays, twitch, ..setup }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broker_connections_that_break_cost_nothing() {
    let mut rig = rig().await;
    let line = Proxy::to(&rig.amqp_url).await;
    rig.amqp_url = line.url(&rig.amqp_url);
    rig.start_all();
    let pull = rig.pull().await;
    for (progress, number) in [("stored", 1), ("stored", 3), ("games", 1), ("channels", 1), ("merged", 1)] {
        rig.reached(pull, progress, number).await;
        line.cut();
    }
    rig.stored_world(pull).await;
    rig.end_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publishing_connection_that_breaks_alone_is_noticed_without_any_work() {
    let mut rig = empty_rig().await;
    rig.start(FailingWorker::of(&rig, 1));
    rig.start(rig.finalizer());
    let publishing = eventually("the finalizer's connections should be listed", || async {
        let all = rig.vhost.call(Method::GET, "vhosts/{vhost}/connections", None).await;
        let theirs = |connection: &&Value| {
            let name = connection["client_properties"]["connection_name"].as_str().unwrap_or_default();
            name.starts_with("finalizer") && name.ends_with("publish")
        };
        let found = all.as_array().and_then(|all| all.iter().find(theirs)).cloned();
        found.ok_or(all)
    })
    .await;
    let name = publishing["name"].as_str().expect("a name").replace(' ', "%20").replace('>', "%3E");
    rig.vhost.call(Method::DELETE, &format!("connections/{name}"), None).await;
    // Over that connection the finalizer writes dead letters down; nothing of this is work of its own.
    announce(&rig, 10).await;
    rig.end(&[(DEAD, 10)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_connections_that_break_cost_nothing() {
    let mut rig = rig().await;
    rig.start_all();
    let pull = rig.pull().await;
    for progress in ["stored", "games", "channels", "merged"] {
        rig.reached(pull, progress, 1).await;
        rig.database.cut_connections().await;
        rig.db = rig.database.client().await;
    }
    eventually("the store should work again", || async { rig.store.check().await }).await;
    rig.stored_world(pull).await;
    rig.end_clean().await;
}

/// Waits until a probe for readiness is answered with this status; what it says then.
async fn readiness(address: SocketAddr, status: StatusCode) -> String {
    eventually(&format!("it should be {status}"), || async {
        let (answered, why) = probe(address, "readyz").await;
        if answered == status { Ok(why) } else { Err((answered, why)) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_a_worker_waits_and_says_so() {
    let mut rig = rig().await;
    let told = Options { delays: "1h", ..Options::default() };
    let workers = ["extractor", "game-enricher", "channel-enricher", "finalizer"];
    let workers = workers.map(|name| Process::start(&rig, name, &told));
    let mut addresses = Vec::new();
    for worker in &workers {
        addresses.push(worker.ready().await);
    }
    let pull_id = rig.store.request_pull("test", now()).await.expect("a pull");
    rig.database.allow_connections(false).await;
    rig.database.cut_connections().await;
    rig.announcer.announce(vec![EXTRACTOR.request(&PullRequested { pull_id })]).await.expect("announced");
    for address in &addresses {
        let why = readiness(*address, StatusCode::SERVICE_UNAVAILABLE).await;
        let told = ["PostgreSQL", "the database is unavailable", "statement", "what it depends on"]
            .iter()
            .any(|words| why.contains(words));
        assert!(told, "{why:?}");
        assert_eq!(probe(*address, "livez").await.0, StatusCode::OK, "it is alive all the same");
    }
    eventually("the extractor should put down its work", || async {
        let (_, why) = probe(addresses[0], "readyz").await;
        if why.starts_with("paused: PostgreSQL was reached, but refused") { Ok(()) } else { Err(why) }
    })
    .await;
    rig.database.allow_connections(true).await;
    rig.db = rig.database.client().await;
    for address in &addresses {
        readiness(*address, StatusCode::OK).await;
    }
    eventually("the store should work again", || async { rig.store.check().await }).await;
    rig.stored_world(pull_id).await;
    for worker in workers {
        worker.terminate().await;
    }
    rig.mop_up().await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_under_load_leaves_queues_short_and_every_due_pull_accounted_for() {
    let mut rig = rig().await;
    let variables = vec![("PULL_INTERVAL", "1s".to_owned())];
    let told = Options { delays: "1h", variables, ..Options::default() };
    let workers = ["finalizer", "channel-enricher", "game-enricher", "extractor"];
    let workers = workers.map(|name| Process::start(&rig, name, &told));
    let mut addresses = Vec::new();
    for worker in &workers {
        addresses.push(worker.ready().await);
    }
    // In the middle of a pull, and others are due each second.
    let latest = || async { rig.store.latest_pull().await.expect("an answer").ok_or("there is none") };
    let first = eventually("a pull should be due", latest).await;
    rig.reached(first, "merged", 1).await;
    rig.database.allow_connections(false).await;
    rig.database.cut_connections().await;
    let mut waiting = 0;
    for address in &addresses {
        readiness(*address, StatusCode::SERVICE_UNAVAILABLE).await;
        let depths = rig.announcer.depths().await.expect("depths");
        waiting = waiting.max(depths.iter().filter_map(|queue| queue.ready).sum::<u32>());
    }
    assert!(waiting <= 20, "no more than the messages of a pull or two: {waiting}");
    // However soon all have noticed: more than one pull was due by then.
    let away = Instant::now();
    let overdue = || async { (away.elapsed() > Duration::from_secs(2)).then_some(()).ok_or(away) };
    eventually("two more pulls should be due", overdue).await;

    rig.database.allow_connections(true).await;
    rig.db = rig.database.client().await;
    eventually("the store should work again", || async { rig.store.check().await }).await;
    rig.succeeded(first).await;
    let next = eventually("the next pull should be due", || async {
        let latest = rig.store.latest_pull().await.expect("an answer");
        latest.filter(|latest| *latest > first).ok_or(latest)
    })
    .await;
    rig.succeeded(next).await;
    for pull in [first, next] {
        assert_matches_world(&rig.db, pull, rig.twitch.world(), 10).await;
    }
    for worker in workers.into_iter().rev() {
        worker.terminate().await;
    }
    // Each due pull was made, or is recorded with the reason.
    let sql = "select count(*) as due, count(*) filter (where p.id is null and m.reason is null) as lost
               from generate_series((select min(slot) from pull), (select max(slot) from pull), interval '1 s') due
               left join pull p on p.slot = due left join missed_slot m on m.slot = due";
    let row = rig.db.query_one(sql, &[]).await.expect("slots");
    let (due, lost): (i64, i64) = (row.get("due"), row.get("lost"));
    assert!(due > 2 && lost == 0, "{lost} of {due}");
    let dead: i64 = rig.db.query_one("select count(*) from dead_letter", &[]).await.expect("a count").get(0);
    assert_eq!(dead, 0);
    rig.mop_up().await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_broker_a_worker_says_so_and_stays_alive() {
    let mut rig = rig().await;
    let line = Proxy::to(&rig.amqp_url).await;
    rig.amqp_url = line.url(&rig.amqp_url);
    let worker = Process::start(&rig, "finalizer", &Options { delays: "1h", ..Options::default() });
    let address = worker.ready().await;
    line.close();
    let why = readiness(address, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(why.starts_with("not connected to RabbitMQ: "), "{why}");
    assert_eq!(probe(address, "livez").await.0, StatusCode::OK);
    line.open();
    readiness(address, StatusCode::OK).await;
    worker.terminate().await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_deleted_by_hand_heals_itself_where_workers_may_declare() {
    let mut rig = rig().await;
    rig.setup.may_declare = true;
    rig.start_all();
    let pull = rig.pull().await;
    rig.reached(pull, "stored", 1).await;
    for (queue, key) in [("game-enricher", "chunk-stored"), ("finalizer", "channels-filled")] {
        let path = format!("bindings/{{vhost}}/e/work/q/{queue}/{key}");
        rig.vhost.call(Method::DELETE, &path, None).await;
    }
    rig.stored_world(pull).await;
    rig.end_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_there_with_other_arguments_is_named_and_nothing_is_touched() {
    let mut rig = rig().await;
    rig.setup.may_declare = true;
    let path = "queues/{vhost}/finalizer";
    let queue = rig.vhost.call(Method::GET, path, None).await;
    let mut arguments = queue["arguments"].clone();
    arguments["x-delivery-limit"] = json!(5);
    rig.vhost.call(Method::DELETE, path, None).await;
    rig.vhost.call(Method::PUT, path, Some(json!({"durable": true, "arguments": arguments}))).await;

    let failure = rig.run(rig.finalizer()).failed().await;
    assert_eq!((failure.class, failure.code), (Class::Permanent, "broker.declare"));
    let told = failure.to_string();
    for part in ["finalizer", "x-delivery-limit", "'20'", "'5'", "Drain it, delete it, and start again"] {
        assert!(told.contains(part), "{part} should be told: {told}");
    }
    let queue = rig.vhost.call(Method::GET, path, None).await;
    assert_eq!(queue["arguments"]["x-delivery-limit"], json!(5), "it is left as it was");
    rig.end(&[]).await;
}
