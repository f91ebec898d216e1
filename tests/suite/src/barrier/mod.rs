//! The barrier at the end: a pull is closed exactly once, never before its last chunk, whatever happens on the way.
//!
//! The queue is played by the test, so that it can do what a broker does at its worst: deliver in any order, deliver
//! twice, and lose a worker between any two of its steps.

mod schedule;

use std::sync::Arc;

use fake_twitch::{World, WorldConfig};
use futures::{StreamExt, stream};
use shared::{
    failure::Failure,
    runtime::Worker,
    schema::{ChannelsFilled, ChunkRef, ChunkStored, GamesFilled, PullClosed, PullStatus, decode},
    topology::Announcement,
};

use self::schedule::{Programs, done, learn_everything, overdue, play};
use crate::{
    builders::{assert_closed_once, dead_letter, extracted, filled, note_closings, now, pages, store_page},
    rig::Rig,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_random_schedules_close_each_pull_exactly_once() {
    let rig = Rig::new(World::generate(WorldConfig { games: Some(20), ..WorldConfig::plain(60) })).await;
    let programs = Programs::of(&rig);
    let pages = pages(rig.twitch.world(), 3);
    note_closings(&rig.db).await;
    learn_everything(&rig, &programs, &pages).await;

    let plays = stream::iter(0..1_000).map(|seed| play(&programs, &pages, seed)).buffer_unordered(6);
    let played: Vec<_> = plays.collect().await;
    for (pull, events) in &played {
        let [event, again @ ..] = &events[..] else { panic!("pull {pull} was closed and nobody was told") };
        assert_eq!((event.pull_id, event.status), (*pull, PullStatus::Success));
        assert!(again.iter().all(|other| other == event), "a repetition is the same event: {events:#?}");
    }
    assert_eq!(assert_closed_once(&rig.db).await, 1_001);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_merge_the_last_two_chunks_at_once_close_the_pull_once() {
    let rig = Rig::new(World::generate(WorldConfig::plain(12))).await;
    let programs = Arc::new(Programs::of(&rig));
    let pages = pages(rig.twitch.world(), 3);
    note_closings(&rig.db).await;
    learn_everything(&rig, &programs, &pages).await;
    for round in 1..=150 {
        let chunks = filled(&rig.store, &pages[..2]).await;
        let merge = |at: usize| {
            let (programs, jobs) = (Arc::clone(&programs), overdue(&chunks[at..=at], ChannelsFilled));
            // Tasks of their own, so that they really run at once.
            tokio::spawn(async move { done(programs.finalizers[at].handle(&jobs).await) })
        };
        let (one, other) = (merge(0), merge(1));
        let told = one.await.expect("merged").len() + other.await.expect("merged").len();
        assert_eq!(told, 1, "round {round}: whoever closes it tells it, and nobody else");
    }
    assert_eq!(assert_closed_once(&rig.db).await, 151);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_closed_pull_is_told_again_to_whoever_asks_again() {
    let rig = Rig::new(World::generate(WorldConfig::plain(12))).await;
    let programs = Programs::of(&rig);
    let pages = pages(rig.twitch.world(), 3);
    note_closings(&rig.db).await;
    learn_everything(&rig, &programs, &pages).await;
    let jobs = overdue(&filled(&rig.store, &pages).await, ChannelsFilled);
    let first = done(programs.finalizers[0].handle(&jobs).await);
    assert_eq!(first.len(), 1, "four chunks, one end");
    // It died before it could tell anybody, and the chunks come again, to somebody else, one by one.
    for job in jobs {
        assert_eq!(done(programs.finalizers[1].handle(&[job]).await), first);
    }
    assert_closed_once(&rig.db).await;
    rig.end(&[]).await;
}

/// What a stage says when it gives up on a chunk for good.
async fn give_up_on_channels(programs: &Programs, chunk: ChunkRef) -> Vec<Announcement> {
    let failure = Failure::permanent("test.refused", "it is refused");
    programs
        .channels
        .give_up(&GamesFilled(chunk), &failure, &dead_letter("channel-enricher", chunk))
        .await
        .expect("noted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_stays_failed_while_one_of_its_chunks_is_given_up() {
    let rig = Rig::new(World::generate(WorldConfig::plain(12))).await;
    let programs = Programs::of(&rig);
    let pages = pages(rig.twitch.world(), 3);
    learn_everything(&rig, &programs, &pages).await;
    note_closings(&rig.db).await;
    let chunks = extracted(&rig.store, &pages).await;
    let pull = chunks[0].pull_id;
    done(programs.games.handle(&overdue(&chunks, ChunkStored)).await);
    assert_eq!(give_up_on_channels(&programs, chunks[0]).await.len(), 1, "its failure is told");

    // The others go on, and must not make the pull look as if it could still come to its end.
    done(programs.channels.handle(&overdue(&chunks[1..], GamesFilled)).await);
    assert_eq!(done(programs.finalizers[0].handle(&overdue(&chunks[1..], ChannelsFilled)).await), []);
    let report = rig.store.pull_report(pull).await.expect("a report");
    assert_eq!((report.status.as_str(), report.merged_chunks), ("failed", 3));
    assert_eq!(report.error.as_deref(), Some("chunk 1 at channel-enricher: it is refused"));

    // A replay of the one brings the pull to its end.
    done(programs.channels.handle(&overdue(&chunks[..1], GamesFilled)).await);
    let told = done(programs.finalizers[0].handle(&overdue(&chunks[..1], ChannelsFilled)).await);
    let event = decode::<PullClosed>(&told[0].body).expect("an event");
    assert_eq!((event.pull_id, event.status, event.error), (pull, PullStatus::Success, None));
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_stays_failed_while_its_pages_go_on_and_a_replay_still_finishes_it() {
    let rig = Rig::new(World::generate(WorldConfig::plain(12))).await;
    let programs = Programs::of(&rig);
    let pages = pages(rig.twitch.world(), 3);
    learn_everything(&rig, &programs, &pages).await;
    let pull = rig.store.request_pull("test", now()).await.expect("a pull");
    let first = store_page(&rig.store, pull, &pages[0], false).await.chunk;
    done(programs.games.handle(&overdue(&[first], ChunkStored)).await);
    give_up_on_channels(&programs, first).await;

    let mut rest = Vec::new();
    for (page, last) in pages[1..].iter().zip([false, false, true]) {
        rest.push(store_page(&rig.store, pull, page, last).await.chunk);
        let report = rig.store.pull_report(pull).await.expect("a report");
        assert_eq!(report.status, "failed", "after page {}", report.pages);
        assert!(report.error.is_some() && report.completed_at.is_some(), "{report:#?}");
    }
    done(programs.games.handle(&overdue(&rest, ChunkStored)).await);
    let all = [&[first], &rest[..]].concat();
    done(programs.channels.handle(&overdue(&all, GamesFilled)).await);
    let told = done(programs.finalizers[0].handle(&overdue(&all, ChannelsFilled)).await);
    assert_eq!(told.len(), 1);
    let report = rig.store.pull_report(pull).await.expect("a report");
    assert_eq!((report.status.as_str(), report.error), ("success", None));
    rig.end(&[]).await;
}
