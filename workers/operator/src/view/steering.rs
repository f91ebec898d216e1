//! What people have ordered, and what waits for a stage.

use chrono::{DateTime, Utc};
use serde_json::Value;
use shared::{
    schema::{ChannelsFilled, ChunkStored, GamesFilled, PullRequested},
    store::{Queued, RetryRow},
    topology::{Announcement, CHANNEL_ENRICHER, EXTRACTOR, FINALIZER, GAME_ENRICHER},
};

use super::{
    format::{ago, count, first_line, short_time},
    table::Table,
};

/// A message that waits for a stage.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    /// Its name.
    pub(crate) message_id: String,
    /// Its kind.
    pub(crate) kind: &'static str,
    /// What it is about.
    pub(crate) queued: Queued,
    /// Its body.
    pub(crate) body: Value,
    /// Its retry, if it failed before.
    pub(crate) retry: Option<RetryRow>,
}

impl Waiting {
    /// The message about `stage`'s work, with what is known of its retries.
    pub(crate) fn new(stage: &str, queued: Queued, retries: &[RetryRow]) -> Self {
        let Announcement { id, kind, body, .. } = match &queued {
            Queued::Pull(pull_id, _) => EXTRACTOR.request(&PullRequested { pull_id: *pull_id }),
            Queued::Chunk(chunk, _) if stage == GAME_ENRICHER.info().name => {
                GAME_ENRICHER.request(&ChunkStored(*chunk))
            }
            Queued::Chunk(chunk, _) if stage == CHANNEL_ENRICHER.info().name => {
                CHANNEL_ENRICHER.request(&GamesFilled(*chunk))
            }
            Queued::Chunk(chunk, _) => FINALIZER.request(&ChannelsFilled(*chunk)),
        };
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let retry = retries.iter().find(|retry| retry.stage == stage && retry.message_id == id).cloned();
        Self { message_id: id, kind, queued, body, retry }
    }
}

/// What waits for a stage, the next first.
pub(crate) fn waiting(stage: &str, messages: &[Waiting], now: DateTime<Utc>) -> String {
    if messages.is_empty() {
        return format!("nothing waits for the {stage}");
    }
    let mut table = Table::new(&["MESSAGE", "WAITING SINCE", ">ATTEMPTS", "AGAIN AT", "~LAST FAILURE"]);
    for message in messages {
        let retry = message.retry.as_ref();
        table.row([
            message.message_id.clone(),
            ago(message.queued.since(), now),
            retry.map(|retry| retry.attempts.to_string()).unwrap_or_default(),
            retry.map(|retry| short_time(retry.retry_at, now)).unwrap_or_default(),
            retry.map(|retry| first_line(&retry.message, 200)).unwrap_or_default(),
        ]);
    }
    format!("{table}{} wait for the {stage}, or are in a worker's hand\n", count(messages.len(), "message"))
}
