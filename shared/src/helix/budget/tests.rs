use super::*;

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_700_000_000_000 + millis).unwrap()
}

fn reading(limit: u32, remaining: u32) -> Reading {
    Reading { limit: Some(limit), remaining: Some(remaining), full_at: None }
}

/// A bucket of 600 points, hence 10 a second and a reserve of 30, with `remaining` points left at 0 ms.
fn bucket(remaining: u32) -> Budget {
    let mut budget = Budget::new(at(0));
    budget.learn(&reading(600, remaining), at(0));
    budget
}

fn headers(limit: &str, remaining: &str, reset: &str) -> Reading {
    let headers =
        [("ratelimit-limit", limit), ("ratelimit-remaining", remaining), ("ratelimit-reset", reset)];
    Reading::of(
        &headers.into_iter().map(|(name, text)| (name.parse().unwrap(), text.parse().unwrap())).collect(),
    )
}

#[test]
fn headers_are_read_and_nonsense_is_nothing() {
    let full_at = DateTime::from_timestamp(1_700_000_000, 0);
    for (limit, remaining, reset, expected) in [
        ("800", "799", "1700000000", Reading { limit: Some(800), remaining: Some(799), full_at }),
        ("0", "-1", "soon", Reading::default()),
        ("", "1.5", "99999999999999999999", Reading::default()),
        ("lots", "0", "", Reading { remaining: Some(0), ..Reading::default() }),
    ] {
        assert_eq!(headers(limit, remaining, reset), expected);
    }
    assert_eq!(Reading::of(&HeaderMap::new()), Reading::default());
}

#[test]
fn calls_wait_only_near_the_reserve() {
    for (remaining, expected) in
        [(600, Ok(())), (31, Ok(())), (30, Err(100)), (25, Err(600)), (0, Err(3_100))]
    {
        assert_eq!(
            bucket(remaining).admit(at(0)),
            expected.map_err(Duration::from_millis),
            "{remaining} left"
        );
    }
}

#[test]
fn a_wait_is_enough() {
    let mut budget = bucket(25);
    let wait = budget.admit(at(0)).unwrap_err();
    assert_eq!(wait, Duration::from_millis(600));
    assert!(budget.admit(at(599)).is_err());
    assert_eq!(budget.admit(at(600)), Ok(()));
    assert_eq!(budget.admit(at(600)), Err(Duration::from_millis(100)), "the next point is for the next call");
    assert_eq!(budget.admit(at(700)), Ok(()));
}

#[test]
fn an_answer_is_believed_when_it_shows_fewer_points_or_another_bucket() {
    for (what, answer, expected) in [
        ("others draw too", reading(600, 400), 400),
        ("an old answer", reading(600, 550), 500),
        ("a smaller bucket", reading(30, 29), 29),
        ("a larger bucket", reading(3_000, 2_999), 2_999),
        ("more points than fit", reading(600, 9_999), 500),
        ("no headers", Reading::default(), 500),
        ("a limit alone", Reading { limit: Some(800), ..Reading::default() }, 500),
        ("remaining alone", Reading { remaining: Some(7), ..Reading::default() }, 7),
    ] {
        let mut budget = bucket(500);
        budget.learn(&answer, at(0));
        assert_eq!(budget.view(at(0)).remaining, expected, "{what}");
    }
}

#[test]
fn points_come_back_steadily() {
    let mut budget = bucket(0);
    assert_eq!(budget.view(at(0)), BudgetView { remaining: 0, limit: 600, full_at: at(60_000) });
    assert_eq!(budget.view(at(30_000)).remaining, 300);
    assert_eq!(budget.view(at(90_000)), BudgetView { remaining: 600, limit: 600, full_at: at(90_000) });
    assert_eq!(budget.view(at(0)).remaining, 600, "a clock set back takes nothing away");
}

#[test]
fn every_bucket_lets_calls_through() {
    for limit in 1..50 {
        let mut budget = Budget::new(at(0));
        budget.learn(&reading(limit, limit), at(0));
        assert_eq!(budget.admit(at(0)), Ok(()), "limit {limit}");
        budget.learn(&reading(limit, 0), at(0));
        let wait = budget.admit(at(0)).unwrap_err();
        assert!(wait <= Duration::from_mins(1), "limit {limit}: {wait:?}");
    }
}

#[test]
fn a_429_closes_the_bucket_for_as_long_as_it_says() {
    let reset = |remaining, millis| Reading { limit: Some(600), remaining, full_at: Some(at(millis)) };
    for (what, answer, millis) in [
        ("until it is full", reset(Some(0), 42_000), 42_000),
        ("remaining is not told", reset(None, 42_000), 42_000),
        ("a minute at most", reset(Some(0), 3_600_000), 60_000),
        ("a time gone by", reset(Some(0), -5_000), 5_000),
        ("this very moment", reset(Some(0), 0), 5_000),
        ("nothing is told", Reading::default(), 5_000),
        ("a false alarm", reset(Some(400), 42_000), 2_000),
    ] {
        let mut budget = bucket(500);
        let wait = Duration::from_millis(millis);
        assert_eq!(budget.refused(&answer, at(0)), wait, "{what}");
        assert_eq!(budget.admit(at(0)), Err(wait), "{what}");
        assert!(budget.view(at(0)).full_at >= at(0) + TimeDelta::from_std(wait).unwrap(), "{what}");
    }
}

#[test]
fn after_a_false_alarm_the_points_are_still_there() {
    let mut budget = bucket(500);
    budget.refused(&reading(600, 499), at(0));
    assert_eq!(budget.admit(at(2_000)), Ok(()));
}

#[test]
fn the_longer_of_two_refusals_holds() {
    let mut budget = bucket(500);
    budget.refused(&Reading { full_at: Some(at(30_000)), ..Reading::default() }, at(0));
    budget.refused(&reading(600, 499), at(1_000));
    assert_eq!(budget.admit(at(10_000)), Err(Duration::from_secs(20)));
}

#[test]
fn a_clock_set_back_does_not_close_the_bucket_for_hours() {
    let mut budget = bucket(500);
    budget.refused(&Reading::default(), at(0));
    assert_eq!(budget.admit(at(-3_600_000)), Err(Duration::from_millis(3_100)), "only its points are gone");
}

/// Eight processes, each with its own view, draw as fast as they may from one bucket that refills slower than its
/// headers say. In two minutes they use what there is, and see hardly any 429.
#[test]
fn processes_share_a_bucket_that_refills_slower_than_it_says() {
    const LATENCY: i64 = 80;
    const TRUE_RATE: f64 = 10.0;
    let mut truth = 800.0_f64;
    let mut served = 0_u32;
    let mut refused = 0_u32;
    let mut processes: Vec<_> = (0..8).map(|i| (Budget::new(at(0)), i * 7)).collect();
    for now in 0..120_000 {
        truth = (truth + TRUE_RATE / 1_000.0).min(800.0);
        for (budget, next) in &mut processes {
            if now < *next {
                continue;
            }
            match budget.admit(at(now)) {
                Err(wait) => *next = now + i64::try_from(wait.as_millis()).unwrap() + 1,
                Ok(()) if truth >= 1.0 => {
                    truth -= 1.0;
                    served += 1;
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 800")]
                    budget.learn(&reading(800, truth as u32), at(now));
                    *next = now + LATENCY;
                }
                Ok(()) => {
                    refused += 1;
                    budget.refused(&reading(800, 0), at(now));
                    *next = now + LATENCY;
                }
            }
        }
    }
    assert_eq!(refused, 0);
    assert!(served > 1_900, "800 at once and 1200 in two minutes, and {served} were served");
}
