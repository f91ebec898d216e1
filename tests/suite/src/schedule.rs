//! The schedule: exactly one pull a slot, however many replicas decide it, and a reason where there is none.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use extractor::Schedule;
use fake_twitch::{World, WorldConfig};
use futures::future::join_all;
use shared::{
    clock::Clock,
    runtime::{Troubles, perform},
    schema::{PullId, PullRequested, decode},
    store::{MissedSlot, Store},
    topology::Announcement,
};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::{eventually::eventually, rig::Rig, services::Database};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn every(minutes: i64) -> Schedule {
    Schedule::Every(TimeDelta::minutes(minutes))
}

async fn migrated() -> (Database, Client) {
    let database = Database::migrated().await;
    let db = database.client().await;
    (database, db)
}

fn replicas(database: &Database, number: usize) -> Vec<Store> {
    (0..number).map(|_| Store::new(&database.url(), 2, "replica").expect("a store")).collect()
}

/// All replicas look at once, each with a clock a little off; returns the pulls that were announced.
async fn look(schedule: &Schedule, replicas: &[Store], slot: DateTime<Utc>) -> Vec<PullId> {
    let ticks = replicas
        .iter()
        .zip(0..)
        .map(|(store, replica)| schedule.tick(store, slot + TimeDelta::milliseconds(331 * replica)));
    let announced = join_all(ticks).await.into_iter().filter_map(|tick| tick.expect("the slot is decided"));
    announced.map(|announcement| pull_of(&announcement)).collect()
}

fn pull_of(announcement: &Announcement) -> PullId {
    decode::<PullRequested>(&announcement.body).expect("a request").pull_id
}

async fn close(store: &Store, pull: PullId, now: DateTime<Utc>) {
    assert!(store.fail_pull(pull, "closed by the test", None, None, now).await.expect("an answer"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_has_144_slots_and_loses_none_with_a_replica() {
    let (database, db) = migrated().await;
    let mut replicas = replicas(&database, 3);
    let midnight = at("2026-03-01T00:00:00Z");
    let mut announced = BTreeSet::new();
    for n in 0..144 {
        if n == 72 {
            // Whichever it is: there is no leader to lose.
            replicas.remove(0);
        }
        let slot = midnight + TimeDelta::minutes(10) * n;
        let pulls = look(&every(10), &replicas, slot).await;
        let [pull] = pulls[..] else { panic!("slot {slot} was announced as {pulls:?}") };
        assert!(announced.insert(pull), "pull {pull} was announced twice");
        close(&replicas[0], pull, slot + TimeDelta::minutes(3)).await;
    }
    let sql = "select count(*), count(distinct slot), max(started_at - slot) < interval '1 s',
                      (select count(*) from missed_slot) from pull where requested_by = 'schedule'";
    let row = db.query_one(sql, &[]).await.expect("counts");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (144, 144), "pulls and their slots");
    assert!(row.get::<_, bool>(2), "a pull starts within a second of its slot");
    assert_eq!(row.get::<_, i64>(3), 0, "no slot is missed");
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_is_a_pull_or_missed_and_never_both() {
    let (database, db) = migrated().await;
    let replicas = replicas(&database, 8);
    let (schedule, midnight) = (every(10), at("2026-03-01T00:00:00Z"));
    for n in 0..40 {
        let slot = midnight + TimeDelta::minutes(10) * n;
        // Half of them believe that the slot has passed without anybody there: their clocks run ahead.
        let (early, late) = replicas.split_at(4);
        let misses =
            join_all(late.iter().map(|store| store.miss_slots(std::slice::from_ref(&slot), "late", slot)));
        let (pulls, misses) = tokio::join!(look(&schedule, early, slot), misses);
        let noted: u64 = misses.into_iter().map(|missed| missed.expect("an answer")).sum();
        assert_eq!(pulls.len() as u64 + noted, 1, "slot {slot}: pulls {pulls:?}, missed {noted} times");
        for pull in pulls {
            close(&replicas[0], pull, slot).await;
        }
    }
    let sql = "select (select count(*) from pull) + (select count(*) from missed_slot),
                      (select count(*) from pull join missed_slot using (slot))";
    let row = db.query_one(sql, &[]).await.expect("counts");
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, i64>(1)),
        (40, 0),
        "decided slots, and those decided twice"
    );
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_pull_keeps_the_next_from_starting_and_is_named() {
    let (database, _db) = migrated().await;
    let replicas = replicas(&database, 3);
    let slots = ["2026-03-01T12:00:00Z", "2026-03-01T12:10:00Z", "2026-03-01T12:20:00Z"].map(at);
    let first = look(&every(10), &replicas, slots[0]).await;
    assert_eq!(first.len(), 1);
    assert_eq!(look(&every(10), &replicas, slots[1]).await, []);
    let reason = format!("overlap: pull {} is still pending", first[0]);
    assert_eq!(replicas[0].missed_slots(10).await.unwrap(), [MissedSlot { slot: slots[1], reason }]);
    close(&replicas[0], first[0], slots[1]).await;
    assert_eq!(look(&every(10), &replicas, slots[1]).await, [], "a missed slot stays missed");
    assert_eq!(look(&every(10), &replicas, slots[2]).await.len(), 1);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_without_any_replica_are_told_one_by_one() {
    let (database, _db) = migrated().await;
    let replicas = replicas(&database, 3);
    let before = look(&every(10), &replicas, at("2026-03-01T12:00:00Z")).await;
    close(&replicas[0], before[0], at("2026-03-01T12:03:00Z")).await;
    let back = look(&every(10), &replicas, at("2026-03-01T13:00:00Z")).await;
    assert_eq!(back.len(), 1, "the slot they come back in is started");
    let missed = replicas[0].missed_slots(10).await.unwrap();
    let expected = ["12:50", "12:40", "12:30", "12:20", "12:10"].map(|time| MissedSlot {
        slot: at(&format!("2026-03-01T{time}:00Z")),
        reason: "no extractor was there to start it".to_owned(),
    });
    assert_eq!(missed, expected);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cron_starts_pulls_at_its_times_and_misses_none_in_between() {
    let (database, _db) = migrated().await;
    let replicas = replicas(&database, 2);
    let schedule = Schedule::Cron(Box::new("*/20 8-9 * * *".parse().expect("a cron expression")));
    let morning = at("2026-03-01T07:50:00Z");
    let mut started = Vec::new();
    for n in 0..300 {
        let now = morning + TimeDelta::minutes(5) * n;
        for pull in look(&schedule, &replicas, now).await {
            started.push(now.format("%d %H:%M").to_string());
            close(&replicas[0], pull, now).await;
        }
    }
    let (first, rest) = started.split_first().expect("pulls");
    assert_eq!(first, "01 07:50", "the first look starts the slot that is current: yesterday's last");
    let day = |day: &'static str| {
        ["08:00", "08:20", "08:40", "09:00", "09:20", "09:40"].map(|time| format!("{day} {time}"))
    };
    assert_eq!(rest, [&day("01")[..], &["02 08:00".into(), "02 08:20".into(), "02 08:40".into()]].concat());
    assert_eq!(replicas[0].missed_slots(10).await.unwrap(), [], "the night is no absence");
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_schedules_share_the_slots_and_survive_each_other() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let stop = CancellationToken::new();
    let mut running: Vec<_> = replicas(&rig.database, 3)
        .into_iter()
        .map(|store| {
            let second = Schedule::Every(TimeDelta::seconds(1));
            let duty = second.duty(&store, &Clock::System, &rig.announcer).expect("a duty");
            tokio::spawn(perform(vec![duty], Troubles::default(), Clock::System, stop.clone()))
        })
        .collect();
    // No worker closes a pull here, so the first slot is a pull and every later one overlaps with it.
    let decided = async |least: i64| {
        eventually("slots should be decided", || async {
            let sql = "select (select count(*) from pull) + count(*) from missed_slot";
            let slots: i64 = rig.db.query_one(sql, &[]).await.expect("a count").get(0);
            if slots >= least { Ok(()) } else { Err(slots) }
        })
        .await;
    };
    decided(2).await;
    running.remove(0).abort();
    decided(4).await;
    running.iter().for_each(tokio::task::JoinHandle::abort);
    let sql = "with slots as (select slot from pull union all select slot from missed_slot)
               select count(*) = count(distinct slot), extract(epoch from max(slot) - min(slot))::bigint + 1 = count(*),
                      (select count(*) from pull)
               from slots";
    let row = rig.db.query_one(sql, &[]).await.expect("counts");
    assert!(row.get::<_, bool>(0), "no slot is decided twice");
    assert!(row.get::<_, bool>(1), "no slot is left out");
    assert_eq!(row.get::<_, i64>(2), 1, "each slot after the first overlaps with it");
    rig.end(&[("extractor", 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_pass_while_the_database_is_unavailable_say_so() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let stop = CancellationToken::new();
    let store = replicas(&rig.database, 1).remove(0);
    let second = Schedule::Every(TimeDelta::seconds(1));
    let duty = second.duty(&store, &Clock::System, &rig.announcer).expect("a duty");
    let troubles = Troubles::default();
    let running = tokio::spawn(perform(vec![duty], troubles.clone(), Clock::System, stop.clone()));
    rig.waits("extractor", 1).await;
    rig.database.allow_connections(false).await;
    rig.database.cut_connections().await;
    eventually("the duty should fail again and again", || {
        std::future::ready(troubles.describe().ok_or("it works"))
    })
    .await;
    rig.database.allow_connections(true).await;
    let admin = rig.database.client().await;
    let reason = eventually("the passed slots should be recorded", || async {
        let sql = "select reason from missed_slot where reason like 'no pull could be started: %' limit 1";
        admin.query_opt(sql, &[]).await.expect("a row").map(|row| row.get::<_, String>(0)).ok_or("none yet")
    })
    .await;
    assert!(reason.contains("PostgreSQL"), "{reason}");
    running.abort();
    rig.end(&[("extractor", 1)]).await;
}
