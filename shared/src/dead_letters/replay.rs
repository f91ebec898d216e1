//! Sending dead letters back, so that a kill at any instant loses nothing and has one effect.
//!
//! For each dead letter: note that it is about to be sent, publish a fresh message and await the broker's confirmation, note
//! that it is sent, take the dead letter out of its queue, note that. Whoever finds a replay cut short finishes what was
//! begun: a dead letter noted as sent is only taken out; one that was about to be sent, and may be out or not, is sent once
//! more unless something came of it already. Two fresh messages of one dead letter carry the same replay: the handlers do
//! their work once, and if both die they are one dead letter again.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    clock::Clock,
    dead_letter::Replayed,
    failure::Failure,
    runtime::{Announcer, DeadLetterQueue, Resend},
    store::{DeadLetterFilter, Interrupted, Plan, ReplayLease, ReplayReport, ReplayedDeadLetter, Store},
    topology::StageInfo,
};

/// Most dead letters sent while a dead-letter queue is open, and so looks empty to others.
const AT_ONCE: i64 = 500;
/// The steps of a careful replay: so many dead letters, then a look at what came of them.
const CANARY: [i64; 7] = [1, 2, 5, 10, 20, 50, 100];
/// How often to look what came of a step.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often a replay that waits says that it is alive; well within the time after which it counts as interrupted.
const STAY_ALIVE: Duration = Duration::from_secs(5);

/// What is to be replayed, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which letters.
    pub filter: DeadLetterFilter,
    /// Where to; none is each dead letter's own stage.
    pub target: Option<StageInfo>,
    /// Most letters.
    pub limit: Option<i64>,
    /// Most dead letters a second.
    pub rate: Option<f64>,
    /// What is sent instead of each dead letter's own body.
    pub body: Option<Vec<u8>>,
    /// Carefully: a few, a look at what came of them, more. None sends all.
    pub canary: Option<Canary>,
    /// Who asks.
    pub by: String,
}

/// When a careful replay stops.
#[derive(Debug, Clone, Copy)]
pub struct Canary {
    /// It stops when more than this share of a step failed again, 0 to 1.
    pub tolerate: f64,
    /// It stops when nothing came of a step for so long.
    pub patience: Duration,
}

/// What a replay did.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Its number.
    pub replay_id: i64,
    /// What came of it so far.
    pub report: ReplayReport,
    /// Why it stopped before its end, if it did.
    pub stopped: Option<String>,
}

/// Replays what is ordered; none if no dead letter is meant. `progress` is told of every step.
pub async fn replay(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
    order: &Order,
    mut progress: impl FnMut(&ReplayReport),
) -> Result<Option<Replay>, Failure> {
    if let Err(failure) = finish_interrupted(store, announcer, clock).await {
        tracing::warn!(
            code = failure.code,
            "a replay that was interrupted cannot be finished yet: {failure}"
        );
    }
    let mut origins = BTreeMap::new();
    for group in store.dead_letter_groups(&order.filter).await? {
        let origin = StageInfo::find(&group.stage).ok_or_else(|| no_stage(&group.stage, group.sample))?;
        origins.insert(origin.name, origin);
    }
    super::archive::await_queues(announcer, origins.into_values()).await?;
    let plan = Plan {
        target: order.target.map(|stage| stage.name),
        limit: order.limit,
        body: order.body.as_deref(),
        by: &order.by,
    };
    let (lease, letters) = store.plan_replay(&order.filter, &plan, clock.now()).await?;
    if letters == 0 {
        return Ok(None);
    }
    let replay_id = lease.replay_id;
    let sending = Sending { store, announcer, clock, lease, target: order.target };
    let stopped = match sending.all(order, &mut progress).await {
        Ok(stopped) => stopped,
        Err(failure) => {
            // What was begun is finished by whoever comes next, and so is the rest if this cannot be written down.
            let given_up = store.give_up_replay(lease, &format!("given up: {failure}"), clock.now()).await;
            if let Err(error) = given_up {
                tracing::warn!(replay = replay_id, %error, "replay {replay_id} is left as it is");
            }
            return Err(failure);
        }
    };
    let ending = stopped.clone().unwrap_or_else(|| "complete".to_owned());
    store.end_replay(replay_id, &ending, clock.now()).await?;
    let report = store.replay_report(replay_id).await?.unwrap_or_default();
    Ok(Some(Replay { replay_id, report, stopped }))
}

/// A replay being carried out.
struct Sending<'a> {
    store: &'a Store,
    announcer: &'a Announcer,
    clock: &'a Clock,
    lease: ReplayLease,
    target: Option<StageInfo>,
}

impl Sending<'_> {
    /// Sends all dead letters, step by step. Returns why it stopped before its end, if it did.
    async fn all(
        &self,
        order: &Order,
        progress: &mut impl FnMut(&ReplayReport),
    ) -> Result<Option<String>, Failure> {
        let began = Instant::now();
        let mut sent: u32 = 0;
        for step in 0.. {
            let letters = self.next(most(order, step)).await?;
            if letters.is_empty() {
                break;
            }
            self.send(&letters).await?;
            sent += u32::try_from(letters.len()).unwrap_or(u32::MAX);
            progress(&self.report().await?);
            if let Some(canary) = &order.canary
                && let Some(why) = self.disappointed(canary, progress).await?
            {
                return Ok(Some(why));
            }
            if let Some(rate) = order.rate {
                self.wait_until(began + Duration::from_secs_f64(f64::from(sent) / rate.max(0.001))).await?;
            }
        }
        Ok(None)
    }

    /// The next dead letters; with it the replay counts as alive for a while.
    async fn next(&self, most: i64) -> Result<Vec<ReplayedDeadLetter>, Failure> {
        Ok(self.store.replay_dead_letters(self.lease, most, self.clock.now()).await?)
    }

    async fn report(&self) -> Result<ReplayReport, Failure> {
        Ok(self.store.replay_report(self.lease.replay_id).await?.unwrap_or_default())
    }

    /// Waits, and stays alive meanwhile.
    async fn wait_until(&self, due: Instant) -> Result<(), Failure> {
        while Instant::now() < due {
            sleep_until(due.min(Instant::now() + STAY_ALIVE)).await;
            self.next(0).await?;
        }
        Ok(())
    }

    /// Sends dead letters back and takes them out of their queues.
    async fn send(&self, letters: &[ReplayedDeadLetter]) -> Result<(), Failure> {
        let mut by_stage: BTreeMap<&str, Vec<&ReplayedDeadLetter>> = BTreeMap::new();
        for letter in letters {
            by_stage.entry(&letter.stage).or_default().push(letter);
        }
        for (name, letters) in by_stage {
            let origin = StageInfo::find(name).ok_or_else(|| no_stage(name, letters[0].id))?;
            self.send_from(origin, letters).await?;
        }
        Ok(())
    }

    async fn send_from(&self, origin: StageInfo, letters: Vec<&ReplayedDeadLetter>) -> Result<(), Failure> {
        let (store, replay_id) = (self.store, self.lease.replay_id);
        let names: HashSet<&str> = letters.iter().map(|letter| letter.letter.as_str()).collect();
        let mut dead_letter_queue = self.announcer.open_dead_letters(origin).await?;
        dead_letter_queue.find(&names).await?;
        let places: HashMap<String, usize> = dead_letter_queue
            .letters()
            .enumerate()
            .map(|(place, letter)| (letter.letter.clone(), place))
            .collect();
        let (here, gone): (Vec<_>, Vec<_>) =
            letters.into_iter().partition(|letter| places.contains_key(&letter.letter));

        let planned: Vec<_> = here.iter().copied().filter(|letter| letter.state == "planned").collect();
        let ours: HashSet<i64> =
            store.replay_reached(self.lease, &ids(&planned), "sending").await?.into_iter().collect();
        let here: Vec<_> = here
            .into_iter()
            .filter(|letter| letter.state != "planned" || ours.contains(&letter.id))
            .collect();
        let unsent = here.iter().filter(|letter| letter.state != "sent" && !letter.settled);
        let fresh = unsent.map(|letter| Resend {
            place: places[&letter.letter],
            replayed: Replayed { replay_id, letter_id: letter.id },
            body: letter.body.clone(),
        });
        dead_letter_queue.resend(self.target.unwrap_or(origin), fresh.collect()).await?;
        store.replay_reached(self.lease, &ids(&here), "sent").await?;
        for letter in &here {
            dead_letter_queue.remove(places[&letter.letter]).await?;
        }
        // Only now is certain that they are out.
        dead_letter_queue.close().await?;
        store.replay_removed(replay_id, &ids(&here), self.clock.now()).await?;

        // Sent before, and taken out by whoever died before noting it; or never sent, and taken by somebody else's tool.
        let (out, lost): (Vec<_>, Vec<_>) =
            gone.into_iter().partition(|letter| letter.state == "sent" || letter.settled);
        store.replay_removed(replay_id, &ids(&out), self.clock.now()).await?;
        store.replay_lost(replay_id, &ids(&lost), self.clock.now()).await?;
        Ok(())
    }

    /// Why a careful replay stops, once something came of all that was sent.
    async fn disappointed(
        &self,
        canary: &Canary,
        progress: &mut impl FnMut(&ReplayReport),
    ) -> Result<Option<String>, Failure> {
        let mut moved = Instant::now();
        let mut before = 0;
        loop {
            let report = self.report().await?;
            let back = report.returned_same + report.returned_different;
            let settled = report.done + back;
            if report.pending == 0 {
                #[expect(clippy::cast_precision_loss, reason = "a share of dead letters")]
                let share = back as f64 / settled.max(1) as f64;
                return Ok((share > canary.tolerate).then(|| {
                    format!("{back} of {settled} came back ({} for the same cause)", report.returned_same)
                }));
            }
            if settled > before {
                (before, moved) = (settled, Instant::now());
                progress(&report);
            }
            if moved.elapsed() > canary.patience {
                return Ok(Some(format!(
                    "no result for {} replayed messages after {}: is a {} running?",
                    report.pending,
                    humantime::format_duration(canary.patience),
                    self.target.map_or("worker of their stage", |stage| stage.name),
                )));
            }
            self.next(0).await?;
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Most dead letters of a step.
fn most(order: &Order, step: usize) -> i64 {
    match (&order.canary, order.rate) {
        (Some(_), _) => CANARY.get(step).copied().unwrap_or(AT_ONCE),
        // The queue is open for about a second at a time.
        #[expect(clippy::cast_possible_truncation, reason = "between 1 and 500")]
        (None, Some(rate)) => rate.ceil().clamp(1.0, 500.0) as i64,
        (None, None) => AT_ONCE,
    }
}

fn ids(letters: &[&ReplayedDeadLetter]) -> Vec<i64> {
    letters.iter().map(|letter| letter.id).collect()
}

fn no_stage(name: &str, letter: i64) -> Failure {
    let why = format!(
        "dead letter {letter} is of stage {name:?}, which this build does not have: nothing was sent for it"
    );
    Failure::permanent("replay.no_stage", why)
}

/// Finishes replays that were cut short, but for those whose queue somebody else has open: their turn comes. Returns how many
/// were finished.
///
/// # Errors
/// Fails with the first failure, once all of them were tried.
pub async fn finish_interrupted(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
) -> Result<usize, Failure> {
    let mut finished = 0;
    let mut failed = None;
    for interrupted in store.interrupted_replays(clock.now()).await? {
        match finish(store, announcer, clock, &interrupted).await {
            Ok(true) => finished += 1,
            Ok(false) => {}
            Err(failure) if DeadLetterQueue::is_in_use(&failure) => {}
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    failed.map_or(Ok(finished), Err)
}

async fn finish(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
    interrupted: &Interrupted,
) -> Result<bool, Failure> {
    let id = interrupted.replay_id;
    let Some(lease) = store.take_replay_over(id, clock.now()).await? else { return Ok(false) };
    let target = interrupted.target.as_deref().and_then(StageInfo::find);
    let sending = Sending { store, announcer, clock, lease, target };
    loop {
        let letters = sending.next(AT_ONCE).await?;
        if letters.is_empty() {
            break;
        }
        sending.send(&letters).await?;
    }
    let ending = "interrupted: what was begun is finished, the rest was not sent";
    store.end_replay(id, ending, clock.now()).await?;
    tracing::warn!(replay = id, "replay {id} was {ending}");
    Ok(true)
}
