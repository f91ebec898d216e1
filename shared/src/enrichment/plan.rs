//! Which ids to ask for now, and how long a chunk waits for company.

use std::{collections::HashSet, time::Duration};

use crate::{
    schema::ChunkRef,
    store::{Need, Outlook},
};

/// Most ids in one call, the same for `/games` and `/users`.
pub(super) const FULL_CALL: usize = 100;
/// Most calls made before what is done is announced, all at the same time: when the last page has come, what a pull of a few
/// thousand streams still lacks takes as long as one call.
pub(super) const CALLS_AT_ONCE: usize = 16;
/// As many times longer a chunk waits for company while points are scarce: a short call would take its point from a full one,
/// and a bucket is full again after a minute.
const SCARCE_PATIENCE: u32 = 30;
/// Of the time for company, the part left when all that can come is in the queue already, or in another replica's hand.
const LAST_ARRIVALS: u32 = 10;

/// An id that is needed, and the first chunk that needs it.
pub(super) type Wanted = (String, ChunkRef);

/// What is to be asked for in one go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Ids in full calls, those of the oldest chunks first; the last call may be short.
    pub(super) wanted: Vec<Wanted>,
    /// How many of them make full calls.
    pub(super) full: usize,
    /// Whether there are more than can be asked for at once.
    pub(super) more: bool,
}

impl Plan {
    /// The ids that these chunks lack, each once.
    pub(super) fn of(chunks: &[ChunkRef], needs: &[Option<Need>]) -> Self {
        let mut seen = HashSet::new();
        let mut wanted: Vec<Wanted> = Vec::new();
        for (need, chunk) in needs.iter().zip(chunks) {
            for id in need.iter().flat_map(|need| &need.ids) {
                if seen.insert(id.as_str()) {
                    wanted.push((id.clone(), *chunk));
                }
            }
        }
        let most = FULL_CALL * CALLS_AT_ONCE;
        let more = wanted.len() > most;
        wanted.truncate(most);
        let full = wanted.len() / FULL_CALL * FULL_CALL;
        Self { wanted, full, more }
    }

    /// Whether the last call would be short.
    pub(super) fn is_short(&self) -> bool {
        self.full < self.wanted.len()
    }

    /// Fills the last call up with ids that it does not have.
    pub(super) fn fill_up(&mut self, more: Vec<Wanted>) {
        let known: HashSet<&str> = self.wanted.iter().map(|(id, _)| id.as_str()).collect();
        let room = FULL_CALL - (self.wanted.len() - self.full).min(FULL_CALL);
        let new: Vec<Wanted> =
            more.into_iter().filter(|(id, _)| !known.contains(id.as_str())).take(room).collect();
        self.wanted.extend(new);
    }

    /// Leaves the last call out where it would be short.
    pub(super) fn only_full_calls(mut self) -> Self {
        self.wanted.truncate(self.full);
        self
    }
}

/// How long a chunk of a pull waits for company, of which so many chunks are in hand: `collect_for` while the stages before
/// are at it, longer where points are `scarce`, and not at all once every chunk that can come is here.
pub(super) fn patience(outlook: Outlook, in_hand: usize, collect_for: Duration, scarce: bool) -> Duration {
    if outlook.more_to_come {
        if scarce { collect_for * SCARCE_PATIENCE } else { collect_for }
    } else if i64::try_from(in_hand).is_ok_and(|in_hand| in_hand < outlook.unfilled) {
        collect_for / LAST_ARRIVALS
    } else {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::schema::PullId;

    fn chunk(chunk: i32) -> ChunkRef {
        ChunkRef { pull_id: PullId(1), pulled_at: DateTime::UNIX_EPOCH, chunk }
    }

    fn need(ids: std::ops::Range<usize>) -> Need {
        Need { ids: ids.map(|id| id.to_string()).collect() }
    }

    #[test]
    fn an_id_is_asked_for_once_and_only_full_calls_before_the_time() {
        let plan = Plan::of(&[chunk(1), chunk(2)], &[Some(need(0..80)), Some(need(40..130))]);
        assert_eq!((plan.wanted.len(), plan.full, plan.more, plan.is_short()), (130, 100, false, true));
        assert_eq!(plan.wanted.last(), Some(&("129".to_owned(), chunk(2))));
        assert_eq!(plan.only_full_calls().wanted.len(), 100);
        let mut plan = Plan::of(&[chunk(1)], &[Some(need(0..198))]);
        plan.fill_up((190..250).map(|id| (id.to_string(), chunk(9))).collect());
        assert_eq!((plan.wanted.len(), plan.wanted.last()), (200, Some(&("199".to_owned(), chunk(9)))));
        let plan = Plan::of(&[chunk(1)], &[Some(need(0..1_650))]);
        assert_eq!((plan.wanted.len(), plan.more, plan.is_short()), (1_600, true, false));
        assert!(Plan::of(&[chunk(1)], &[None]).wanted.is_empty());
    }

    #[test]
    fn company_is_waited_for_as_long_as_it_can_come() {
        let second = Duration::from_secs(1);
        let of = |more_to_come, unfilled, in_hand, scarce| {
            patience(Outlook { more_to_come, unfilled }, in_hand, second, scarce)
        };
        let patience = |more_to_come, unfilled, in_hand| of(more_to_come, unfilled, in_hand, false);
        assert_eq!(patience(true, 3, 3), second, "pages are still being fetched");
        assert_eq!(of(true, 3, 3, true), second * 30, "and each point counts");
        assert_eq!(of(false, 3, 3, true), Duration::ZERO, "but nobody else comes");
        assert_eq!(patience(false, 3, 2), second / 10, "one is in the queue, or with another replica");
        assert_eq!(patience(false, 3, 3), Duration::ZERO, "all are here");
        assert_eq!(patience(false, 0, 1), Duration::ZERO, "a second delivery");
    }
}
