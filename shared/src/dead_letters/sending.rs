//! Dead letters on their way back to their stages: noted, published, noted, taken out of their queue, noted.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{
    clock::Clock,
    dead_letter::Replayed,
    failure::Failure,
    runtime::{Announcer, Resend},
    store::{ReplayLease, ReplayReport, ReplayedDeadLetter, Store},
    topology::StageInfo,
};

/// Most dead letters sent while a dead-letter queue is open, and so looks empty to others.
pub(super) const AT_ONCE: i64 = 500;

/// A replay being carried out.
pub(super) struct Sending<'a> {
    pub(super) store: &'a Store,
    pub(super) announcer: &'a Announcer,
    pub(super) clock: &'a Clock,
    pub(super) lease: ReplayLease,
    pub(super) target: Option<StageInfo>,
}

impl Sending<'_> {
    /// The next dead letters; with it the replay counts as alive for a while.
    pub(super) async fn next(&self, most: i64) -> Result<Vec<ReplayedDeadLetter>, Failure> {
        Ok(self.store.replay_dead_letters(self.lease, most, self.clock.now()).await?)
    }

    /// What came of the replay so far.
    pub(super) async fn report(&self) -> Result<ReplayReport, Failure> {
        Ok(self.store.replay_report(self.lease.replay_id).await?.unwrap_or_default())
    }

    /// Sends dead letters back and takes them out of their queues.
    pub(super) async fn send(&self, dead_letters: &[ReplayedDeadLetter]) -> Result<(), Failure> {
        let mut by_stage: BTreeMap<&str, Vec<&ReplayedDeadLetter>> = BTreeMap::new();
        for dead_letter in dead_letters {
            by_stage.entry(&dead_letter.stage).or_default().push(dead_letter);
        }
        for (name, dead_letters) in by_stage {
            let origin = StageInfo::find(name).ok_or_else(|| no_stage(name, dead_letters[0].id))?;
            self.send_from(origin, dead_letters).await?;
        }
        Ok(())
    }

    async fn send_from(
        &self,
        origin: StageInfo,
        dead_letters: Vec<&ReplayedDeadLetter>,
    ) -> Result<(), Failure> {
        let (store, replay_id) = (self.store, self.lease.replay_id);
        let names: HashSet<&str> =
            dead_letters.iter().map(|dead_letter| dead_letter.letter.as_str()).collect();
        let mut dead_letter_queue = self.announcer.open_dead_letters(origin).await?;
        dead_letter_queue.find(&names).await?;
        let places: HashMap<String, usize> = dead_letter_queue
            .letters()
            .enumerate()
            .map(|(place, dead_letter)| (dead_letter.letter.clone(), place))
            .collect();
        let (here, gone): (Vec<_>, Vec<_>) =
            dead_letters.into_iter().partition(|dead_letter| places.contains_key(&dead_letter.letter));

        let planned: Vec<_> =
            here.iter().copied().filter(|dead_letter| dead_letter.state == "planned").collect();
        let ours: HashSet<i64> =
            store.replay_reached(self.lease, &ids(&planned), "sending").await?.into_iter().collect();
        let here: Vec<_> = here
            .into_iter()
            .filter(|dead_letter| dead_letter.state != "planned" || ours.contains(&dead_letter.id))
            .collect();
        let unsent = here.iter().filter(|dead_letter| dead_letter.state != "sent" && !dead_letter.settled);
        let fresh = unsent.map(|dead_letter| Resend {
            place: places[&dead_letter.letter],
            replayed: Replayed { replay_id, letter_id: dead_letter.id },
            body: dead_letter.body.clone(),
        });
        dead_letter_queue.resend(self.target.unwrap_or(origin), fresh.collect()).await?;
        store.replay_reached(self.lease, &ids(&here), "sent").await?;
        for dead_letter in &here {
            dead_letter_queue.remove(places[&dead_letter.letter]).await?;
        }
        // Only now is certain that they are out.
        dead_letter_queue.close().await?;
        store.replay_removed(replay_id, &ids(&here), self.clock.now()).await?;

        // Sent before, and taken out by whoever died before noting it; or never sent, and taken by somebody else's tool.
        let (out, lost): (Vec<_>, Vec<_>) =
            gone.into_iter().partition(|dead_letter| dead_letter.state == "sent" || dead_letter.settled);
        store.replay_removed(replay_id, &ids(&out), self.clock.now()).await?;
        store.replay_lost(replay_id, &ids(&lost), self.clock.now()).await?;
        Ok(())
    }
}

fn ids(dead_letters: &[&ReplayedDeadLetter]) -> Vec<i64> {
    dead_letters.iter().map(|dead_letter| dead_letter.id).collect()
}

/// A dead letter of a stage that this build does not have.
pub(super) fn no_stage(name: &str, dead_letter: i64) -> Failure {
    let why = format!(
        "dead letter {dead_letter} is of stage {name:?}, which this build does not have: nothing was sent for it"
    );
    Failure::permanent("replay.no_stage", why)
}
