//! `operator dead-letters show`.

use clap::Args;
use shared::{
    schema::PullId,
    store::{DeadLetterDetails as DeadLetter, Store},
};

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    view::{self, DeadLetterDetails},
};

/// The most replays that are traced back.
const MOST_FORMER: usize = 20;

/// What a program reads.
const JSON: &str = r#"JSON: the dead letter as in `list`, and {"letter", "causes", "host", "message_id", "kind", "properties",
"held_until", "replay_of", "events": [{"at", "by", "event", "detail"}, …], "body" (base64),
"former": [{"id", "state", "code", …}, …], "pull_status"}"#;

/// Show a dead letter in full: why it failed, headers, body, history, origin
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Show {
    /// The dead letter's number
    #[arg(value_name = "ID")]
    id: i64,
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let dead_letter = find(&store, self.id).await?;
        let pull_status = match dead_letter.row.pull_id {
            Some(pull) => store.pull_report(PullId(pull)).await.ok().map(|pull| pull.status),
            None => None,
        };
        let former = former(&store, &dead_letter).await?;
        let details = DeadLetterDetails { dead_letter, former, pull_status };
        let now = context.clock.now();
        context
            .output
            .result(details, json::DeadLetterDetails::from, |details| view::dead_letter(details, now));
        Ok(Exit::Success)
    }
}

/// The dead letter of that number.
pub(super) async fn find(store: &Store, id: i64) -> Result<DeadLetter, Error> {
    store.dead_letter(id).await?.ok_or_else(|| {
        Error::Failed(format!("there is no dead letter {id}: `operator dead-letters list` lists them"))
    })
}

/// What it was before its replays, the latest first.
async fn former(store: &Store, dead_letter: &DeadLetter) -> Result<Vec<DeadLetter>, Error> {
    let mut former = Vec::new();
    let mut before = dead_letter.replay_of;
    while let Some(id) = before.filter(|_| former.len() < MOST_FORMER) {
        let Some(dead_letter) = store.dead_letter(id).await? else { break };
        before = dead_letter.replay_of;
        former.push(dead_letter);
    }
    Ok(former)
}
