//! Who is to blame when something takes too long: the message, or what all messages share.
//!
//! A slow disk, a lost index and a message that hangs look alike. So the first time-out of a message is the stage's trouble: it
//! pauses, and tries another message first. The message is to blame when others were handled since. One that nobody can be
//! compared with, because it is alone in its queue, pays an attempt per [`Suspects::patience`], so that it does not hold up
//! its stage for ever. Knows what this process has seen only; what a restart forgets, a message has to show once more.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// The messages that something took too long with.
#[derive(Debug)]
pub(super) struct Suspects {
    /// Since when nobody has paid for it, by message id.
    since: HashMap<String, Instant>,
    /// When a message was handled last.
    handled: Option<Instant>,
    /// After this long a message pays although no other was handled.
    patience: Duration,
}

impl Suspects {
    pub(super) fn new(patience: Duration) -> Self {
        Self { since: HashMap::new(), handled: None, patience }
    }

    /// A message was handled, or got ahead: whatever others meet is not what all share.
    pub(super) fn handled(&mut self, id: &str, now: Instant) {
        self.since.remove(id);
        self.handled = Some(now);
    }

    /// Whether a message may take others along, and is to be handled alone.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.since.contains_key(id)
    }

    /// Whether a message pays for what took too long just now.
    pub(super) fn is_to_blame(&mut self, id: &str, now: Instant) -> bool {
        // What another replica has handled meanwhile.
        let long_ago = self.patience.saturating_mul(3);
        self.since.retain(|_, since| now.duration_since(*since) < long_ago);
        let since = *self.since.entry(id.to_owned()).or_insert(now);
        let others_are_handled = self.handled.is_some_and(|handled| handled > since);
        let to_blame = others_are_handled || now.duration_since(since) >= self.patience;
        if to_blame {
            self.since.insert(id.to_owned(), now);
        }
        to_blame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(10);

    fn at(minute: u64) -> Instant {
        static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        *BEGAN + Duration::from_mins(minute)
    }

    #[test]
    fn a_message_pays_for_each_time_out_before_which_others_were_handled() {
        let mut suspects = Suspects::new(PATIENCE);
        suspects.handled("before", at(0));
        assert!(!suspects.is_to_blame("slow", at(1)), "the first may be anybody's fault");
        assert!(!suspects.is_to_blame("slow", at(2)), "nobody was handled since");
        for round in 1..4 {
            suspects.handled("other", at(4 * round));
            assert!(suspects.is_to_blame("slow", at(4 * round + 1)));
            assert!(!suspects.is_to_blame("slow", at(4 * round + 2)), "it has paid for that");
        }
        assert!(suspects.contains("slow") && !suspects.contains("other"));
        suspects.handled("slow", at(20));
        assert!(!suspects.contains("slow"));
    }

    #[test]
    fn when_all_messages_take_too_long_none_pays() {
        let mut suspects = Suspects::new(PATIENCE);
        for minute in 0..9 {
            assert!((0..500).all(|id| !suspects.is_to_blame(&id.to_string(), at(minute))));
        }
    }

    #[test]
    fn one_that_is_alone_pays_an_attempt_per_patience() {
        let mut suspects = Suspects::new(PATIENCE);
        let paid = (0..=60).filter(|minute| suspects.is_to_blame("alone", at(*minute))).count();
        assert_eq!(paid, 6);
    }
}
