//! Page 5: dead letters of one cause.

use chrono::{DateTime, Utc};
use serde_json::json;
use shared::{
    store::{DEAD_LETTER_STATES, DeadLetterFilter, DeadLetterRow},
    view::{
        dead_letter_state,
        format::{count, first_line, number},
    },
};

use super::{
    context::{Context, Found, json_of},
    pulls::choices,
};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Section, Table, command},
    error::Error,
    route::Filters,
};

/// So many dead letters on a page.
const MOST: usize = 50;
/// Dead letters of a cause are counted up to this: a page must not take longer because there are more.
pub(super) const COUNTED: i64 = 10_000;

/// Which of them are asked for.
pub(super) struct Asked {
    state: Option<&'static str>,
    after: i64,
}

impl Asked {
    pub(super) fn parse(filters: &mut Filters) -> Result<Self, Error> {
        Ok(Self {
            state: filters.take_one_of("state", &DEAD_LETTER_STATES)?,
            after: filters.take("after")?.unwrap_or_default(),
        })
    }
}

pub(super) async fn find(context: &Context<'_>, fingerprint: String, asked: Asked) -> Result<Found, Error> {
    let store = &context.console.store;
    let states = asked.state.map(|state| vec![state.to_owned()]);
    let filter =
        DeadLetterFilter { fingerprint: Some(fingerprint.clone()), states, ..DeadLetterFilter::default() };
    let group = store.dead_letter_groups(&filter, Some(COUNTED)).await?.into_iter().next();
    // The address may hold only the beginning of a fingerprint, by which no dead letter is found at once.
    let whole = group.as_ref().map(|group| group.fingerprint.clone());
    let filter = DeadLetterFilter { fingerprint: whole.or(filter.fingerprint), ..filter };
    let limit = 1 + i64::try_from(MOST).unwrap_or(i64::MAX);
    let mut dead_letters = match group {
        Some(_) => store.list_dead_letters(&filter, asked.after, limit).await?,
        None => Vec::new(),
    };
    let more = dead_letters.len() > MOST;
    dead_letters.truncate(MOST);
    let page = format!("/dead-letters/groups/{fingerprint}");
    let address = |state: Option<&str>, after: i64| {
        let given =
            [state.map(|state| format!("state={state}")), (after > 0).then(|| format!("after={after}"))];
        let query = given.into_iter().flatten().collect::<Vec<_>>().join("&");
        if query.is_empty() { page.clone() } else { format!("{page}?{query}") }
    };
    let mut sections = Vec::new();
    if let Some(group) = &group {
        let mut facts = vec![
            ("stage", Cell::text(group.stage.clone()).link(format!("/dead-letters?stage={}", group.stage))),
            ("code", Cell::text(format!("{} ({})", group.code, group.class))),
            ("newest", Cell::text(group.message.clone()).link(format!("/dead-letters/{}", group.sample))),
            ("first failed", Cell::ago(group.first_failed_at, context.now)),
            ("last failed", Cell::ago(group.last_failed_at, context.now)),
            (
                "dead letters",
                Cell::text(format!(
                    "{}, {} of them held",
                    describe_count(group.letters),
                    describe_count(group.held)
                )),
            ),
        ];
        facts.extend(
            group.owner.clone().filter(|owner| !owner.is_empty()).map(|owner| ("owner", Cell::text(owner))),
        );
        facts.extend(
            group.note.clone().filter(|note| !note.is_empty()).map(|note| ("note", Cell::text(note))),
        );
        sections.push(Section::new("cause", "The cause", vec![Block::Facts(facts)]));
    }
    let mut blocks = vec![
        Block::Filters("State", state_choices(asked.state, |state| address(state, 0))),
        Block::Table(list(&dead_letters, "Oldest first", context.now)),
    ];
    if group.is_some() && matches!(asked.state, None | Some("dead" | "held")) {
        let state = asked.state.map(|state| format!("&state={state}")).unwrap_or_default();
        let orders = [
            ("Replay all", "replay"),
            ("Hold all", "hold"),
            ("Release all", "release"),
            ("Discard all", "discard"),
        ];
        let orders = orders.map(|(words, kind)| (words, format!("/order/{kind}?group={fingerprint}{state}")));
        blocks.extend(context.orders("These", orders));
    }
    let mut ways = Vec::new();
    if asked.after > 0 {
        ways.push(Cell::text("First").link(address(asked.state, 0)));
    }
    if let Some(last) = dead_letters.last().filter(|_| more) {
        ways.push(Cell::text("Next").link(address(asked.state, last.id)));
    }
    if !ways.is_empty() {
        blocks.push(Block::Filters("More", ways));
    }
    let title =
        group.as_ref().map_or_else(|| "No dead letters".to_owned(), |group| describe_counts([group.letters]));
    sections.push(Section::new("letters", title, blocks));
    if group.is_some() && asked.state.is_none() {
        let words = |words: &str| command(&format!("dead-letters {words}"));
        let commands = vec![
            ("List them", words(&format!("list --group {fingerprint}"))),
            ("See what a replay would send", words(&format!("replay --group {fingerprint} --dry-run"))),
            ("Send them back, in growing batches", words(&format!("replay --group {fingerprint} --canary"))),
            ("Hold them", words(&format!("hold --group {fingerprint}"))),
            ("Discard them", words(&format!("discard --group {fingerprint}"))),
        ];
        sections.push(Section::new("next", "Where to look next", vec![Block::Commands(commands)]));
    }
    let data = json!({ "group": json_of(&group), "counted_up_to": COUNTED, "letters": json_of(&dead_letters), "more": more });
    Ok(Found { document: Document { title: format!("Group {fingerprint}"), sections }, data })
}

/// A number of dead letters of a cause, as far as they are counted.
pub(super) fn describe_count(dead_letters: i64) -> String {
    if dead_letters > COUNTED { format!("{}+", number(COUNTED)) } else { number(dead_letters) }
}

/// The dead letters of several causes together, as far as they are counted.
pub(super) fn describe_counts(causes: impl IntoIterator<Item = i64>) -> String {
    let (mut sum, mut more) = (0, false);
    for dead_letters in causes {
        sum += dead_letters.min(COUNTED);
        more |= dead_letters > COUNTED;
    }
    if more { format!("{}+ dead letters", number(sum)) } else { count(sum, "dead letter") }
}

/// Ways to choose a state.
pub(super) fn state_choices(chosen: Option<&str>, address: impl Fn(Option<&str>) -> String) -> Vec<Cell> {
    let states = choices("in their queue", &DEAD_LETTER_STATES, chosen, address);
    states.into_iter().map(|cell| Cell { text: dead_letter_state(&cell.text).to_owned(), ..cell }).collect()
}

/// Dead letters, a row each.
pub(super) fn list(dead_letters: &[DeadLetterRow], caption: &str, now: DateTime<Utc>) -> Table {
    let rows = dead_letters.iter().map(|dead_letter| {
        let about = match (dead_letter.pull_id, dead_letter.chunk) {
            (Some(pull), Some(chunk)) => {
                Cell::text(format!("{pull}/{chunk}")).link(format!("/pulls/{pull}/chunks/{chunk}"))
            }
            (Some(pull), None) => Cell::text(pull.to_string()).link(format!("/pulls/{pull}")),
            _ => Cell::text("–"),
        };
        vec![
            Cell::text(format!("#{}", dead_letter.id))
                .right()
                .link(format!("/dead-letters/{}", dead_letter.id)),
            Cell::text(dead_letter_state(&dead_letter.state)).tone(tone(&dead_letter.state)),
            Cell::text(dead_letter.stage.clone()),
            about,
            Cell::number(dead_letter.attempts),
            Cell::number(dead_letter.generation),
            Cell::ago(dead_letter.last_failed_at, now),
            Cell::text(first_line(&dead_letter.message, 160)),
        ]
    });
    let head = vec!["Number", "State", "Stage", "Pull/chunk", "Attempts", "Replays", "Failed", "Message"];
    Table { caption: caption.to_owned(), head, rows: rows.collect(), empty: "None matches." }
}

/// How good or bad the state of a dead letter is.
pub(super) fn tone(state: &str) -> Tone {
    match state {
        "dead" | "vanished" => Tone::Bad,
        "held" | "replaying" => Tone::Notice,
        "cured" => Tone::Good,
        _ => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_whose_replay_was_handled_is_resolved() {
        let states =
            state_choices(None, |state| format!("/dead-letters?state={}", state.unwrap_or_default()));
        let resolved = states.iter().find(|cell| cell.text == "resolved").expect("a way to choose it");
        assert_eq!(resolved.href.as_deref(), Some("/dead-letters?state=cured"), "as the database names it");
        assert!(states.iter().all(|cell| cell.text != "cured"), "{states:?}");
    }

    #[test]
    fn what_is_not_counted_to_its_end_is_said_to_be_more() {
        assert_eq!((describe_count(10_000), describe_count(10_001)), ("10,000".into(), "10,000+".into()));
        assert_eq!(describe_counts([1]), "1 dead letter");
        assert_eq!(describe_counts([9_000, 4_000]), "13,000 dead letters");
        assert_eq!(describe_counts([10_001, 4_000]), "14,000+ dead letters");
    }
}
