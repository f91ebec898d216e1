//! The rule on simulated volumes: ninety days of a pull every ten minutes, many times over, each with other weather.

use super::*;

const PULLS_A_DAY: usize = 144;
/// A week to learn from, and ninety days that are judged.
const DAYS: usize = 7 + 90;
const SEEDS: u64 = 16;

/// Pseudorandom numbers, the same in every run: splitmix64, <https://prng.di.unimi.it/splitmix64.c>.
struct Random(u64);

impl Random {
    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal, with this standard deviation.
    fn normal(&mut self, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.share()).sum();
        (sum - 6.0) * deviation
    }
}

/// Streams of each pull: half more in the evening than in the morning, a tenth more on weekends; days differ by 6 %,
/// hours drift by 6 % around them, pulls scatter by 3 %. One day in ten an event brings a third more for a day or two,
/// and one in a hundred is a holiday with a fifth less. One pull in fifty is missing.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "about 20,000")]
fn ninety_days(seed: u64) -> Vec<Option<i32>> {
    let mut random = Random(seed);
    let (mut drift, mut event) = (0.0, 0_u32);
    let mut streams = Vec::with_capacity(DAYS * PULLS_A_DAY);
    for day in 0..DAYS {
        if event == 0 && random.share() < 0.1 {
            event = if random.share() < 0.5 { 1 } else { 2 };
        }
        let holiday = if random.share() < 0.01 { 0.8 } else { 1.0 };
        let weekend = if day % 7 > 4 { 1.1 } else { 1.0 };
        let festive = if event > 0 { 1.33 } else { 1.0 };
        event = event.saturating_sub(1);
        let level = 20_000.0 * holiday * weekend * festive * (1.0 + random.normal(0.06));
        for pull in 0..PULLS_A_DAY {
            let angle = std::f64::consts::TAU * pull as f64 / PULLS_A_DAY as f64;
            // It forgets within hours.
            drift = drift * 0.95 + random.normal(0.06 * 0.31);
            let scatter = 1.0 + drift + random.normal(0.03);
            let there = random.share() >= 0.02;
            streams.push(there.then(|| (level * (1.0 + 0.2 * angle.sin()) * scatter) as i32));
        }
    }
    streams
}

/// What a pull is compared with, as the statement finds it.
fn beside(streams: &[Option<i32>], at: usize) -> Option<Volume> {
    let usual = (1..=7).flat_map(|day| at - day * PULLS_A_DAY - 3..=at - day * PULLS_A_DAY + 3);
    Some(Volume {
        pull_id: 0,
        started_at: DateTime::UNIX_EPOCH + TimeDelta::minutes(10) * i32::try_from(at).ok()?,
        stored: streams[at]?,
        usual: usual.filter_map(|near| streams[near]).collect(),
        before: streams[at - 18..at].iter().rev().find_map(|before| *before),
        told: None,
    })
}

/// A full week and half an hour.
const FIRST: usize = 7 * PULLS_A_DAY + 3;

#[test]
fn usual_weather_raises_less_than_one_alarm_in_ninety_days() {
    let false_alarms = |seed| {
        let streams = ninety_days(seed);
        drops((FIRST..streams.len()).filter_map(|at| beside(&streams, at))).len()
    };
    let counts: Vec<usize> = (1..=SEEDS).map(false_alarms).collect();
    let total: usize = counts.iter().sum();
    assert!(total < counts.len(), "less than one in ninety days: {counts:?}");
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "about 20,000")]
fn the_first_whole_pull_of_a_drop_is_told_at_any_hour_and_the_second_is_not() {
    let mut streams = ninety_days(1);
    for at in (FIRST..streams.len() - 2).step_by(PULLS_A_DAY - 7) {
        let Some(mut volume) = beside(&streams, at) else { continue };
        let middle = volume.usual.len() / 2;
        let median = *volume.usual.select_nth_unstable(middle).1;
        let of_usual = |share: f64| Some((share * f64::from(median)) as i32);
        let were = (streams[at], streams[at + 1]);
        streams[at] = of_usual(0.6);
        assert_eq!(
            beside(&streams, at).and_then(|mut first| first.dropped_from()),
            Some(median),
            "pull {at}"
        );
        (streams[at], streams[at + 1]) = (of_usual(0.57), of_usual(0.5));
        assert_eq!(beside(&streams, at + 1).and_then(|mut second| second.dropped_from()), None, "pull {at}");
        (streams[at], streams[at + 1]) = were;
    }
}

#[test]
fn without_three_pulls_to_compare_with_nothing_is_usual() {
    let started_at = DateTime::UNIX_EPOCH;
    let mut volume =
        Volume { pull_id: 1, started_at, stored: 1, usual: vec![9, 9], before: None, told: None };
    assert_eq!(volume.dropped_from(), None);
    volume.usual.push(9);
    assert_eq!(volume.dropped_from(), Some(9));
}

#[test]
fn a_drop_that_wavers_about_the_limit_is_told_once_a_day() {
    let volume = |hour: i32, told: Option<i32>| {
        let at = |hour| DateTime::UNIX_EPOCH + TimeDelta::hours(1) * hour;
        let (started_at, told) = (at(hour), told.map(at));
        Volume { pull_id: hour.into(), started_at, stored: 59, usual: vec![100; 9], before: Some(61), told }
    };
    let told = |volumes: Vec<Volume>| -> Vec<i64> {
        drops(volumes).into_iter().map(|(volume, _)| volume.pull_id).collect()
    };
    assert_eq!(told([0, 1, 5, 23, 24, 30].map(|hour| volume(hour, None)).to_vec()), [0, 24]);
    assert_eq!(told(vec![volume(30, Some(7)), volume(31, Some(7))]), [31]);
}
