//! `operator trace`.

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};
use shared::{
    schema::PullId,
    store::{Kind, Store},
    view::Moment,
};

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    pull_ref::PullRef,
    view::{self, format::time},
};

/// The newest pulls with a channel or game that are shown.
const SIGHTINGS: i64 = 10;

/// What a program reads.
const JSON: &str = r#"JSON: of a stream {"stream_id", "whereabouts", "chunk", "place", "cursor", "revalidated", "fetched", "stored",
"differences": [{"field", "fetched", "stored"}, …], "rejection", "duplicates", "steps": [{"at", "stage", "action",
"attempt", "calls", "detail", "build"}, …], "pull"}; "whereabouts" is stored, rejected, below-min-viewers, not-listed,
page-cap, cursor-loop, pull-failed, under-way or pages-gone. Of a pull {"pull", "attempts", "stages", "steps"}. Of a
channel or game {"id", "name", "fetched_at", "first_pull_id", "missing", "sightings"}. Times are UTC, RFC 3339"#;

/// Explain where a row comes from, or why a stream is not there
///
/// A stream leads back to its pull, page, place on the page, and to what each stage did, with attempts and builds;
/// what Twitch said stands beside what is stored. Without --at or --pull it is looked for in the newest pull that
/// has it.
#[derive(Debug, Args)]
#[command(after_long_help = JSON, group = ArgGroup::new("what").required(true).multiple(true).args(["stream", "channel", "game", "pull"]))]
pub(crate) struct Trace {
    /// A stream, by its id
    #[arg(long, value_name = "ID", conflicts_with_all = ["channel", "game"])]
    stream: Option<String>,
    /// A channel, by its id
    #[arg(long, value_name = "ID", conflicts_with_all = ["game", "pull"])]
    channel: Option<String>,
    /// A game, by its id
    #[arg(long, value_name = "ID", conflicts_with = "pull")]
    game: Option<String>,
    /// A pull, by number or `latest`; with --stream, the pull to look in
    #[arg(long, value_name = "PULL")]
    pull: Option<PullRef>,
    /// A chunk of the pull
    #[arg(long, value_name = "N", requires = "pull", conflicts_with = "stream")]
    chunk: Option<i32>,
    /// As it was at this time: 2026-01-31T12:00:00Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME", conflicts_with = "pull")]
    at: Option<Moment>,
}

impl Trace {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let now = context.clock.now();
        let at = self.at.map(|at| at.time(now));
        let pull = match self.pull {
            Some(pull) => Some(context.resolve(&store, pull).await?),
            None => None,
        };
        if let Some(stream) = &self.stream {
            let pull = match pull {
                Some(pull) => pull,
                None => pull_of(&store, stream, at, now).await?,
            };
            let trace = store.trace_stream(pull, stream).await?;
            context.output.result(trace, json::StreamTrace::from, |trace| view::stream_trace(trace, now));
        } else if let Some(pull) = pull {
            let trace = store.trace_pull(pull, self.chunk).await?;
            context
                .output
                .result(trace, json::PullTrace::from, |trace| view::pull_trace(trace, self.chunk, now));
        } else {
            let (kind, what, id) = match (self.channel, self.game) {
                (Some(channel), _) => (Kind::Channel, "Channel", channel),
                (None, game) => (Kind::Game, "Game", game.unwrap_or_default()),
            };
            let known = store.trace_catalogue(kind, &id).await?;
            let sightings = store.sightings(kind, &id, at.unwrap_or(now), SIGHTINGS).await?;
            let text = |(known, sightings): &(_, Vec<_>)| view::catalogue_trace(what, known, sightings, now);
            context.output.result((known, sightings), json::CatalogueTrace::from, text);
        }
        Ok(Exit::Success)
    }
}

/// The pull to look in: the one of that time; without a time the newest that has the stream, or else the newest.
async fn pull_of(
    store: &Store,
    stream: &str,
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<PullId, Error> {
    if let Some(at) = at {
        let none = || Error::Failed(format!("there was no pull before {}", time(at)));
        return store.pull_at(at).await?.ok_or_else(none);
    }
    match store.newest_pull_with(stream, now).await? {
        Some(pull) => Ok(pull),
        None => store.latest_pull().await?.ok_or(Error::NoPulls),
    }
}
