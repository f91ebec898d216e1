//! `operator events`.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, builder::PossibleValuesParser};
use shared::{
    store::{EventFilter, EventRow, Store},
    view::Moment,
};

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    output::{print, to_json},
    pull_ref::PullRef,
    view,
};

/// How often somebody who follows is told of what is new.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// Events are written down within seconds of when they were seen, by clocks that differ a little.
const LATE: TimeDelta = TimeDelta::minutes(2);

/// What a program reads.
const JSON: &str = r#"JSON: one document per line: {"first_at", "last_at", "count", "level", "stage", "code", "pull_id",
"chunk", "message", "trace", "build", "host", "fingerprint"}, the latest last; with --follow an event that is
seen again is printed again, with its new count. Times are UTC, RFC 3339"#;

/// Show warnings and errors of all workers
///
/// Events of one cause and pull are one row per day, with their count. What a worker could not write down while
/// PostgreSQL was unavailable follows when it is back.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Events {
    /// Seen since this time: 2026-01-31T12:00:00Z, or 24h for so long ago
    #[arg(long, value_name = "TIME", default_value = "24h")]
    since: Moment,
    /// The least level
    #[arg(long, value_name = "LEVEL", default_value = "warn", value_parser = PossibleValuesParser::from(["warn", "error"]))]
    level: String,
    /// About this pull, by number or `latest`
    #[arg(long, value_name = "PULL")]
    pull: Option<PullRef>,
    /// The newest N
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// Go on with what comes, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
}

impl Events {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let now = context.clock.now();
        let pull_id = match self.pull {
            Some(pull) => Some(context.resolve(&store, pull).await?.0),
            None => None,
        };
        let since = self.since.time(now);
        let filter = EventFilter { since, errors_only: self.level == "error", pull_id, limit: self.limit };
        if self.follow {
            return follow(context, &store, filter).await;
        }
        let events = store.events(filter).await?;
        context.output.list(events, json::Event::from, |events| view::events(events, now));
        Ok(Exit::Success)
    }
}

/// Prints what there is, and then what is new, until told to stop.
async fn follow(context: &Context, store: &Store, mut filter: EventFilter) -> Result<Exit, Error> {
    // How often each was seen when it was printed: one that is seen again is printed again.
    let mut printed: HashMap<(String, DateTime<Utc>), i64> = HashMap::new();
    loop {
        let now = context.clock.now();
        for event in store.events(filter).await? {
            let before = printed.insert((event.fingerprint.clone(), event.first_at), event.count);
            if before != Some(event.count) {
                print(&line(context, event, now));
            }
        }
        filter.since = filter.since.max(now - LATE);
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Success),
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
        }
    }
}

fn line(context: &Context, event: EventRow, now: DateTime<Utc>) -> String {
    if context.output.json { to_json(&json::Event::from(event)) } else { view::event_line(&event, now) }
}
