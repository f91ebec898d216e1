//! A server or a deployment that is wrong in the middle of a pull: no message pays for it, the pause names it, and the pull ends
//! well once it is repaired.
//!
//! A message that was charged with an attempt would come back in an hour, and would be found at the end.

use fake_twitch::{World, WorldConfig};
use reqwest::StatusCode;
use shared::{schema::PullRequested, topology::EXTRACTOR};
use url::Url;

use crate::{
    builders::now,
    eventually::eventually,
    process::{Options, Process, probe},
    proxy::{Forward, LOOPBACK_6},
    rig::{Rig, Setup},
    scripted::{consuming, paused},
    services::connect,
};

const STAGES: [&str; 4] = ["extractor", "game-enricher", "channel-enricher", "finalizer"];

async fn rig() -> Rig {
    let world = World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(300) });
    Rig::with(world, Setup { delays: "1h".parse().expect("delays"), ..Setup::default() }).await
}

/// What is wrong for one stage: how it comes about, how it is repaired, and what the pause must name.
struct Fault {
    breaks: String,
    repair: String,
    named: String,
}

/// A pull that meets each stage's fault, one after the other.
async fn each_stage_pauses_and_goes_on(code: &str, faults: [Fault; 4]) {
    let mut rig = rig().await;
    rig.start_all();
    for stage in STAGES {
        consuming(&rig, stage).await;
    }
    for fault in &faults {
        rig.db.batch_execute(&fault.breaks).await.expect(&fault.breaks);
    }
    let pull = rig.pull().await;
    for (stage, fault) in STAGES.iter().zip(&faults) {
        let told = paused(&rig, stage, code).await;
        let why = told.reason.unwrap_or_default();
        assert!(why.contains(&fault.named), "the pause of the {stage} should name {}: {why}", fault.named);
        rig.db.batch_execute(&fault.repair).await.expect(&fault.repair);
    }
    rig.stored_world(pull).await;
    rig.end_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_is_lacking_costs_no_message_anything() {
    let tables = ["pull_chunk", "twitch_game", "twitch_channel", "pull_data"];
    let mut stages = STAGES.iter();
    let faults = tables.map(|table| {
        let role = format!("twitch_{}", stages.next().expect("a stage").replace('-', "_"));
        Fault {
            breaks: format!("revoke insert on {table} from {role}"),
            repair: format!("grant insert on {table} to {role}"),
            named: format!("permission denied for table {table}"),
        }
    });
    each_stage_pauses_and_goes_on("store.denied", faults).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_is_missing_costs_no_message_anything() {
    let columns = [
        ("pull_chunk", "page"),
        ("twitch_game", "igdb_id"),
        ("twitch_channel", "broadcaster_type"),
        ("pull_data", "language"),
    ];
    let faults = columns.map(|(table, column)| Fault {
        breaks: format!("alter table {table} rename column {column} to gone"),
        repair: format!("alter table {table} rename column gone to {column}"),
        named: column.to_owned(),
    });
    each_stage_pauses_and_goes_on("store.statement", faults).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_becomes_read_only_costs_no_message_anything() {
    let mut rig = rig().await;
    let told = Options { delays: "1h", ..Options::default() };
    let workers = STAGES.map(|name| Process::start(&rig, name, &told));
    let mut addresses = Vec::new();
    for worker in &workers {
        addresses.push(worker.ready().await);
    }
    let read_only = format!("alter database {} set default_transaction_read_only", rig.database.name());
    let pull_id = rig.store.request_pull("test", now()).await.expect("a pull");
    rig.announcer.announce(vec![EXTRACTOR.request(&PullRequested { pull_id })]).await.expect("announced");
    rig.reached(pull_id, "stored", 1).await;
    rig.db.batch_execute(&format!("{read_only} = on")).await.expect("read-only");
    rig.database.cut_connections().await;
    for (stage, address) in STAGES.iter().zip(&addresses) {
        eventually(&format!("the {stage} should name the cause"), || async {
            let (status, why) = probe(*address, "readyz").await;
            let named =
                status == StatusCode::SERVICE_UNAVAILABLE && why.contains("the database is read-only");
            if named { Ok(()) } else { Err((status, why)) }
        })
        .await;
    }
    let owner = connect(rig.database.plain_url().as_str()).await;
    owner.batch_execute("set default_transaction_read_only = off").await.expect("a session that writes");
    owner.batch_execute(&format!("{read_only} = off")).await.expect("read-write");
    rig.db = rig.database.client().await;
    eventually("the store should work again", || async { rig.store.check().await }).await;
    rig.stored_world(pull_id).await;
    for worker in workers {
        worker.terminate().await;
    }
    rig.mop_up().await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_serializable_by_default_makes_the_same_pull() {
    let mut rig = rig().await;
    let name = rig.database.name();
    let serializable = format!("alter database {name} set default_transaction_isolation = 'serializable'");
    rig.db.batch_execute(&serializable).await.expect("another default");
    rig.start_all();
    let pull = rig.pull().await;
    rig.stored_world(pull).await;
    // A retry would be found here.
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twitch_is_called_at_an_ipv6_address_as_well() {
    let mut rig = rig().await;
    let (api, token): (Url, Url) =
        (rig.twitch.api_url().parse().expect("a URL"), rig.twitch.token_url().parse().expect("a URL"));
    let place = |url: &Url| format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
    // A machine without IPv6 has no such address.
    let Ok(forward) = Forward::to(LOOPBACK_6, place(&api)).await else { return rig.end(&[]).await };
    let there = |url: &Url| {
        let mut url = url.clone();
        url.set_host(Some("[::1]")).expect("a host");
        url.set_port(Some(forward.port())).expect("a port");
        url.to_string()
    };
    let variables = vec![("TWITCH_API_URL", there(&api)), ("TWITCH_TOKEN_URL", there(&token))];
    let told = Options { delays: "1h", variables, ..Options::default() };
    let extractor = Process::start(&rig, "extractor", &told);
    rig.start(rig.game_enricher());
    rig.start(rig.channel_enricher());
    rig.start(rig.finalizer());
    let pull = rig.pull().await;
    rig.succeeded(pull).await;
    assert!(forward.taken() > 0, "by no other way");
    extractor.terminate().await;
    rig.end(&[]).await;
}
