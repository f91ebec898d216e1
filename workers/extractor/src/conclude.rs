//! Is this the last page? Decided from what is known of it, never from its length: short pages are normal.

use clap::{ArgAction, Args};
use shared::{
    schema::StopReason,
    store::{Extraction, PageFacts},
};

use crate::language::LANGUAGES;

/// Pages in a row that bring nothing new before the cursors are taken to lead nowhere.
const MOST_IDLE_PAGES: i32 = 5;

/// Records a pull has twice beyond as many as it has streams: the list was walked all over again, and that is enough.
const MOST_REPEATS: i32 = 1_000;

/// What is fetched, and when to stop.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is fetched")]
pub struct Limits {
    /// Streams with fewer viewers are rejected
    #[arg(long, env, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub min_viewers: i32,
    /// Most pages of a pull; 0 for no cap
    #[arg(long, env, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub max_pages: i32,
    /// Stop at the first page whose last stream is below `MIN_VIEWERS`: the list is sorted by viewers
    #[arg(long, env, default_value_t = true, value_name = "BOOL", action = ArgAction::Set)]
    pub stop_below_min_viewers: bool,
    /// Languages that are fetched side by side, each as a list of its own, and all others as lists beside them: a pull is over
    /// sooner, for a few calls more. Such as `en,es,pt,ru`; without it, one list of all streams
    #[arg(long, env, value_name = "LANGUAGES", value_delimiter = ',', value_parser = parse_language)]
    pub side_by_side: Vec<String>,
}

fn parse_language(text: &str) -> Result<String, String> {
    let known = LANGUAGES.contains(&text);
    let why = || {
        format!("`{text}` is no language of Twitch's: two letters of ISO 639-1, `asl`, `zh-hk` or `other`")
    };
    known.then(|| text.to_owned()).ok_or_else(why)
}

/// What is known of a page before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Whether Twitch names a next page.
    pub has_next: bool,
    /// Viewers of its first valid record.
    pub first_viewers: Option<i32>,
    /// Viewers of its last record, valid or not.
    pub last_viewers: Option<i32>,
    /// Whether it holds rejected records.
    pub rejected: bool,
}

/// Why this page is the last, if it is.
pub fn conclude(so_far: &Extraction, page: &View, facts: PageFacts, limits: &Limits) -> Option<StopReason> {
    if !page.has_next {
        Some(StopReason::End)
    } else if facts.cursor_repeats || leads_nowhere(so_far, page, facts) {
        Some(StopReason::CursorLoop)
    } else if limits.stop_below_min_viewers && page.last_viewers.is_some_and(|last| last < limits.min_viewers)
    {
        Some(StopReason::MinViewers)
    } else if limits.max_pages > 0 && so_far.pages + 1 >= limits.max_pages {
        Some(StopReason::PageCap)
    } else {
        None
    }
}

/// Whether the cursors lead back, or nowhere. A page that brings new streams does not, whatever their order: real lists have
/// neighbours out of order, and a stream may gain thousands of viewers while we read.
fn leads_nowhere(so_far: &Extraction, page: &View, facts: PageFacts) -> bool {
    let nothing_new = facts.stored == 0 && !page.rejected;
    nothing_new && (jumped_up(so_far, page) || so_far.idle_pages + 1 >= MOST_IDLE_PAGES)
        // On a second walk some pages bring a stream or two that just went live.
        || so_far.duplicates > so_far.stored.saturating_add(MOST_REPEATS)
}

/// The list falls from page to page, but for a few streams that gained viewers meanwhile: one that begins far above the
/// end of the page before may have been reached by a cursor that leads back.
fn jumped_up(so_far: &Extraction, page: &View) -> bool {
    match (so_far.last_viewers, page.first_viewers) {
        (Some(last), Some(first)) => i64::from(first) > 2 * i64::from(last) + 100,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use shared::schema::PullId;

    use super::*;

    #[test]
    fn each_reason_has_its_page() {
        let page = View { has_next: true, first_viewers: Some(90), last_viewers: Some(80), rejected: false };
        let new = PageFacts { stored: 100, cursor_repeats: false };
        let old = PageFacts { stored: 0, cursor_repeats: false };
        let short = View { last_viewers: None, first_viewers: None, ..page };
        let cases = [
            ("a full page", page, new, None),
            ("a short page with a cursor is not the last", short, new, None),
            ("an empty page with a cursor is not the last", short, old, None),
            ("no cursor", View { has_next: false, ..page }, new, Some(StopReason::End)),
            (
                "a repeated cursor",
                page,
                PageFacts { cursor_repeats: true, ..new },
                Some(StopReason::CursorLoop),
            ),
            (
                "back at the top",
                View { first_viewers: Some(90_000), ..page },
                old,
                Some(StopReason::CursorLoop),
            ),
            ("new streams out of order", View { first_viewers: Some(90_000), ..page }, new, None),
            ("a page of streams that came before", page, old, None),
            ("a stream that gained viewers", View { first_viewers: Some(160), ..page }, new, None),
            ("the cut", View { last_viewers: Some(9), ..page }, new, Some(StopReason::MinViewers)),
            (
                "zero viewers is a number",
                View { last_viewers: Some(0), ..page },
                new,
                Some(StopReason::MinViewers),
            ),
        ];
        for (what, page, facts, reason) in cases {
            assert_eq!(conclude(&so_far(3, 0), &page, facts, &limits(0)), reason, "{what}");
        }
        let capped = conclude(&so_far(3, 0), &page, new, &limits(4));
        assert_eq!(capped, Some(StopReason::PageCap));
        let idle = conclude(&so_far(3, 4), &page, old, &limits(0));
        assert_eq!(idle, Some(StopReason::CursorLoop), "five pages without anything new");
        let again = Extraction { stored: 5_000, duplicates: 6_001, ..so_far(60, 0) };
        let again = conclude(&again, &page, PageFacts { stored: 1, ..new }, &limits(0));
        assert_eq!(
            again,
            Some(StopReason::CursorLoop),
            "the whole list again, with a new stream now and then"
        );
    }

    fn so_far(pages: i32, idle_pages: i32) -> Extraction {
        Extraction {
            pull_id: PullId(1),
            pulled_at: chrono::DateTime::UNIX_EPOCH,
            pages,
            cursor: Some("c".into()),
            last_viewers: Some(90),
            idle_pages,
            stored: 0,
            duplicates: 0,
            ended: false,
        }
    }

    fn limits(max_pages: i32) -> Limits {
        Limits { min_viewers: 10, max_pages, stop_below_min_viewers: true, side_by_side: Vec::new() }
    }
}
