//! Processes that share a bucket, millisecond by millisecond: how many calls are refused, and how long the work takes.

use super::{
    bucket::{Asked, Draw, Grant, Priority},
    lease::Lease,
    tests::{at, reading},
};
use crate::budget_store::Bucket;

/// The bucket as it is at Twitch.
struct Truth {
    points: f64,
    size: f64,
    per_minute: f64,
}

/// A process that makes one call after another.
struct Process {
    priority: Priority,
    lease: Lease,
    reading: Option<(super::Reading, chrono::DateTime<chrono::Utc>)>,
    /// When it does the next thing, and whether that is a call which has its point.
    next: i64,
    admitted: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    served: u32,
    refused: u32,
    draws: u32,
    millis: i64,
}

/// Runs processes until they have made so many calls, or for so long. A call reaches Twitch half a latency after it was
/// sent, a little sooner or later each time.
fn simulate(
    mut truth: Truth,
    priorities: &[Priority],
    latency: i64,
    calls: u32,
    most_millis: i64,
) -> Outcome {
    let mut bucket = Bucket::full(at(0));
    let mut outcome = Outcome::default();
    let process = |(i, priority): (usize, &Priority)| Process {
        priority: *priority,
        lease: Lease::default(),
        reading: None,
        next: i64::try_from(i).unwrap() * 3,
        admitted: false,
    };
    let mut processes: Vec<Process> = priorities.iter().enumerate().map(process).collect();
    let mut arrivals: Vec<(i64, usize)> = Vec::new();
    let mut sent = 0;
    for now in 0..most_millis {
        outcome.millis = now;
        truth.points = (truth.points + truth.per_minute / 60_000.0).min(truth.size);
        let arrived: Vec<_> = arrivals.extract_if(.., |(when, _)| *when <= now).collect();
        for (_, who) in arrived {
            let served = truth.points >= 1.0;
            truth.points -= if served { 1.0 } else { 0.0 };
            outcome.served += u32::from(served);
            outcome.refused += u32::from(!served);
            processes[who].reading =
                Some((reading(super::whole(truth.size), super::whole(truth.points)), at(now)));
        }
        if outcome.served == calls {
            break;
        }
        for (who, process) in processes.iter_mut().enumerate() {
            // What is left of a lease goes back when its time is up.
            let unused = if process.next > now { process.lease.expired(at(now)) } else { 0 };
            if unused > 0 {
                let asked =
                    Asked { priority: process.priority, waiting: 0, welcome: 0, unused, closed_until: None };
                bucket.draw(&Draw { asked, reserved: 0, reading: process.reading.take() }, at(now));
            }
            if process.next > now || sent - outcome.refused >= calls {
                continue;
            }
            if !process.admitted && !process.lease.take(at(now)) {
                let unused = process.lease.give_back();
                let welcome = process.lease.welcome(at(now));
                let asked =
                    Asked { priority: process.priority, waiting: 1, welcome, unused, closed_until: None };
                outcome.draws += 1;
                match bucket.draw(&Draw { asked, reserved: 0, reading: process.reading.take() }, at(now)) {
                    Grant::Now(points) => {
                        process.lease = Lease::new(points, at(now));
                        assert!(process.lease.take(at(now)));
                    }
                    Grant::Later(wait) => {
                        process.next = now + ceil(wait);
                        process.admitted = true;
                        continue;
                    }
                    Grant::None(wait) => {
                        process.next = now + ceil(wait);
                        continue;
                    }
                }
            }
            process.admitted = false;
            sent += 1;
            let jitter = (now * 7 + i64::try_from(who).unwrap() * 13) % 5;
            arrivals.push((now + latency / 2 + jitter, who));
            process.next = now + latency + 5;
        }
    }
    outcome
}

fn ceil(wait: std::time::Duration) -> i64 {
    i64::try_from(wait.as_micros().div_ceil(1_000)).unwrap()
}

fn replicas(n: usize) -> Vec<Priority> {
    [Priority::Page, Priority::Need, Priority::Need].repeat(n)
}

/// 240 points a minute and 314 calls: 74 points have to flow back, which takes 18.5 s at least.
#[test]
fn a_bucket_smaller_than_the_pull_is_used_to_the_last_point_and_never_found_empty() {
    for (processes, latency) in [(1, 2), (1, 80), (8, 2), (8, 80)] {
        let truth = Truth { points: 240.0, size: 240.0, per_minute: 240.0 };
        let outcome = simulate(truth, &replicas(processes), latency, 314, 60_000);
        assert_eq!((outcome.served, outcome.refused), (314, 0), "{processes} of each: {outcome:?}");
        assert!(outcome.millis <= 18_500 * 102 / 100, "{processes} of each: {outcome:?}");
    }
}

#[test]
fn plenty_of_points_cost_next_to_nothing() {
    let truth = Truth { points: 800.0, size: 800.0, per_minute: 800.0 };
    let outcome = simulate(truth, &replicas(1), 2, 314, 60_000);
    assert_eq!((outcome.served, outcome.refused), (314, 0));
    assert!(outcome.draws <= 314 / 10, "{outcome:?}");
}

/// Eight processes draw as fast as they may from a bucket that refills more slowly than its headers say
/// ([twitchdev/issues#597](https://github.com/twitchdev/issues/issues/597)). In two minutes they use what there is.
#[test]
fn a_bucket_that_refills_slower_than_it_says_is_hardly_ever_found_empty() {
    let truth = Truth { points: 800.0, size: 800.0, per_minute: 600.0 };
    let outcome = simulate(truth, &[Priority::Need; 8], 80, u32::MAX, 120_000);
    assert!(outcome.served >= 2_000 * 90 / 100, "800 at once and 1200 in two minutes: {outcome:?}");
    assert!(outcome.refused * 200 <= outcome.served, "{outcome:?}");
}
