//! The barrier at the end: a pull is closed exactly once, never before its last chunk, whatever happens on the way.
//!
//! The queue is played by the test, so that it can do what a broker does at its worst: deliver in any order, deliver
//! twice, and lose a worker between any two of its steps.

use std::{sync::Arc, time::Duration};

use fake_twitch::{World, WorldConfig};
use futures::{StreamExt, stream};
use shared::{
    failure::Failure,
    runtime::{Job, Outcome, Step, Worker},
    schema::{
        ChannelsFilled, ChunkRef, ChunkStored, GamesFilled, Message, PullClosed, PullId, PullStatus, Record,
        decode,
    },
    store::{Kind, Store},
    topology::Announcement,
};

use crate::{
    builders::{assert_closed_once, dead_letter, extracted, filled, note_closings, now, pages, store_page},
    rig::Rig,
};

/// Random choices that come again with the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n as u64).expect("a small number")
    }

    /// True once in `n` times.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// The programs of a flow, two of each kind that could get in each other's way.
struct Programs {
    store: Store,
    games: game_enricher::GameEnricher,
    channels: channel_enricher::ChannelEnricher,
    finalizers: [finalizer::Finalizer; 2],
}

impl Programs {
    fn of(rig: &Rig) -> Self {
        Self {
            store: rig.store.clone(),
            games: rig.game_enricher(),
            channels: rig.channel_enricher(),
            finalizers: [rig.finalizer(), rig.finalizer()],
        }
    }
}

/// Lets the catalogue know all there is to know, by a pull of the whole world.
async fn learn_everything(rig: &Rig, programs: &Programs, pages: &[Vec<Record>]) {
    let chunks = extracted(&rig.store, pages).await;
    done(programs.games.handle(&overdue(&chunks, ChunkStored)).await);
    done(programs.channels.handle(&overdue(&chunks, GamesFilled)).await);
    done(programs.finalizers[0].handle(&overdue(&chunks, ChannelsFilled)).await);
}

/// Jobs that have waited long enough for company.
fn overdue<M>(chunks: &[ChunkRef], message: impl Fn(ChunkRef) -> M) -> Vec<Job<M>> {
    let held = Duration::from_mins(1);
    chunks.iter().map(|chunk| Job { message: message(*chunk), held, steps: 0 }).collect()
}

/// What the outcomes announce; all must be done.
fn done(outcomes: Vec<Outcome>) -> Vec<Announcement> {
    let announced = |outcome: Outcome| match outcome {
        Ok(Step::Done(announcements)) => announcements,
        other => panic!("it should be done: {other:?}"),
    };
    outcomes.into_iter().flat_map(announced).collect()
}

/// One queue: messages in any order.
struct Queue<M>(Vec<M>);

impl<M: Message + Clone> Queue<M> {
    /// Takes some messages in any order. Returns the jobs; one in five stays in the queue, too, and comes again.
    fn take(&mut self, dice: &mut Dice) -> Vec<Job<M>> {
        let number = 1 + dice.below(3);
        let mut jobs = Vec::new();
        while jobs.len() < number && !self.0.is_empty() {
            let at = dice.below(self.0.len());
            let message = if dice.once_in(5) { self.0[at].clone() } else { self.0.swap_remove(at) };
            jobs.push(Job { message, held: Duration::ZERO, steps: 0 });
        }
        jobs
    }

    /// Hands jobs to a worker. One time in four the worker dies after its work: all jobs go back, nothing is announced.
    async fn hand_to<W: Worker<In = M>>(
        &mut self,
        worker: &W,
        jobs: Vec<Job<M>>,
        dice: &mut Dice,
    ) -> Vec<Announcement> {
        if jobs.is_empty() {
            return Vec::new();
        }
        let outcomes = worker.handle(&jobs).await;
        if dice.once_in(4) {
            self.0.extend(jobs.into_iter().map(|job| job.message));
            return Vec::new();
        }
        done(outcomes)
    }

    fn put(&mut self, announcements: &[Announcement]) {
        self.0.extend(
            announcements.iter().map(|announcement| decode::<M>(&announcement.body).expect("a message")),
        );
    }
}

/// One pull from its first page to its end, in an order the dice decide. Returns its events.
async fn play(programs: &Programs, pages: &[Vec<Record>], seed: u64) -> (PullId, Vec<PullClosed>) {
    let mut dice = Dice(seed);
    let enriched = dice.once_in(4);
    let store = &programs.store;
    let pull = store.request_pull("test", now()).await.expect("a pull");
    let length = 3 + dice.below(4);
    let first = dice.below(pages.len() - length);
    let pages = &pages[first..first + length];
    let (mut stored, mut games, mut channels) = (Queue(Vec::new()), Queue(Vec::new()), Queue(Vec::new()));
    let (mut fetched, mut unannounced, mut events) = (0, None, Vec::new());
    loop {
        let fetching = fetched < pages.len() || unannounced.is_some();
        match dice.below(4) {
            0 if fetching => {
                // Where it died before, it first says what it did not come to say.
                stored.0.extend(unannounced.take().map(ChunkStored));
                if let Some(page) = pages.get(fetched) {
                    fetched += 1;
                    let chunk = store_page(store, pull, page, fetched == pages.len()).await.chunk;
                    if dice.once_in(4) {
                        unannounced = Some(chunk);
                    } else {
                        stored.0.push(ChunkStored(chunk));
                    }
                }
            }
            // Three in four leave out the enrichers, which have no say in the end of a pull.
            1 if !enriched => {
                let chunks: Vec<_> = stored.take(&mut dice).iter().map(|job| job.message.0).collect();
                for kind in [Kind::Game, Kind::Channel] {
                    store.filled(kind, &chunks, 0, now()).await.expect("filled");
                }
                channels.0.extend(chunks.into_iter().map(ChannelsFilled));
            }
            1 => {
                let jobs = stored.take(&mut dice);
                games.put(&stored.hand_to(&programs.games, jobs, &mut dice).await);
            }
            2 => {
                let jobs = games.take(&mut dice);
                channels.put(&games.hand_to(&programs.channels, jobs, &mut dice).await);
            }
            _ => {
                // Two finalizers at once.
                let [one, other] = &programs.finalizers;
                let (mine, yours): (Vec<_>, Vec<_>) = (channels.take(&mut dice), channels.take(&mut dice));
                if mine.is_empty() && yours.is_empty() {
                    continue;
                }
                let (first, second) = tokio::join!(one.handle(&mine), other.handle(&yours));
                for (jobs, outcomes) in [(mine, first), (yours, second)] {
                    if dice.once_in(4) {
                        channels.0.extend(jobs.into_iter().map(|job| job.message));
                    } else {
                        let said = done(outcomes);
                        events.extend(
                            said.iter().map(|event| decode::<PullClosed>(&event.body).expect("an event")),
                        );
                    }
                }
            }
        }
        if !fetching && stored.0.is_empty() && games.0.is_empty() && channels.0.is_empty() {
            return (pull, events);
        }
    }
}

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
