//! Page 5: dead letters by cause.

use chrono::{DateTime, Utc};
use serde_json::json;
use shared::{
    store::{DEAD_LETTER_STATES, DeadLetterFilter, DeadLetterGroup},
    topology::STAGES,
    view::format::{count, first_line},
};

use super::{
    context::{Context, Found, json_of},
    dead_letter_group::{COUNTED, describe_count, describe_counts, state_choices},
    pulls::choices,
};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Section, Table, command},
    error::Error,
    route::Filters,
};

/// The most groups that are shown.
const MOST: usize = 100;
/// The longest message or note that is shown.
const LONGEST: usize = 160;

/// Which dead letters are asked for.
pub(super) struct Asked {
    stage: Option<&'static str>,
    state: Option<&'static str>,
    pull: Option<i64>,
}

impl Asked {
    pub(super) fn parse(filters: &mut Filters) -> Result<Self, Error> {
        Ok(Self {
            stage: filters.take_one_of("stage", &STAGES.map(|stage| stage.name))?,
            state: filters.take_one_of("state", &DEAD_LETTER_STATES)?,
            pull: filters.take("pull")?,
        })
    }

    fn address(&self, of_stage: Option<&str>, in_state: Option<&str>) -> String {
        let pull = self.pull.map(|pull| pull.to_string());
        let given = [("stage", of_stage), ("state", in_state), ("pull", pull.as_deref())];
        let given = given.iter().filter_map(|(name, value)| Some(format!("{name}={}", (*value)?)));
        let query = given.collect::<Vec<_>>().join("&");
        if query.is_empty() { "/dead-letters".to_owned() } else { format!("/dead-letters?{query}") }
    }

    /// The page that asks before all of these are replayed, held and so on: `words` begin with which.
    fn order(&self, words: &str) -> String {
        let kind = words.split(' ').next().unwrap_or_default().to_ascii_lowercase();
        let address = self.address(self.stage, self.state);
        let query = address.split_once('?').map_or("all=yes", |(_, query)| query);
        format!("/order/{kind}?{query}")
    }

    /// The same as flags of the operator's commands.
    fn flags(&self) -> String {
        let pull = self.pull.map(|pull| pull.to_string());
        let given = [("stage", self.stage), ("state", self.state), ("pull", pull.as_deref())];
        given
            .iter()
            .filter_map(|(name, value)| Some(format!(" --{name} {}", (*value)?)))
            .collect::<Vec<_>>()
            .concat()
    }
}

pub(super) async fn find(context: &Context<'_>, asked: Asked) -> Result<Found, Error> {
    let filter = DeadLetterFilter {
        stage: asked.stage.map(str::to_owned),
        states: asked.state.map(|state| vec![state.to_owned()]),
        pull: asked.pull,
        ..DeadLetterFilter::default()
    };
    let groups = context.console.store.dead_letter_groups(&filter, Some(COUNTED)).await?;
    let dead_letters: i64 = groups.iter().map(|group| group.letters).sum();
    let stages = STAGES.map(|stage| stage.name);
    let flags = asked.flags();
    let mut commands = vec![("The same as text", command(&format!("dead-letters groups{flags}")))];
    if dead_letters > 0 && asked.state.is_none() {
        let all = if flags.is_empty() { " --all" } else { &flags };
        commands
            .push(("See what a replay would send", command(&format!("dead-letters replay{all} --dry-run"))));
        commands.push((
            "Send them all back, in growing batches",
            command(&format!("dead-letters replay{all} --canary")),
        ));
    }
    let mut blocks = vec![
        Block::Filters(
            "Stage",
            choices("any", &stages, asked.stage, |stage| asked.address(stage, asked.state)),
        ),
        Block::Filters("State", state_choices(asked.state, |state| asked.address(asked.stage, state))),
        Block::Table(table(&groups, asked.state, context.now)),
    ];
    if dead_letters > 0 && matches!(asked.state, None | Some("dead" | "held")) {
        let orders = ["Replay all", "Hold all", "Release all", "Discard all"];
        blocks.extend(context.orders("These", orders.map(|words| (words, asked.order(words)))));
    }
    blocks.push(Block::Commands(commands));
    let all = describe_counts(groups.iter().map(|group| group.letters));
    let title = format!("{all} of {}", count(groups.len(), "cause"));
    let data = json!({ "letters": dead_letters, "counted_up_to": COUNTED, "groups": json_of(&groups) });
    let sections = vec![Section::new("groups", title, blocks)];
    Ok(Found { document: Document { title: "Dead letters".into(), sections }, data })
}

fn table(groups: &[DeadLetterGroup], state: Option<&str>, now: DateTime<Utc>) -> Table {
    let query = state.map(|state| format!("?state={state}")).unwrap_or_default();
    let rows = groups.iter().take(MOST).map(|group| {
        let owner = group.owner.iter().filter(|owner| !owner.is_empty()).map(|owner| format!("{owner}:"));
        let note = group.note.iter().filter(|note| !note.is_empty()).map(|note| first_line(note, LONGEST));
        vec![
            Cell::code(group.fingerprint.clone())
                .link(format!("/dead-letters/groups/{}{query}", group.fingerprint)),
            Cell::text(group.stage.clone()),
            Cell::text(describe_count(group.letters)).right().tone(if state.is_none() {
                Tone::Bad
            } else {
                Tone::Plain
            }),
            Cell::text(describe_count(group.held)).right(),
            Cell::text(format!("{} ({})", group.code, group.class)),
            Cell::text(first_line(&group.message, LONGEST)),
            Cell::text(owner.chain(note).collect::<Vec<_>>().join(" ")),
            Cell::ago(group.first_failed_at, now),
            Cell::ago(group.last_failed_at, now),
            Cell::text(format!("#{}", group.sample)).right().link(format!("/dead-letters/{}", group.sample)),
        ]
    });
    let caption = if groups.len() > MOST {
        format!("The {MOST} largest groups of {}", groups.len())
    } else {
        "Dead letters with the same cause, the largest group first".to_owned()
    };
    let head = vec!["Group", "Stage", "Count", "Held", "Code", "Message", "Note", "First", "Last", "Newest"];
    Table { caption, head, rows: rows.collect(), empty: "There are no dead letters." }
}
