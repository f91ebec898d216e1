//! What a trace found, in sections.

use serde_json::Value;
use shared::{
    store::{CatalogueTrace, PullTrace, Sighting, StreamTrace, TraceStep, Whereabouts},
    view::{
        describe_whereabouts,
        format::{ago, count, duration, first_line, number, time},
    },
};

use super::context::Context;
use crate::{
    cell::{Cell, Tone},
    document::{Block, Section, Table},
};

/// The newest pulls with a channel or game that are shown.
pub(super) const SIGHTINGS: i64 = 20;

/// Most steps that are shown.
pub(super) const MOST_STEPS: usize = 200;

/// Longest value of a field that is shown.
pub(super) const LONGEST_VALUE: usize = 120;

pub(super) fn of_stream(trace: &StreamTrace) -> Vec<Section> {
    let pull = trace.pull.pull_id;
    let tone = match trace.whereabouts {
        Whereabouts::Stored(_) => Tone::Good,
        Whereabouts::Rejected(_) => Tone::Bad,
        Whereabouts::Absent(_) => Tone::Notice,
    };
    let mut facts = vec![
        ("stream", Cell::code(trace.stream_id.clone())),
        ("pull", Cell::text(pull.to_string()).link(format!("/pulls/{pull}"))),
    ];
    let chunk = match &trace.whereabouts {
        Whereabouts::Stored(stored) => Some(stored.chunk),
        Whereabouts::Rejected(rejection) => Some(rejection.chunk),
        Whereabouts::Absent(_) => None,
    };
    facts.extend(
        chunk.map(|chunk| {
            ("chunk", Cell::text(chunk.to_string()).link(format!("/pulls/{pull}/chunks/{chunk}")))
        }),
    );
    facts.extend(trace.duplicates.iter().map(|(chunk, placed)| {
        let viewers = number(placed.viewer_count);
        let place = placed.place;
        let text =
            format!("page {chunk}, place {place}: {viewers} viewers that time; dropped as a duplicate");
        ("listed again", Cell::text(text))
    }));
    let answer = vec![Block::Text(Cell::text(describe_whereabouts(trace)).tone(tone)), Block::Facts(facts)];
    let mut sections = vec![Section::new("answer", "Where it is", answer)];
    if let Whereabouts::Stored(stored) = &trace.whereabouts {
        let fetched = stored.fetched.as_ref().and_then(Value::as_object).into_iter().flatten();
        let rows = fetched.map(|(field, value)| {
            let other = stored.differences.iter().find(|difference| difference.field == *field);
            let kept = match (other, &stored.stored) {
                (Some(difference), _) => Cell::text(shown(&difference.stored)).tone(Tone::Bad),
                (None, Some(_)) => Cell::text("the same"),
                (None, None) => Cell::text("not merged"),
            };
            vec![Cell::code(field.clone()), Cell::text(shown(value)), kept]
        });
        let table = Table {
            caption: "What Twitch said, and what is stored".into(),
            head: vec!["Field", "Fetched", "Stored"],
            rows: rows.collect(),
            empty: "The page was deleted: there is nothing to compare with.",
        };
        sections.push(Section::new("fields", "Fetched and stored", vec![Block::Table(table)]));
    }
    sections.push(steps(&trace.steps));
    sections
}

pub(super) fn of_pull(trace: &PullTrace, chunk: Option<i32>) -> Vec<Section> {
    let id = trace.pull.pull_id;
    let what = chunk.map_or_else(
        || Cell::text(format!("Pull {id}: {}", trace.pull.status)).link(format!("/pulls/{id}")),
        |chunk| Cell::text(format!("Pull {id}, chunk {chunk}")).link(format!("/pulls/{id}/chunks/{chunk}")),
    );
    let rows = trace.stages.iter().map(|work| {
        vec![
            Cell::text(work.stage.clone()),
            Cell::number(work.chunks),
            Cell::number(work.failed),
            Cell::number(work.calls),
            Cell::text(duration(work.last_at - work.first_at)).right(),
            Cell::code(work.build.clone()),
        ]
    });
    let stages = Table {
        caption: "What each stage did".into(),
        head: vec!["Stage", "Chunks", "Failed", "Calls", "Busy for", "Build"],
        rows: rows.collect(),
        empty: "Nothing was recorded: this pull is of an older build, or its records were deleted.",
    };
    let attempts = trace.attempts.iter().map(|attempt| {
        vec![
            Cell::moment(attempt.began_at),
            Cell::text(attempt.outcome.clone()).tone(Tone::of_status(&attempt.outcome)),
            Cell::text(attempt.by.clone()),
            Cell::text(attempt.from_stage.clone()),
            Cell::text(attempt.error.clone().unwrap_or_default()),
        ]
    });
    let attempts = Table {
        caption: "Each time it was made".into(),
        head: vec!["Began", "Outcome", "By", "From", "Error"],
        rows: attempts.collect(),
        empty: "None.",
    };
    vec![
        Section::new(
            "answer",
            "The pull",
            vec![Block::Text(what), Block::Table(attempts), Block::Table(stages)],
        ),
        steps(&trace.steps),
    ]
}

pub(super) fn of_catalogue(
    what: &str,
    trace: &CatalogueTrace,
    seen: &[Sighting],
    context: &Context<'_>,
) -> Vec<Section> {
    let known = match &trace.known {
        Some((name, at, pull)) => {
            let text = format!("{name}; fetched {}, first through pull {pull}", ago(*at, context.now));
            Cell::text(text).tone(Tone::Good)
        }
        None => Cell::text("Twitch never returned it").tone(Tone::Bad),
    };
    let mut facts = vec![("id", Cell::code(trace.id.clone())), ("known as", known)];
    facts.extend(trace.missing.as_ref().map(|missing| {
        let text = format!(
            "{} when it was asked for {} in a row, first {}, last {}",
            missing.reason,
            count(missing.times, "time"),
            time(missing.first_missed_at),
            time(missing.last_asked_at)
        );
        ("missing", Cell::text(text).tone(Tone::Notice))
    }));
    let rows = seen.iter().map(|sighting| {
        let (pull, chunk) = (sighting.pull_id, sighting.chunk);
        vec![
            Cell::text(pull.to_string()).right().link(format!("/pulls/{pull}")),
            Cell::moment(sighting.pulled_at),
            Cell::code(sighting.stream_id.clone())
                .link(format!("/trace?stream={}&pull={pull}", encoded(&sighting.stream_id))),
            Cell::text(chunk.to_string()).right().link(format!("/pulls/{pull}/chunks/{chunk}")),
            Cell::number(sighting.viewer_count),
            Cell::text(sighting.channel_login.clone()),
            Cell::text(sighting.game_name.clone()),
        ]
    });
    let table = Table {
        caption: format!("Seen, newest first, at most {SIGHTINGS}"),
        head: vec!["Pull", "Pulled", "Stream", "Chunk", "Viewers", "Channel", "Game"],
        rows: rows.collect(),
        empty: "In no pull.",
    };
    vec![Section::new("answer", what, vec![Block::Facts(facts), Block::Table(table)])]
}

pub(super) fn steps(steps: &[TraceStep]) -> Section {
    let rows = steps.iter().take(MOST_STEPS).map(|step| {
        vec![
            Cell::moment(step.at),
            Cell::text(step.stage.clone()),
            Cell::code(step.action.clone()),
            Cell::number(step.attempt),
            Cell::number(step.calls),
            Cell::text(step.detail.clone()),
            Cell::code(step.build.clone().unwrap_or_default()),
        ]
    });
    let table = Table {
        caption: format!("What was done, in order, the first {MOST_STEPS} steps at most"),
        head: vec!["When", "Stage", "Action", "Attempt", "Calls", "Detail", "Build"],
        rows: rows.collect(),
        empty: "Nothing was recorded.",
    };
    Section::new("steps", "What was done", vec![Block::Table(table)])
}

pub(super) fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    first_line(&text, LONGEST_VALUE)
}

pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
