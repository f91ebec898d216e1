//! The fate of a delivery that failed: a pure function of the failure and the attempts so far.

use std::time::Duration;

use crate::{
    failure::{Class, Failure},
    topology::RetryDelays,
};

/// How long to hold a rate-limited message when nobody told how long.
const UNTOLD_RATE_LIMIT: Duration = Duration::from_secs(5);
/// How long to hold a message that waits for somebody else's lock.
const CONTENTION_WAIT: Duration = Duration::from_millis(500);
/// How long to pause when nobody told how long.
const UNTOLD_PAUSE: Duration = Duration::from_secs(2);
/// No message is held longer than this in one go: a bucket is full again after a minute.
const LONGEST_HOLD: Duration = Duration::from_mins(1);

/// What becomes of a message that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It waits on the rung of this delay, and is tried again.
    Retry(Duration),
    /// It is kept in hand for so long, and handed in again. Burns no attempt.
    Hold(Duration),
    /// The stage gives back all it holds and takes no work for so long. Burns no attempt.
    Pause(Duration),
    /// It goes to the dead letters.
    DeadLetter,
}

/// Decides what becomes of a message whose attempts, this one included, have failed `failed_attempts` times.
pub fn verdict(failure: &Failure, failed_attempts: u32, delays: &RetryDelays) -> Verdict {
    match failure.class {
        Class::Permanent => Verdict::DeadLetter,
        Class::Transient => delays.after(failed_attempts).map_or(Verdict::DeadLetter, Verdict::Retry),
        Class::RateLimited => {
            Verdict::Hold(failure.retry_after.unwrap_or(UNTOLD_RATE_LIMIT).min(LONGEST_HOLD))
        }
        Class::Contention => Verdict::Hold(failure.retry_after.unwrap_or(CONTENTION_WAIT).min(LONGEST_HOLD)),
        Class::Auth | Class::Outage => {
            Verdict::Pause(failure.retry_after.unwrap_or(UNTOLD_PAUSE).min(LONGEST_HOLD))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_fate() {
        let delays: RetryDelays = "1s,5s".parse().unwrap();
        let seconds = Duration::from_secs;
        let cases = [
            (Class::Permanent, 1, None, Verdict::DeadLetter),
            (Class::Transient, 1, None, Verdict::Retry(seconds(1))),
            (Class::Transient, 2, None, Verdict::Retry(seconds(5))),
            (Class::Transient, 3, None, Verdict::DeadLetter),
            (Class::RateLimited, 9, Some(12), Verdict::Hold(seconds(12))),
            (Class::RateLimited, 9, Some(600), Verdict::Hold(seconds(60))),
            (Class::RateLimited, 9, None, Verdict::Hold(seconds(5))),
            (Class::Contention, 9, None, Verdict::Hold(Duration::from_millis(500))),
            (Class::Auth, 9, Some(30), Verdict::Pause(seconds(30))),
            (Class::Outage, 9, None, Verdict::Pause(seconds(2))),
        ];
        for (class, attempts, retry_after, fate) in cases {
            let failure =
                Failure { retry_after: retry_after.map(seconds), ..Failure::new(class, "test", "") };
            assert_eq!(verdict(&failure, attempts, &delays), fate, "{class} after {attempts}");
        }
    }
}
