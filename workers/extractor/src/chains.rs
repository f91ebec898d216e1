//! The lists a pull walks: one of all streams, or several side by side, each of some languages.
//!
//! Twitch can leave out no language, so what nobody named is asked for by name as well: the lists together hold every language
//! there is ([`LANGUAGES`]). A stream of a language that Twitch invents tomorrow would be missed, and one that changes its
//! language between two pages may be: hence one list of all streams unless told otherwise.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use shared::{failure::Failure, schema::StopReason, store::Extraction};

use crate::language::LANGUAGES;

/// Most values of a parameter in one call (dev.twitch.tv/docs/api/reference/#get-streams).
const MOST_LANGUAGES: usize = 100;
/// Before the cursors of several lists, in the place of the cursor of one.
const SEVERAL: &str = "lists:";

/// One list and where it was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chain {
    /// The languages of its streams; all where none is named.
    pub(crate) languages: Vec<String>,
    cursor: Option<String>,
    last_viewers: Option<i32>,
    idle_pages: i32,
    /// Why it ended, once it has.
    ended: Option<StopReason>,
}

/// All lists of a pull.
#[derive(Debug)]
pub(crate) struct Chains(Vec<Chain>);

impl Chains {
    /// Those of a pull: as it was begun, or, before its first page, one for each of these languages and more for the rest.
    ///
    /// # Errors
    /// Where what is stored of several lists cannot be read.
    pub(crate) fn of(so_far: &Extraction, side_by_side: &[String]) -> Result<Self, Failure> {
        let unreadable =
            |error| Failure::permanent("extractor.cursor", format!("the pull's cursors: {error}"));
        match so_far.cursor.as_deref().and_then(|cursor| cursor.strip_prefix(SEVERAL)) {
            Some(several) => serde_json::from_str(several).map(Self).map_err(unreadable),
            None if so_far.pages > 0 || side_by_side.is_empty() => Ok(Self(vec![Chain::of_one(so_far)])),
            None => Ok(Self::split(side_by_side)),
        }
    }

    fn split(side_by_side: &[String]) -> Self {
        let named: BTreeSet<&str> = side_by_side.iter().map(String::as_str).collect();
        let rest: Vec<&str> = LANGUAGES.into_iter().filter(|language| !named.contains(language)).collect();
        let alone = named.iter().map(std::slice::from_ref);
        Self(alone.chain(rest.chunks(MOST_LANGUAGES)).map(Chain::new).collect())
    }

    /// The lists that go on, by number.
    pub(crate) fn open(&self) -> impl Iterator<Item = (usize, &Chain)> {
        self.0.iter().enumerate().filter(|(_, chain)| chain.ended.is_none())
    }

    /// The pull as this list sees it: its own cursor, and its own place on the way down.
    pub(crate) fn seen_by(&self, number: usize, so_far: &Extraction) -> Extraction {
        let Chain { cursor, last_viewers, idle_pages, .. } = &self.0[number];
        Extraction {
            cursor: cursor.clone(),
            last_viewers: *last_viewers,
            idle_pages: *idle_pages,
            ..so_far.clone()
        }
    }

    /// Notes that a list has come to its end; returns why the pull has, if that was the last, or if a page cap was reached.
    pub(crate) fn end(&mut self, number: usize, why: StopReason) -> Option<StopReason> {
        self.0[number].ended = Some(why);
        if why == StopReason::PageCap {
            return Some(why);
        }
        let all: Option<Vec<StopReason>> = self.0.iter().map(|chain| chain.ended).collect();
        let told = |all: Vec<StopReason>| {
            let weight = |why: &StopReason| match why {
                StopReason::End => 0,
                StopReason::MinViewers => 1,
                _ => 2,
            };
            all.into_iter().max_by_key(weight)
        };
        all.and_then(told)
    }

    /// Goes on to where a list stands after its page; returns the cursor of them all.
    pub(crate) fn go_on(&mut self, number: usize, after: &Extraction) -> Option<String> {
        let chain = &mut self.0[number];
        chain.cursor.clone_from(&after.cursor);
        (chain.last_viewers, chain.idle_pages) = (after.last_viewers, after.idle_pages);
        match &self.0[..] {
            [only] => only.cursor.clone(),
            all => Some(format!("{SEVERAL}{}", serde_json::json!(all))),
        }
    }
}

impl Chain {
    fn new(languages: &[&str]) -> Self {
        let languages = languages.iter().map(|&language| language.to_owned()).collect();
        Self { languages, cursor: None, last_viewers: None, idle_pages: 0, ended: None }
    }

    fn of_one(so_far: &Extraction) -> Self {
        let Extraction { cursor, last_viewers, idle_pages, .. } = so_far.clone();
        Self { cursor, last_viewers, idle_pages, ..Self::new(&[]) }
    }

    /// Where its next page is; none before the first.
    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use shared::schema::PullId;

    use super::*;

    fn begun() -> Extraction {
        Extraction {
            pull_id: PullId(1),
            pulled_at: "2026-07-12T10:42:00Z".parse().unwrap(),
            pages: 0,
            cursor: None,
            last_viewers: None,
            idle_pages: 0,
            stored: 0,
            duplicates: 0,
            ended: false,
        }
    }

    fn of(languages: &[&str]) -> Chains {
        let languages: Vec<String> = languages.iter().map(|&language| language.to_owned()).collect();
        Chains::of(&begun(), &languages).unwrap()
    }

    #[test]
    fn the_lists_hold_every_language_once_and_no_call_names_too_many() {
        for named in [&["en"][..], &["en", "es", "zh-hk", "other"], &["en", "en"], &LANGUAGES] {
            let chains = of(named);
            let mut asked: Vec<&str> =
                chains.0.iter().flat_map(|chain| &chain.languages).map(String::as_str).collect();
            assert!(chains.0.iter().all(|chain| (1..=MOST_LANGUAGES).contains(&chain.languages.len())));
            asked.sort_unstable();
            let mut all = LANGUAGES.to_vec();
            all.sort_unstable();
            assert_eq!(asked, all, "{named:?}");
        }
    }

    #[test]
    fn one_list_has_the_cursor_of_twitch() {
        let mut chains = of(&[]);
        let after = Extraction { cursor: Some("abc".into()), pages: 1, ..begun() };
        assert_eq!(chains.go_on(0, &after).as_deref(), Some("abc"));
        let again = Chains::of(&after, &["en".to_owned()]).unwrap();
        assert_eq!(again.0, chains.0, "a pull goes on as it was begun");
    }

    #[test]
    fn several_go_on_where_they_were_and_end_with_the_last() {
        let mut chains = of(&["en"]);
        let number = chains.open().count();
        assert_eq!(number, 3);
        let after = Extraction { cursor: Some("abc".into()), last_viewers: Some(70), pages: 1, ..begun() };
        assert_eq!(chains.end(0, StopReason::MinViewers), None);
        assert_eq!(chains.end(1, StopReason::End), None);
        let cursor = chains.go_on(2, &after);
        let mut again = Chains::of(&Extraction { cursor, ..after }, &[]).unwrap();
        assert_eq!(again.0, chains.0);
        let (last, chain) = again.open().next().unwrap();
        assert_eq!((last, chain.cursor()), (2, Some("abc")));
        assert_eq!(again.end(2, StopReason::End), Some(StopReason::MinViewers), "the pull is over");
    }

    #[test]
    fn a_page_cap_ends_them_all_and_what_cannot_be_read_is_said() {
        assert_eq!(of(&["en"]).end(1, StopReason::PageCap), Some(StopReason::PageCap));
        let garbled = Extraction { cursor: Some("lists:[{]".into()), pages: 3, ..begun() };
        let failure = Chains::of(&garbled, &[]).unwrap_err();
        assert_eq!(failure.code, "extractor.cursor");
    }
}
