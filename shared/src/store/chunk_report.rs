//! Table `pull_chunk`, as a person asks about it: the map of a pull's chunks, and one chunk in full.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Row;

use super::{
    Error, RejectedRecord, RetryRow, Store, column::Columns, pull, rejected::rejected_record,
    worker_state::retry,
};
use crate::schema::{ChunkRef, PullId};

/// How far a chunk has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is whether one stage has done something")]
pub struct ChunkState {
    /// Its number.
    pub chunk: i32,
    /// Whether its games are filled.
    pub games: bool,
    /// Whether its channels are filled.
    pub channels: bool,
    /// Whether it is merged.
    pub merged: bool,
    /// Whether a stage gave up on it.
    pub failed: bool,
    /// Records rejected.
    pub rejected: i32,
}

/// A chunk in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChunkReport {
    /// Its pull.
    pub pull_id: i64,
    /// When its pull was started.
    pub pulled_at: DateTime<Utc>,
    /// Its number.
    pub chunk: i32,
    /// Records that Twitch sent.
    pub fetched: i32,
    /// Streams stored.
    pub stored: i32,
    /// Records rejected.
    pub rejected: i32,
    /// Records whose stream the pull had.
    pub duplicates: i32,
    /// Calls to Helix for its games and channels.
    pub helix_calls: i32,
    /// When its page was stored.
    pub stored_at: DateTime<Utc>,
    /// When its games were filled.
    pub games_at: Option<DateTime<Utc>>,
    /// When its channels were filled.
    pub channels_at: Option<DateTime<Utc>>,
    /// When it was merged.
    pub merged_at: Option<DateTime<Utc>>,
    /// The stage that gave up on it last.
    pub failed_stage: Option<String>,
    /// When.
    pub failed_at: Option<DateTime<Utc>>,
    /// Why.
    pub failure: Option<String>,
}

/// A stored stream of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChunkStream {
    /// Its id.
    pub stream_id: String,
    /// The channel's login, as Twitch sent it.
    pub channel_login: String,
    /// The game's name, as Twitch sent it.
    pub game_name: String,
    /// Viewers.
    pub viewer_count: i32,
    /// The language.
    pub language: String,
    /// The title.
    pub title: String,
    /// Whether it is merged with its game and channel.
    pub merged: bool,
}

impl Store {
    /// How far the chunks of a pull have come: at most `limit` of them, from number `from` on, in order.
    pub async fn chunk_states(&self, pull: PullId, from: i32, limit: i64) -> Result<Vec<ChunkState>, Error> {
        let sql = "/* chunk_report::chunk_states */
            select chunk, games_at is not null as games, channels_at is not null as channels,
                   merged_at is not null as merged, failed_stage is not null as failed, rejected
            from pull_chunk where pull_id = $1 and pulled_at = $2 and chunk >= $3 order by chunk limit $4";
        let client = self.client().await?;
        let pulled_at = pull::started_at(&client, pull).await?;
        let rows = client.query(sql, &[&pull.0, &pulled_at, &from, &limit]).await?;
        let state = |row: &Row| {
            Ok(ChunkState {
                chunk: row.column("chunk")?,
                games: row.column("games")?,
                channels: row.column("channels")?,
                merged: row.column("merged")?,
                failed: row.column("failed")?,
                rejected: row.column("rejected")?,
            })
        };
        rows.iter().map(state).collect()
    }

    /// A chunk in full; [`Error::NoPull`] and [`Error::NoChunk`] where it is not there.
    pub async fn chunk_report(&self, pull: PullId, chunk: i32) -> Result<ChunkReport, Error> {
        let sql = "/* chunk_report::chunk_report */
            select pull_id, pulled_at, chunk, fetched, stored, rejected, duplicates, helix_calls, stored_at, games_at,
                   channels_at, merged_at, failed_stage, failed_at, failure
            from pull_chunk where pull_id = $1 and pulled_at = $2 and chunk = $3";
        let client = self.client().await?;
        let pulled_at = pull::started_at(&client, pull).await?;
        let row = client.query_opt(sql, &[&pull.0, &pulled_at, &chunk]).await?;
        let row = row.ok_or(Error::NoChunk(ChunkRef { pull_id: pull, pulled_at, chunk }))?;
        Ok(ChunkReport {
            pull_id: row.column("pull_id")?,
            pulled_at: row.column("pulled_at")?,
            chunk: row.column("chunk")?,
            fetched: row.column("fetched")?,
            stored: row.column("stored")?,
            rejected: row.column("rejected")?,
            duplicates: row.column("duplicates")?,
            helix_calls: row.column("helix_calls")?,
            stored_at: row.column("stored_at")?,
            games_at: row.column("games_at")?,
            channels_at: row.column("channels_at")?,
            merged_at: row.column("merged_at")?,
            failed_stage: row.column("failed_stage")?,
            failed_at: row.column("failed_at")?,
            failure: row.column("failure")?,
        })
    }

    /// The stored streams of a chunk, merged or not, the most viewers first.
    pub async fn chunk_streams(&self, chunk: &ChunkReport) -> Result<Vec<ChunkStream>, Error> {
        let sql = "/* chunk_report::chunk_streams */
            select stream_id, channel_login, game_name, viewer_count, language, title, merged
            from pull_stream where pull_id = $1 and pulled_at = $2 and chunk = $3
            order by viewer_count desc, stream_id";
        let client = self.client().await?;
        let rows = client.query(sql, &[&chunk.pull_id, &chunk.pulled_at, &chunk.chunk]).await?;
        let stream = |row: &Row| {
            Ok(ChunkStream {
                stream_id: row.column("stream_id")?,
                channel_login: row.column("channel_login")?,
                game_name: row.column("game_name")?,
                viewer_count: row.column("viewer_count")?,
                language: row.column("language")?,
                title: row.column("title")?,
                merged: row.column("merged")?,
            })
        };
        rows.iter().map(stream).collect()
    }

    /// The rejected records of a chunk, in the order of its page.
    pub async fn chunk_rejects(&self, chunk: &ChunkReport) -> Result<Vec<RejectedRecord>, Error> {
        let sql = "/* chunk_report::chunk_rejects */
            select pull_id, chunk, place, rule, detail, raw_text from rejected_record
            where pull_id = $1 and pulled_at = $2 and chunk = $3 order by place";
        let client = self.client().await?;
        let rows = client.query(sql, &[&chunk.pull_id, &chunk.pulled_at, &chunk.chunk]).await?;
        rows.iter().map(rejected_record).collect()
    }

    /// The messages about a chunk that failed and are retried.
    pub async fn chunk_retries(&self, pull: PullId, chunk: i32) -> Result<Vec<RetryRow>, Error> {
        let sql = "/* chunk_report::chunk_retries */
            select stage, message_id, pull_id, chunk, attempts, code, message, first_failed_at, last_failed_at, retry_at
            from stage_retry where pull_id = $1 and chunk = $2 order by stage limit 20";
        let rows = self.client().await?.query(sql, &[&pull.0, &chunk]).await?;
        rows.iter().map(retry).collect()
    }

    /// The numbers of the newest dead letters about a chunk, in every state, at most 20.
    pub async fn chunk_dead_letters(&self, pull: PullId, chunk: i32) -> Result<Vec<i64>, Error> {
        let sql = "/* chunk_report::chunk_dead_letters */
            select id from dead_letter where pull_id = $1 and chunk = $2 order by id desc limit 20";
        let rows = self.client().await?.query(sql, &[&pull.0, &chunk]).await?;
        rows.iter().map(|row| row.column("id")).collect()
    }
}
