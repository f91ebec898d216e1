//! Page 8: where a stream, a channel, a game or a pull comes from, or why it is not there.

use serde_json::{Value, json};
use shared::{
    schema::PullId,
    store::{Kind, Store},
    view::Moment,
};

use super::context::{Context, Found, json_of};
use super::trace_sections::{SIGHTINGS, of_catalogue, of_pull, of_stream};
use crate::{
    document::{Block, Document, Field, Form, Section, command},
    error::Error,
    route::Filters,
};

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
        let plain = |text: &str| {
            text.chars()
                .all(|dead_letter| dead_letter.is_ascii_alphanumeric() || "-:.+".contains(dead_letter))
        };
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
