//! The rule on simulated volumes: ninety days of a pull every ten minutes, many times over, each with other weather.

use super::*;

const PULLS_A_DAY: usize = 144;
/// A week to learn from, and ninety days that are judged.
const DAYS: usize = 7 + 90;
const SEEDS: u64 = 20;

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

/// Streams of each pull: half more in the evening than in the morning, a tenth more on weekends; days differ by 8 %, hours drift by 8 %
/// around them, pulls scatter by 3 %. One day in ten an event brings half more for a day or two, and one in a hundred is a holiday
/// with a quarter less. One pull in fifty is missing.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "about 20,000")]
fn ninety_days(seed: u64) -> Vec<Option<i32>> {
    let mut random = Random(seed);
    let (mut drift, mut event) = (0.0, 0_u32);
    let mut streams = Vec::with_capacity(DAYS * PULLS_A_DAY);
    for day in 0..DAYS {
        if event == 0 && random.share() < 0.1 {
            event = if random.share() < 0.5 { 1 } else { 2 };
        }
        let holiday = if random.share() < 0.01 { 0.75 } else { 1.0 };
        let weekend = if day % 7 > 4 { 1.1 } else { 1.0 };
        let festive = if event > 0 { 1.5 } else { 1.0 };
        event = event.saturating_sub(1);
        let level = 20_000.0 * holiday * weekend * festive * (1.0 + random.normal(0.08));
        for pull in 0..PULLS_A_DAY {
            let angle = std::f64::consts::TAU * pull as f64 / PULLS_A_DAY as f64;
            // It forgets within hours.
            drift = drift * 0.95 + random.normal(0.08 * 0.31);
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
        stored: streams[at]?,
        usual: usual.filter_map(|near| streams[near]).collect(),
        before: streams[at - 18..at].iter().rev().find_map(|before| *before),
    })
}

/// A full week and half an hour.
const FIRST: usize = 7 * PULLS_A_DAY + 3;

#[test]
fn usual_weather_raises_less_than_one_alarm_in_ninety_days() {
    let false_alarms = |seed| {
        let streams = ninety_days(seed);
        let judged = (FIRST..streams.len()).filter_map(|at| beside(&streams, at)?.dropped_from());
        judged.count()
    };
    let counts: Vec<usize> = (1..=SEEDS).map(false_alarms).collect();
    let total: usize = counts.iter().sum();
    eprintln!("min {:?}, max {:?}, {total} in {SEEDS} times ninety days", counts.iter().min(), counts.iter().max());
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
        assert_eq!(beside(&streams, at).and_then(|mut first| first.dropped_from()), Some(median), "pull {at}");
        (streams[at], streams[at + 1]) = (of_usual(0.57), of_usual(0.5));
        assert_eq!(beside(&streams, at + 1).and_then(|mut second| second.dropped_from()), None, "pull {at}");
        (streams[at], streams[at + 1]) = were;
    }
}

#[test]
fn without_three_pulls_to_compare_with_nothing_is_usual() {
    let mut volume = Volume { pull_id: 1, stored: 1, usual: vec![9, 9], before: None };
    assert_eq!(volume.dropped_from(), None);
    volume.usual.push(9);
    assert_eq!(volume.dropped_from(), Some(9));
}
