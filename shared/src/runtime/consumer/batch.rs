//! Which messages are handled together, and how those are divided that failed together.

use std::collections::VecDeque;

use super::{
    super::{
        Worker,
        message::{dead_letter, headers::header},
    },
    Consumer,
    intake::InHand,
};

/// Into how many parts a batch is divided whose handling broke off: a single culprit among hundreds is alone after three
/// more tries.
const PARTS: usize = 8;

/// Codes of failures that a whole batch has when one of its messages breaks the handler off.
pub(super) const PANICKED: &str = "worker.panic";
pub(super) const TIMED_OUT: &str = "worker.timeout";

impl<W: Worker> Consumer<'_, W> {
    /// The messages in batches. One that may take others along is alone: at its last attempt, after it has broken a handler
    /// off, and after something took too long with it.
    pub(super) fn batches(&self, ready: Vec<InHand<W::In>>) -> VecDeque<Vec<InHand<W::In>>> {
        let (alone, together): (Vec<_>, Vec<_>) = ready.into_iter().partition(|held| {
            self.settings.delays.is_last(held.failed_attempts())
                || has_broken_a_handler(held)
                || self.suspects.contains(held.id())
        });
        let together = (!together.is_empty()).then_some(together);
        together.into_iter().chain(alone.into_iter().map(|held| vec![held])).collect()
    }
}

fn has_broken_a_handler<In>(held: &InHand<In>) -> bool {
    let headers = held.delivery.properties.headers().as_ref();
    let code = headers.and_then(|headers| dead_letter::text(headers, header::CODE));
    held.failed_attempts() > 0 && code.is_some_and(|code| code == TIMED_OUT || code == PANICKED)
}

/// The batch in parts of nearly equal size, each smaller than the whole.
pub(super) fn divide<T>(mut batch: Vec<T>) -> Vec<Vec<T>> {
    let size = batch.len().div_ceil(PARTS).max(1);
    let mut parts = Vec::with_capacity(PARTS);
    while batch.len() > size {
        let rest = batch.split_off(size);
        parts.push(std::mem::replace(&mut batch, rest));
    }
    parts.push(batch);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_culprit_among_hundreds_is_alone_after_three_divisions() {
        let mut batch: Vec<u32> = (0..500).collect();
        for _ in 0..3 {
            let whole = batch.clone();
            let parts = divide(batch);
            assert_eq!(parts.concat(), whole, "nothing is lost and the order stays");
            batch = parts.into_iter().find(|part| part.contains(&377)).unwrap();
        }
        assert_eq!(batch, [377]);
        assert_eq!(divide(vec![1, 2]), [[1], [2]]);
    }
}
