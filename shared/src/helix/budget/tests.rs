use reqwest::header::HeaderMap;

use super::*;

pub(super) fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_700_000_000_000 + millis).unwrap()
}

pub(super) fn reading(limit: u32, remaining: u32) -> Reading {
    Reading { limit: Some(limit), remaining: Some(remaining), full_at: None }
}

/// A bucket of 600 points, hence 10 a second, of which one is never used, with `points` left at 0 ms.
fn bucket(points: f64) -> Bucket {
    Bucket { points, limit: Some(600), ..Bucket::full(at(0)) }
}

fn asked(priority: Priority, waiting: u32) -> Asked {
    Asked { priority, waiting, welcome: 0, unused: 0, closed_until: None }
}

fn draw(bucket: &mut Bucket, asked: Asked, millis: i64) -> Grant {
    bucket.draw(&Draw { asked, reserved: 0, reading: None }, at(millis))
}

fn told(bucket: &mut Bucket, reading: Reading, millis: i64) {
    let asked = asked(Priority::Page, 0);
    bucket.draw(&Draw { asked, reserved: 0, reading: Some((reading, at(millis))) }, at(millis));
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
fn scarce_points_go_to_needs_in_turn_and_to_pages_when_they_are_there() {
    let mut bucket = bucket(1.0);
    let wait = Duration::from_millis;
    assert_eq!(draw(&mut bucket, asked(Priority::Page, 1), 0), Grant::None(wait(100)));
    assert_eq!(draw(&mut bucket, asked(Priority::Need, 3), 0), Grant::Later(wait(100)));
    assert_eq!(draw(&mut bucket, asked(Priority::Need, 2), 0), Grant::Later(wait(200)));
    assert_eq!(draw(&mut bucket, asked(Priority::Page, 1), 100), Grant::None(wait(200)), "needs go first");
    assert_eq!(draw(&mut bucket, asked(Priority::Page, 1), 300), Grant::Now(1));
    bucket.points = -20.0;
    assert!(matches!(draw(&mut bucket, asked(Priority::Need, 1), 300), Grant::None(_)), "too far ahead");
}

#[test]
fn plenty_of_points_are_drawn_ahead_and_never_more_than_a_share() {
    let ahead = |welcome| Asked { welcome, ..asked(Priority::Page, 1) };
    for (points, welcome, expected) in
        [(601.0, 0, 1), (601.0, 8, 8), (601.0, 1_000, 37), (161.0, 1_000, 10), (11.0, 1_000, 1)]
    {
        let mut bucket = bucket(points);
        assert_eq!(draw(&mut bucket, ahead(welcome), 0), Grant::Now(expected), "{points} left");
    }
    let mut unknown = Bucket::full(at(0));
    assert_eq!(
        draw(&mut unknown, ahead(1_000), 0),
        Grant::Now(1),
        "before Twitch has told how many there are"
    );
}

#[test]
fn what_is_reserved_is_left_to_others() {
    for (reserved, expected) in [(0, Grant::Now(1)), (100, Grant::None(Duration::from_secs(1)))] {
        let draw = Draw { asked: asked(Priority::Page, 1), reserved, reading: None };
        assert_eq!(bucket(92.0).draw(&draw, at(0)), expected);
    }
    let all = Draw { asked: asked(Priority::Page, 1), reserved: 100_000, reading: None };
    assert_eq!(bucket(600.0).draw(&all, at(0)), Grant::Now(1), "never the whole bucket");
}

#[test]
fn an_answer_is_believed_when_it_shows_fewer_points_or_another_bucket() {
    for (what, answer, expected) in [
        ("others draw too", reading(600, 400), 401.0),
        ("an old answer", reading(600, 550), 500.0),
        ("a smaller bucket", reading(30, 29), 29.0),
        ("a larger bucket", reading(3_000, 2_999), 2_999.0),
        ("more points than fit", reading(600, 9_999), 500.0),
        ("no headers", Reading::default(), 500.0),
        ("remaining alone", Reading { remaining: Some(7), ..Reading::default() }, 8.0),
    ] {
        let mut bucket = bucket(500.0);
        told(&mut bucket, answer, 0);
        assert!((bucket.points - expected).abs() < 0.001, "{what}: {bucket:?}");
    }
    let mut first = Bucket::full(at(0));
    draw(&mut first, asked(Priority::Page, 3), 0);
    told(&mut first, reading(240, 239), 0);
    assert!((first.points - 237.0).abs() < 0.001, "two of the three calls are on their way: {first:?}");
}

#[test]
fn an_answer_tells_of_the_time_it_came() {
    let mut bucket = bucket(200.0);
    bucket.refill(at(10_000));
    bucket.learn(&reading(600, 150), at(2_000), at(10_000));
    assert!((bucket.points - 231.0).abs() < 0.001, "80 have flown back since: {bucket:?}");
}

#[test]
fn a_reserve_is_kept_for_a_while_after_points_were_found_missing() {
    let mut bucket = bucket(500.0);
    told(&mut bucket, reading(600, 20), 0);
    let wait = Duration::from_secs_f64((1.0 + 30.0 + 1.0 - 21.0) / 10.0);
    assert_eq!(draw(&mut bucket, asked(Priority::Page, 1), 0), Grant::None(wait));
    bucket.points = 2.0;
    bucket.as_of = at(600_000);
    bucket.missing = 10.9;
    assert_eq!(draw(&mut bucket, asked(Priority::Page, 1), 600_000), Grant::Now(1), "forgotten");
}

#[test]
fn points_come_back_steadily_and_no_clock_takes_them_away() {
    let mut bucket = bucket(0.0);
    for (millis, expected) in [(30_000, 300.0), (20_000, 300.0), (90_000, 600.0)] {
        bucket.refill(at(millis));
        assert!((bucket.points - expected).abs() < 0.001, "{millis}: {bucket:?}");
    }
    bucket.points = 0.0;
    bucket.refill(at(-3_600_000));
    bucket.refill(at(-3_590_000));
    assert!((bucket.points - 100.0).abs() < 0.001, "a clock an hour ahead is not waited for: {bucket:?}");
}

#[test]
fn every_bucket_lets_calls_through() {
    for limit in 1..50 {
        let mut bucket = Bucket::full(at(0));
        told(&mut bucket, reading(limit, limit), 0);
        assert_eq!(draw(&mut bucket, asked(Priority::Page, 1), 0), Grant::Now(1), "limit {limit}");
        told(&mut bucket, reading(limit, 0), 0);
        let Grant::None(wait) = draw(&mut bucket, asked(Priority::Page, 1), 0) else { continue };
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
        assert_eq!(answer.wait(at(0)), Duration::from_millis(millis), "{what}");
    }
    let mut bucket = bucket(500.0);
    for until in [30_000, 3_000] {
        draw(&mut bucket, Asked { closed_until: Some(at(until)), ..asked(Priority::Page, 0) }, 0);
    }
    let closed = Grant::None(Duration::from_secs(20));
    assert_eq!(draw(&mut bucket, asked(Priority::Need, 1), 10_000), closed, "the longer of two holds");
    assert_eq!(draw(&mut bucket, asked(Priority::Need, 1), 30_000), Grant::Now(1));
    assert_eq!(draw(&mut bucket, asked(Priority::Need, 1), -3_600_000), Grant::Now(1), "a clock set back");
}

#[test]
fn a_lease_ends() {
    let mut lease = Lease::new(2, at(0));
    assert!(lease.take(at(0)));
    assert_eq!((lease.expired(at(999)), lease.welcome(at(999))), (0, 0), "there is a point left");
    assert_eq!((lease.take(at(1_000)), lease.expired(at(1_000)), lease.left()), (false, 1, 0));
    let mut lease = Lease::new(2, at(0));
    assert!(lease.take(at(0)) && lease.take(at(900)));
    assert_eq!((lease.welcome(at(999)), lease.welcome(at(1_000))), (4, 0), "more only for who uses it up");
}
