//! A schedule at random: who works next, what is delivered twice, and who dies.

use std::time::Duration;

use shared::{
    runtime::{Job, Outcome, Step, Worker},
    schema::{
        ChannelsFilled, ChunkRef, ChunkStored, GamesFilled, Message, PullClosed, PullId, Record, decode,
    },
    store::{Kind, Store},
    topology::Announcement,
};

use crate::{
    builders::{extracted, now, store_page},
    rig::Rig,
};

/// Random choices that come again with the same seed (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n as u64).expect("a small number")
    }

    /// True once in `n` times.
    pub(super) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// The programs of a flow, two of each kind that could get in each other's way.
pub(super) struct Programs {
    pub(super) store: Store,
    pub(super) games: game_enricher::GameEnricher,
    pub(super) channels: channel_enricher::ChannelEnricher,
    pub(super) finalizers: [finalizer::Finalizer; 2],
}

impl Programs {
    pub(super) fn of(rig: &Rig) -> Self {
        Self {
            store: rig.store.clone(),
            games: rig.game_enricher(),
            channels: rig.channel_enricher(),
            finalizers: [rig.finalizer(), rig.finalizer()],
        }
    }
}

/// Lets the catalogue know all there is to know, by a pull of the whole world.
pub(super) async fn learn_everything(rig: &Rig, programs: &Programs, pages: &[Vec<Record>]) {
    let chunks = extracted(&rig.store, pages).await;
    done(programs.games.handle(&overdue(&chunks, ChunkStored)).await);
    done(programs.channels.handle(&overdue(&chunks, GamesFilled)).await);
    done(programs.finalizers[0].handle(&overdue(&chunks, ChannelsFilled)).await);
}

/// Jobs that have waited long enough for company.
pub(super) fn overdue<M>(chunks: &[ChunkRef], message: impl Fn(ChunkRef) -> M) -> Vec<Job<M>> {
    let held = Duration::from_mins(1);
    chunks.iter().map(|chunk| Job { message: message(*chunk), held, steps: 0 }).collect()
}

/// What the outcomes announce; all must be done.
pub(super) fn done(outcomes: Vec<Outcome>) -> Vec<Announcement> {
    let announced = |outcome: Outcome| match outcome {
        Ok(Step::Done(announcements)) => announcements,
        other => panic!("it should be done: {other:?}"),
    };
    outcomes.into_iter().flat_map(announced).collect()
}

/// One queue: messages in any order.
pub(super) struct Queue<M>(Vec<M>);

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
pub(super) async fn play(programs: &Programs, pages: &[Vec<Record>], seed: u64) -> (PullId, Vec<PullClosed>) {
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
