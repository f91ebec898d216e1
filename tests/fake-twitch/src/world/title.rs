//! Titles as people write them: any script, any punctuation, up to 140 code points, sometimes nothing.

use std::borrow::Cow;

use super::rng::Rng;
use super::words::{FLOURISHES, TONGUES, TRAPS, Tongue};

/// The most code points a title has.
const LONGEST: usize = 140;

/// A language, by how often it is streamed in.
pub(crate) fn tongue(rng: &mut Rng) -> &'static Tongue {
    let mut left = rng.below(TONGUES.iter().map(|tongue| tongue.weight).sum());
    for tongue in TONGUES {
        if left < tongue.weight {
            return tongue;
        }
        left -= tongue.weight;
    }
    &TONGUES[0]
}

/// A title in that language: 0.7 % blank, 2 % full length, 3 % a trap for whoever splits text.
pub(crate) fn title(tongue: &Tongue, rng: &mut Rng) -> String {
    let dice = rng.unit();
    if dice < 0.007 {
        return String::new();
    }
    if dice < 0.037 {
        return rng.pick(TRAPS).to_owned();
    }
    let mut title = rng.pick(tongue.phrases).to_owned();
    if dice < 0.057 {
        while title.chars().count() < LONGEST {
            title.push_str(" · ");
            title.push_str(rng.pick(tongue.phrases));
        }
        return title.chars().take(LONGEST).collect();
    }
    title.push_str(rng.pick(FLOURISHES));
    title
}

/// Tags: rarely `null`, never more than ten, sometimes one twice in another case.
pub(crate) fn tags(tongue: &Tongue, rng: &mut Rng) -> Option<Vec<Cow<'static, str>>> {
    const MORE: &[&str] = &["Gaming", "Vtuber", "PS5", "Cozy", "18Plus", "Speedrun", "Ranked", "Community"];
    if rng.chance(0.005) {
        return None;
    }
    let many = rng.below(10);
    let mut tags: Vec<Cow<str>> = tongue.tags.iter().chain(MORE).take(many).map(|&tag| tag.into()).collect();
    if tags.len() < 10 && rng.chance(0.02) {
        tags.extend(tags.first().map(|tag| tag.to_lowercase().into()));
    }
    Some(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_stay_within_what_twitch_allows() {
        let mut rng = Rng::new(1, 1);
        let titles: Vec<String> = (0..20_000).map(|_| title(tongue(&mut rng), &mut rng)).collect();
        assert!(titles.iter().all(|title| title.chars().count() <= LONGEST));
        assert!(titles.iter().any(|title| title.chars().count() == LONGEST));
        let blank = titles.iter().filter(|title| title.is_empty()).count();
        assert!((90..=200).contains(&blank), "{blank} of 20,000 are blank");
        for trap in TRAPS {
            assert!(titles.iter().any(|title| title == trap), "{trap:?} never occurs");
        }
    }

    #[test]
    fn tags_may_be_null_and_repeat_in_another_case() {
        let mut rng = Rng::new(1, 2);
        let all: Vec<_> = (0..5_000).map(|_| tags(tongue(&mut rng), &mut rng)).collect();
        assert!(all.iter().any(Option::is_none));
        assert!(all.iter().flatten().all(|tags| tags.len() <= 10));
        assert!(all.iter().flatten().any(|tags| {
            tags.iter()
                .enumerate()
                .any(|(n, tag)| tags[..n].iter().any(|t| t != tag && t.to_lowercase() == *tag))
        }));
    }
}
