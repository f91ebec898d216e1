//! The scenarios that make paging hard, by name.

use std::collections::HashSet;

use super::visitor::{Visitor, all_ids, distinct};
use crate::Happening;

const SWEEP: &str = "first=100";

#[tokio::test]
async fn a_wrapping_last_cursor_begins_again() {
    let visitor = Visitor::during("wrapping-last-cursor", 250).await;
    let pages = visitor.pages(SWEEP, 7).await;
    assert_eq!(pages.len(), 7, "it never ends");
    assert_eq!(pages[3].ids(), pages[0].ids());
    assert_eq!(distinct(&all_ids(&pages[..3])), visitor.truth());
}

#[tokio::test]
async fn a_wrapping_cursor_begins_again_once() {
    let visitor = Visitor::during("wrapping-cursor", 650).await;
    let pages = visitor.pages(SWEEP, 30).await;
    assert_eq!(pages.len(), 4 + 7);
    assert_eq!(pages[4].ids(), pages[0].ids());
}

#[tokio::test]
async fn a_repeated_cursor_gives_the_same_page() {
    let visitor = Visitor::during("repeated-cursor", 500).await;
    let pages = visitor.pages(SWEEP, 30).await;
    assert_eq!(pages[2].ids(), pages[3].ids());
    assert_eq!((pages.len(), distinct(&all_ids(&pages))), (6, visitor.truth()));
    let visitor = Visitor::during("stuck-cursor", 500).await;
    let pages = visitor.pages(SWEEP, 6).await;
    assert!(pages.iter().all(|page| page.ids() == pages[0].ids()));
    assert_eq!(pages.len(), 6);
}

#[tokio::test]
async fn a_good_cursor_is_refused_once() {
    let visitor = Visitor::during("invalid-cursor-once", 500).await;
    let mut pages = visitor.pages(SWEEP, 30).await;
    let refused = pages.pop().unwrap();
    assert_eq!(
        (pages.len(), refused.status, refused.json()["message"].as_str()),
        (2, 400, Some("Invalid cursor."))
    );
    let again = visitor.get(&format!("streams?first=100&after={}", pages[1].cursor().unwrap())).await;
    assert_eq!((again.status, again.ids().len()), (200, 100));
}

#[tokio::test]
async fn a_half_cursor_leads_to_an_empty_page_and_on() {
    let visitor = Visitor::during("half-length-cursor", 500).await;
    let pages = visitor.pages(SWEEP, 30).await;
    let lengths: Vec<usize> = pages.iter().map(|page| page.ids().len()).collect();
    assert_eq!(lengths, [100, 100, 100, 0, 100, 100]);
    assert!(pages[2].cursor().unwrap().len() * 10 < pages[1].cursor().unwrap().len() * 7);
    assert_eq!(distinct(&all_ids(&pages)), visitor.truth());
}

#[tokio::test]
async fn incomplete_pages_lose_nothing_and_lossy_ones_do() {
    let visitor = Visitor::during("incomplete-pages", 1_000).await;
    let pages = visitor.pages(SWEEP, 30).await;
    assert_eq!(pages.iter().take(9).filter(|page| page.ids().len() < 100).count(), 4);
    assert_eq!((all_ids(&pages).len(), distinct(&all_ids(&pages))), (1_000, visitor.truth()));

    let visitor = Visitor::during("lossy-pages", 1_000).await;
    let ids = distinct(&all_ids(&visitor.pages(SWEEP, 30).await));
    let lost = distinct(&visitor.world().journal.ids(Happening::Lost));
    assert!((2..=10).contains(&lost.len()));
    assert_eq!(visitor.truth().difference(&ids).cloned().collect::<HashSet<_>>(), lost);
}

#[tokio::test]
async fn a_quarter_of_the_streams_comes_again() {
    let visitor = Visitor::during("repeated-streams", 2_000).await;
    let pages = visitor.pages(SWEEP, 60).await;
    let ids = all_ids(&pages);
    assert_eq!(distinct(&ids), visitor.truth());
    let again = ids.len() - 2_000;
    assert_eq!(again, 25 * (pages.len() - 1));
    assert_eq!(again, visitor.world().journal.ids(Happening::Repeated).len());
    for two in pages.windows(2) {
        let (before, page) = (distinct(&two[0].ids()), two[1].ids());
        assert!(page.iter().take(25).all(|id| before.contains(id)), "what repeats was on the page before");
        let viewers =
            |got: &super::visitor::Got, n: usize| got.json()["data"][n]["viewer_count"].as_u64().unwrap();
        assert!(viewers(&two[1], 0) <= viewers(&two[0], two[0].ids().len() - 1), "the order still falls");
    }
}

#[tokio::test]
async fn vanishing_streams_are_never_listed() {
    let visitor = Visitor::during("vanishing-streams", 1_000).await;
    let ids = distinct(&all_ids(&visitor.pages(SWEEP, 30).await));
    let gone = distinct(&visitor.world().journal.ids(Happening::Vanished));
    assert!((40..=60).contains(&gone.len()));
    assert_eq!(visitor.truth().difference(&ids).cloned().collect::<HashSet<_>>(), gone);
    assert_eq!(visitor.world().live().len(), 1_000 - gone.len());
}

#[tokio::test]
async fn jumping_viewers_repeat_some_and_hide_others() {
    let visitor = Visitor::during("jumping-viewers", 1_000).await;
    let pages = visitor.pages(SWEEP, 30).await;
    let ids = all_ids(&pages);
    let rose = distinct(&visitor.world().journal.ids(Happening::Rose));
    let fell = distinct(&visitor.world().journal.ids(Happening::Fell));
    assert!(rose.len() > 30 && fell.len() > 30);
    let missed: HashSet<String> = visitor.truth().difference(&distinct(&ids)).cloned().collect();
    assert!(!missed.is_empty() && missed.is_subset(&rose));
    assert!(ids.len() > distinct(&ids).len(), "those that fell come again");
}

#[tokio::test]
async fn a_rough_sweep_still_holds_everything() {
    let visitor = Visitor::during("rough-sweep", 1_000).await;
    let (mut ids, mut after) = (Vec::new(), String::new());
    for _ in 0..25 {
        let got = visitor.get(&format!("streams?first=100{after}")).await;
        if got.status == 200 {
            ids.extend(got.ids());
            after = format!("&after={}", got.cursor().expect("a rough sweep has no end"));
        }
    }
    assert_eq!(distinct(&ids), visitor.truth());
}
