//! `operator top`: the flow as it is, again and again. Looks, and declares nothing.

use std::time::Duration;

use clap::Args;
use shared::{
    runtime::Inspection,
    store::Store,
    topology::{EXPORTER, STAGES},
};
use tokio::{signal::ctrl_c, time::sleep};

use super::facts;
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json, output,
    screen::Screen,
    view::{Flow, FlowRates, flow, flow_lines},
};

/// What a program reads.
const JSON: &str = r#"JSON, one document per look: {"at", "troubles": ["…"], "paused": ["…"], "stages": [{"stage", "state", "workers", "ready",
"in_hand", "retrying", "dead", "per_second", "oldest_seconds"}, …], "pulls": [{…}, …], "points_left", "points_limit"}"#;

/// Watch the flow: stages, their queues and workers, pulls under way, and Twitch's point budget
///
/// A screen at a terminal, until Ctrl-C; plain lines elsewhere. "In hand" is what workers hold unacknowledged; "oldest" is how
/// long the first message has been waiting, by the database.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Top {
    /// Time between two looks
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// Look so often, and end; 0 goes on until Ctrl-C
    #[arg(long, value_name = "N", default_value_t = 0)]
    looks: u32,
}

impl Top {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.store()?;
        context.broker.url()?;
        let mut screen = if context.output.json { None } else { Screen::open() };
        let watching = self.watch(context, &store, screen.as_mut());
        let watched = tokio::select! {
            () = watching => Exit::Success,
            _ = ctrl_c() => Exit::Success,
        };
        drop(screen);
        Ok(watched)
    }

    async fn watch(&self, context: &Context, store: &Store, mut screen: Option<&mut Screen>) {
        let (mut broker, mut rates) = (None, FlowRates::default());
        for look in 1.. {
            let flow = look_once(context, store, &mut broker, &mut rates).await;
            match &mut screen {
                _ if context.output.json => output::print(&output::to_json(&json::Flow::from(flow))),
                Some(screen) => screen.draw(&self::flow(&flow, Screen::columns())),
                None => output::print(flow_lines(&flow).trim_end()),
            }
            if look == self.looks {
                break;
            }
            sleep(self.every).await;
        }
    }
}

/// One look. The connection with the broker is kept, and made again after trouble.
async fn look_once(
    context: &Context,
    store: &Store,
    broker: &mut Option<Inspection>,
    rates: &mut FlowRates,
) -> Flow {
    let depths = async {
        let inspection = match broker.take() {
            Some(inspection) => inspection,
            None => context.inspect().await?,
        };
        let depths = inspection.depths().await?;
        *broker = Some(inspection);
        Ok(depths)
    };
    let facts = facts::gather(context, store, depths).await;
    let mut oldest = Vec::new();
    if facts.database_trouble.is_none() {
        for stage in STAGES {
            let first = store.queued(stage.name, 1).await.unwrap_or_default();
            oldest.extend(first.first().map(|queued| (stage.name, queued.since())));
        }
        let unexported = store.oldest_unexported(context.clock.now()).await.unwrap_or_default();
        oldest.extend(unexported.map(|since| (EXPORTER.info().name, since)));
    }
    Flow::new(&facts, &oldest, rates, context.clock.now())
}
