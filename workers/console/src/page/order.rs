//! Before something is ordered: what it would do, counted, and a form to confirm it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use shared::{
    dead_letters::Canary,
    operations::{Action, Careful},
    store::DeadLetterFilter,
    topology::all_stages,
    view::format::{count, first_line},
};

use super::{
    context::{Context, Found, json_of},
    dead_letter_group::{COUNTED, describe_count},
};
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
        Some(filter) => store.dead_letter_groups(&filter, Some(COUNTED)).await?,
        None => Vec::new(),
    };
    if let Some(counted) = counted {
        let tone = if counted == 0 { Tone::Notice } else { Tone::Plain };
        let why = if counted == 0 && !groups.is_empty() {
            ": those below are held, or on their way to their queue"
        } else {
            ""
        };
        let verb = if counted == 1 { "matches" } else { "match" };
        let matching = format!("{} {verb} now{why}.", count(counted, "dead letter"));
        blocks.push(Block::Text(Cell::text(matching).tone(tone)));
    }
    if !groups.is_empty() {
        let rows = groups.iter().take(MOST).map(|group| {
            vec![
                Cell::text(group.code.clone()).link(format!("/dead-letters/groups/{}", group.fingerprint)),
                Cell::text(group.stage.clone()),
                Cell::text(describe_count(group.letters)).right(),
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
        Action::RunOnce { stage } => (
            "Run one message",
            format!(
                "One worker of the {stage}, which is paused, takes the first message of its queue and handles it to its end. \
                 Then the pause goes on."
            ),
        ),
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
        Action::Replay { filter, to, limit, rate, canary, .. } => {
            fields.extend(selection(filter));
            fields.extend(batches(*canary));
            fields.push(Field::choice("to", "To", to.as_deref().unwrap_or(order::OWN), stages()));
            let written = |number: Option<String>| number.unwrap_or_default();
            fields.push(
                Field::text("limit", "At most so many", written(limit.map(|limit| limit.to_string())))
                    .hint("the oldest; empty for all. Another number is counted, and asked for, again"),
            );
            fields.push(
                Field::text("rate", "At most so many per second", written(rate.map(|rate| rate.to_string())))
                    .hint("empty for no limit"),
            );
        }
        Action::Hold { filter, until_build } => {
            fields.extend(selection(filter));
            fields.push(
                Field::text("until-build", "Until this build runs", until_build.clone().unwrap_or_default())
                    .hint("such as 1.2.0; empty for until somebody releases them"),
            );
        }
        Action::Discard { filter, .. } | Action::Release { filter } => fields.extend(selection(filter)),
        Action::Restore { ids } => fields.push(Field::hidden("id", joined(ids))),
        Action::Rerun { pull, .. } => {
            fields.push(Field::hidden("pull", pull.to_string()));
            let from = Field::choice("from", "From", "games", vec!["games", "channels", "merge"]);
            fields.push(from.hint("the first stage that runs again"));
        }
        Action::Pause { stage, reason, .. } => {
            fields.push(Field::hidden("stage", stage.clone()));
            let reason = reason.clone().unwrap_or_default();
            fields.push(Field::text("reason", "Why", reason).hint("for whoever wonders; may be empty"));
            fields.push(
                Field::text("minutes", "For so many minutes", "").hint("empty for until somebody resumes it"),
            );
        }
        Action::Resume { stage } | Action::RunOnce { stage } => {
            fields.push(Field::hidden("stage", stage.clone()));
        }
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
        Action::RunOnce { stage } => format!("Run one message of the {stage}"),
        _ => {
            let verb = kind[..1].to_uppercase() + &kind[1..];
            format!("{verb} {}", count(counted.unwrap_or_default(), "dead letter"))
        }
    };
    Form { action: format!("/order/{kind}"), changes: true, danger: typed.is_some(), fields, button }
}

/// Whether it goes in growing batches, and when it stops by itself.
fn batches(canary: Option<Careful>) -> [Field; 3] {
    let Canary { tolerate, patience } = canary.unwrap_or(order::USUAL).into();
    let patience = humantime::format_duration(patience).to_string();
    [
        Field {
            name: "canary",
            label: "In growing batches",
            hint: "1, 2, 5, 10, …, each after the results of the last".into(),
            value: String::new(),
            input: Input::Box(canary.is_some()),
        },
        Field::text("tolerate", "Stop if more than this share of a batch fails again", tolerate.to_string())
            .hint("from 0 to 1"),
        Field::text("patience", "Stop if a batch has no results for", patience).hint("such as 60s or 5m"),
    ]
}

fn stages() -> Vec<&'static str> {
    [order::OWN].into_iter().chain(all_stages().map(|stage| stage.name)).collect()
}

fn selection(filter: &DeadLetterFilter) -> Vec<Field> {
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let fields = [
        ("id", filter.ids.as_deref().map(joined)),
        ("stage", filter.stage.clone()),
        ("class", filter.class.clone()),
        ("code", filter.code.clone()),
        ("group", filter.fingerprint.clone()),
        ("pull", filter.pull.map(|pull| pull.to_string())),
        ("channel", filter.channel.clone()),
        ("game", filter.game.clone()),
        ("since", filter.since.map(time)),
        ("until", filter.until.map(time)),
        ("state", filter.states.as_ref().and_then(|states| states.first().cloned())),
    ];
    let given: Vec<Field> =
        fields.into_iter().filter_map(|(name, value)| Some(Field::hidden(name, value?))).collect();
    if given.is_empty() { vec![Field::hidden("all", "yes")] } else { given }
}

fn joined(ids: &[i64]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
