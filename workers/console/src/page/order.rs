//! Before something is ordered: what it would do, counted, and a form to confirm it.

use serde_json::json;
use shared::{
    operations::Action,
    store::DeadLetterFilter,
    view::format::{count, first_line},
};

use super::context::{Context, Found, json_of};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Field, Form, Input, Section, Table, command},
    error::Error,
    order,
};

/// Most causes that are shown.
const MOST: usize = 10;
/// The longest message that is shown.
const LONGEST: usize = 120;

pub(super) async fn find(context: &Context<'_>, kind: &'static str, action: Action) -> Result<Found, Error> {
    let store = &context.console.store;
    if !context.console.guard.allows_actions() {
        let words = "Nothing can be ordered here: the console is read-only without ALLOW_ACTIONS.";
        return Err(Error::NotFound(words.into()));
    }
    let counted = order::count(store, &action).await?;
    let (title, effect) = words(&action);
    let mut blocks = vec![Block::Text(Cell::text(effect))];
    let groups = match selected(&action) {
        Some(filter) => store.dead_letter_groups(&filter).await?,
        None => Vec::new(),
    };
    if let Some(counted) = counted {
        let tone = if counted == 0 { Tone::Notice } else { Tone::Plain };
        let matching = format!(
            "{} now.",
            count(counted, "dead letter") + if counted == 1 { " matches" } else { " match" }
        );
        blocks.push(Block::Text(Cell::text(matching).tone(tone)));
    }
    if !groups.is_empty() {
        let rows = groups.iter().take(MOST).map(|group| {
            vec![
                Cell::text(group.code.clone()).link(format!("/dead-letters/groups/{}", group.fingerprint)),
                Cell::text(group.stage.clone()),
                Cell::number(group.letters),
                Cell::text(first_line(&group.message, LONGEST)),
            ]
        });
        let caption = format!("By cause, the first {}", groups.len().min(MOST));
        let head = vec!["Cause", "Stage", "Dead letters", "Newest"];
        blocks.push(Block::Table(Table { caption, head, rows: rows.collect(), empty: "" }));
    }
    let nothing = counted == Some(0);
    if !nothing {
        blocks.push(Block::Form(form(kind, &action, counted)));
    }
    blocks.push(Block::Commands(vec![("Same as", command(&action.command()))]));
    let data = json!({ "action": json_of(&action), "counted": counted, "command": action.command() });
    let sections = vec![Section::new("order", "Confirm", blocks)];
    Ok(Found { document: Document { title: title.to_owned(), sections }, data })
}

/// What the page is called, and what the order does.
fn words(action: &Action) -> (&'static str, String) {
    match action {
        Action::Replay { .. } => (
            "Replay dead letters",
            "Each becomes a new message with the same body, in the replay queue of its stage, which a worker reads while it has no \
             live work. Held ones are sent only if named by number."
                .into(),
        ),
        Action::Discard { .. } => (
            "Discard dead letters",
            "They leave their queues for the archive. Nothing is lost: each can be restored by number.".into(),
        ),
        Action::Restore { .. } => {
            ("Restore dead letters", "They come back into their queues, as they were.".into())
        }
        Action::Hold { .. } => {
            ("Hold dead letters", "A replay passes them over unless it names them by number.".into())
        }
        Action::Release { .. } => ("Release dead letters", "A replay sends them again.".into()),
        Action::Rerun { pull, .. } => (
            "Run a pull again",
            format!("Pull {pull} runs again from its stored pages: no streams are asked of Twitch."),
        ),
        Action::Pause { stage, .. } => (
            "Pause a stage",
            format!("Every worker of the {stage} takes no more messages, within two seconds. Pulls wait, and do not fail."),
        ),
        Action::Resume { stage } => ("Resume a stage", format!("The {stage} goes on, with one message first.")),
        Action::Cancel { pull, .. } => (
            "Cancel a pull",
            format!("Pull {pull} ends as failed. Its messages are dropped where they arrive; what is stored stays."),
        ),
    }
}

/// The dead letters that it is about, for the table of causes.
fn selected(action: &Action) -> Option<DeadLetterFilter> {
    match action {
        Action::Replay { filter, .. } if filter.ids.is_none() => Some(filter.in_states(&["dead"])),
        Action::Replay { filter, .. } | Action::Discard { filter, .. } | Action::Hold { filter, .. } => {
            Some(filter.in_queue())
        }
        Action::Release { filter } => Some(filter.in_states(&["held"])),
        _ => None,
    }
}

fn form(kind: &'static str, action: &Action, counted: Option<i64>) -> Form {
    let mut fields = Vec::new();
    match action {
        Action::Replay { filter, limit, rate, canary, .. } => {
            fields.extend(selection(filter));
            fields.push(Field {
                name: "canary",
                label: "In growing batches",
                hint: "1, 2, 5, 10, …, each after the results of the last; it stops if more than a tenth of one fails again".into(),
                value: String::new(),
                input: Input::Box(canary.is_some()),
            });
            // A limit changes what is counted: it is part of the address.
            fields.extend(limit.map(|limit| Field::hidden("limit", limit.to_string())));
            let rate = rate.map_or_else(String::new, |rate| rate.to_string());
            fields.push(Field::text("rate", "At most so many per second", rate).hint("empty for no limit"));
        }
        Action::Discard { filter, .. } | Action::Hold { filter, .. } | Action::Release { filter } => {
            fields.extend(selection(filter));
        }
        Action::Restore { ids } => fields.push(Field::hidden("id", joined(ids))),
        Action::Rerun { pull, .. } => {
            fields.push(Field::hidden("pull", pull.to_string()));
            fields.push(Field {
                name: "from",
                label: "From",
                hint: "the first stage that runs again".into(),
                value: "games".into(),
                input: Input::Choice(vec!["games", "channels", "merge"]),
            });
        }
        Action::Pause { stage, reason, .. } => {
            fields.push(Field::hidden("stage", stage.clone()));
            let reason = reason.clone().unwrap_or_default();
            fields.push(Field::text("reason", "Why", reason).hint("for whoever wonders; may be empty"));
            fields.push(
                Field::text("minutes", "For so many minutes", "").hint("empty for until somebody resumes it"),
            );
        }
        Action::Resume { stage } => fields.push(Field::hidden("stage", stage.clone())),
        Action::Cancel { pull, reason } => {
            fields.push(Field::hidden("pull", pull.to_string()));
            let reason = reason.clone().unwrap_or_default();
            fields.push(Field::text("reason", "Why", reason).hint("for whoever wonders; may be empty"));
        }
    }
    fields.extend(counted.map(|counted| Field::hidden("counted", counted.to_string())));
    let typed = order::to_type(action, counted);
    fields.extend(typed.map(|number| Field::text("typed", "To confirm, type", "").hint(number.to_string())));
    let button = match action {
        Action::Rerun { .. } => "Run again".to_owned(),
        Action::Cancel { pull, .. } => format!("Cancel pull {pull}"),
        Action::Pause { stage, .. } => format!("Pause the {stage}"),
        Action::Resume { stage } => format!("Resume the {stage}"),
        _ => {
            let verb = kind[..1].to_uppercase() + &kind[1..];
            format!("{verb} {}", count(counted.unwrap_or_default(), "dead letter"))
        }
    };
    Form { action: format!("/order/{kind}"), changes: true, danger: typed.is_some(), fields, button }
}

fn selection(filter: &DeadLetterFilter) -> Vec<Field> {
    let fields = [
        ("id", filter.ids.as_deref().map(joined)),
        ("stage", filter.stage.clone()),
        ("group", filter.fingerprint.clone()),
        ("pull", filter.pull.map(|pull| pull.to_string())),
        ("state", filter.states.as_ref().and_then(|states| states.first().cloned())),
    ];
    let given: Vec<Field> =
        fields.into_iter().filter_map(|(name, value)| Some(Field::hidden(name, value?))).collect();
    if given.is_empty() { vec![Field::hidden("all", "yes")] } else { given }
}

fn joined(ids: &[i64]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
