//! Page 8: where a stream, a channel, a game or a pull comes from, or why it is not there.

use serde_json::{Value, json};
use shared::{
    schema::PullId,
    store::{CatalogueTrace, Kind, PullTrace, Sighting, Store, StreamTrace, TraceStep, Whereabouts},
    view::{
        Moment, describe_whereabouts,
        format::{ago, count, duration, first_line, number, time},
    },
};

use super::context::{Context, Found, json_of};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Field, Form, Section, Table, command},
    error::Error,
    route::Filters,
};

/// The newest pulls with a channel or game that are shown.
const SIGHTINGS: i64 = 20;
/// Most steps that are shown.
const MOST_STEPS: usize = 200;
/// Longest value of a field that is shown.
const LONGEST_VALUE: usize = 120;

/// What is to be traced.
pub(super) struct Asked {
    stream: Option<String>,
    channel: Option<String>,
    game: Option<String>,
    pull: Option<i64>,
    chunk: Option<i32>,
    at: Option<String>,
}

impl Asked {
    pub(super) fn parse(filters: &mut Filters) -> Result<Self, Error> {
        let asked = Self {
            stream: filters.take("stream")?,
            channel: filters.take("channel")?,
            game: filters.take("game")?,
            pull: filters.take("pull")?,
            chunk: filters.take("chunk")?,
            at: filters.take("at")?,
        };
        let several =
            [&asked.stream, &asked.channel, &asked.game].iter().filter(|given| given.is_some()).count();
        if several > 1 || (several == 1 && asked.stream.is_none() && asked.pull.is_some()) {
            return Err(Error::BadRequest("Trace one thing: a stream, a channel, a game, or a pull.".into()));
        }
        Ok(asked)
    }

    /// The same as flags of the operator's command.
    fn flags(&self) -> String {
        let (pull, chunk) =
            (self.pull.map(|pull| pull.to_string()), self.chunk.map(|chunk| chunk.to_string()));
        let given = [
            ("stream", &self.stream),
            ("channel", &self.channel),
            ("game", &self.game),
            ("pull", &pull),
            ("chunk", &chunk),
            ("at", &self.at),
        ];
        let plain =
            |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-:.+".contains(letter));
        let given = given
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_deref().filter(|value| plain(value))?)));
        given.map(|(name, value)| format!(" --{name} {value}")).collect::<Vec<_>>().concat()
    }
}

pub(super) async fn find(context: &Context<'_>, asked: Asked) -> Result<Found, Error> {
    let (store, now) = (&context.console.store, context.now);
    let odd = |why: &'static str| Error::BadRequest(format!("The time is not understood: {why}."));
    let moment = asked.at.as_deref().map(str::parse::<Moment>).transpose().map_err(odd)?;
    let at = moment.map(|moment| moment.time(now));
    let mut sections = vec![Section::new("what", "What to trace", vec![Block::Form(form(&asked))])];
    let mut data = Value::Null;
    if let Some(stream) = &asked.stream {
        let pull = match asked.pull {
            Some(pull) => Some(PullId(pull)),
            None => match at {
                Some(at) => store.pull_at(at).await?,
                None => newest_pull(store, stream, context).await?,
            },
        };
        let none = || Error::NotFound("There is no pull to look in.".into());
        let trace = store.trace_stream(pull.ok_or_else(none)?, stream).await?;
        sections.extend(of_stream(&trace));
        data = json_of(&trace);
    } else if let Some(pull) = asked.pull {
        let trace = store.trace_pull(PullId(pull), asked.chunk).await?;
        sections.extend(of_pull(&trace, asked.chunk));
        data = json_of(&trace);
    } else if let Some((kind, what, id)) = asked
        .channel
        .as_ref()
        .map(|id| (Kind::Channel, "Channel", id))
        .or_else(|| asked.game.as_ref().map(|id| (Kind::Game, "Game", id)))
    {
        let known = store.trace_catalogue(kind, id).await?;
        let seen = store.sightings(kind, id, at.unwrap_or(now), SIGHTINGS).await?;
        sections.extend(of_catalogue(what, &known, &seen, context));
        data = json!({ "known": json_of(&known), "sightings": json_of(&seen) });
    }
    if !data.is_null() {
        let commands = vec![("The same as text", command(&format!("trace{}", asked.flags())))];
        sections.push(Section::new("next", "Where to look next", vec![Block::Commands(commands)]));
    }
    Ok(Found { document: Document { title: "Trace".into(), sections }, data })
}

/// The newest pull that has the stream, or else the newest.
async fn newest_pull(store: &Store, stream: &str, context: &Context<'_>) -> Result<Option<PullId>, Error> {
    match store.newest_pull_with(stream, context.now).await? {
        Some(pull) => Ok(Some(pull)),
        None => Ok(store.latest_pull().await?),
    }
}

fn form(asked: &Asked) -> Form {
    let text =
        |name, label, value: &Option<String>| Field::text(name, label, value.clone().unwrap_or_default());
    let pull = asked.pull.map(|pull| pull.to_string());
    Form {
        action: "/trace".into(),
        changes: false,
        danger: false,
        fields: vec![
            text("stream", "Stream", &asked.stream).hint("an id"),
            text("channel", "Channel", &asked.channel).hint("an id"),
            text("game", "Game", &asked.game).hint("an id"),
            text("pull", "Pull", &pull).hint("a number; with a stream, the pull to look in"),
            text("at", "At", &asked.at)
                .hint("2026-01-31T12:00:00Z, or 2h for two hours ago; empty for the newest"),
        ],
        button: "Trace".into(),
    }
}

fn of_stream(trace: &StreamTrace) -> Vec<Section> {
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

fn of_pull(trace: &PullTrace, chunk: Option<i32>) -> Vec<Section> {
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

fn of_catalogue(
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

fn steps(steps: &[TraceStep]) -> Section {
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

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    first_line(&text, LONGEST_VALUE)
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
