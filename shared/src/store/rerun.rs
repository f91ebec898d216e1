//! Table `pull_rerun`: pulls made again from their stored pages.

use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::{Error, Store, column::Columns};
use crate::{
    schema::{ChunkRef, PullId},
    version::VERSION,
};

/// Where a pull begins again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RerunFrom {
    /// With the games.
    Games,
    /// With the channels.
    Channels,
    /// With the merge: nothing is asked of Twitch.
    Merge,
}

impl RerunFrom {
    /// The stage, as the database names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Games => "game-enricher",
            Self::Channels => "channel-enricher",
            Self::Merge => "finalizer",
        }
    }
}

/// A pull that goes through its stages again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rerun {
    /// The pull.
    pub pull_id: PullId,
    /// The first stage that runs again.
    pub from_stage: &'static str,
    /// The build that asks for it.
    pub build: &'static str,
    /// What the pull was before.
    pub was_status: String,
    /// When it had come to its end.
    pub was_completed_at: Option<DateTime<Utc>>,
    /// The build that had brought it to its success; none where it never had any, or before this was kept.
    pub was_build: Option<String>,
    /// Chunks that lack games now.
    #[serde(skip)]
    pub without_games: Vec<ChunkRef>,
    /// Chunks that have games and lack channels.
    #[serde(skip)]
    pub without_channels: Vec<ChunkRef>,
    /// Chunks that have both and are to be merged.
    #[serde(skip)]
    pub unmerged: Vec<ChunkRef>,
}

impl Rerun {
    /// How many chunks run again.
    pub fn chunks(&self) -> usize {
        self.without_games.len() + self.without_channels.len() + self.unmerged.len()
    }
}

impl Store {
    /// Puts a pull that has come to its end back before stage `from`, and returns its chunks by what they lack now. What
    /// is announced of them may get lost: a pull without progress is announced again by the finalizer's watch.
    ///
    /// # Errors
    /// [`Error::UnderWay`] where it has not ended, [`Error::Unfetched`] where its pages were not all fetched, and
    /// [`Error::PagesGone`] where they are not all there any more. Nothing is changed then.
    pub async fn rerun(
        &self,
        pull: PullId,
        from: RerunFrom,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Rerun, Error> {
        let build = VERSION;
        let lock = "/* rerun::lock */
            select started_at, status, extracted_at is not null as extracted, completed_at, build, chunks
            from pull where id = $1 for no key update";
        let lock_chunks = "/* rerun::lock_chunks */
            select from pull_chunk
            where pull_id = $1 and pulled_at = $2 and (page is not null or page_jsonb is not null)
            order by chunk for no key update";
        let chunks = "/* rerun::chunks */
            update pull_chunk
            set games_at = case when not $3 then games_at end, games_missing = case when not $3 then games_missing end,
                channels_at = case when not $4 then channels_at end,
                channels_filled = case when not $4 then channels_filled end,
                channels_missing = case when not $4 then channels_missing end,
                merged_at = null, failed_stage = null, failed_at = null, failure = null
            where pull_id = $1 and pulled_at = $2
            returning chunk, games_at is not null as games, channels_at is not null as channels";
        let reopen = "/* rerun::reopen */
            update pull
            set status = 'filling-games', completed_at = null, cancelled_at = null, error = null, games_added = null, games_missing = null,
                channels_filled = null, channels_missing = null, rescues = 0, rescued_at = $2
            where id = $1";
        let note = "/* rerun::note */
            insert into pull_rerun (pull_id, at, by, from_stage, build, was_status, was_completed_at, was_build)
            values ($1, $2, $3, $4, $5, $6, $7, $8)";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let row = transaction.query_opt(lock, &[&pull.0]).await?.ok_or(Error::NoPull(pull))?;
        let (pulled_at, was_status): (DateTime<Utc>, String) =
            (row.column("started_at")?, row.column("status")?);
        if !matches!(was_status.as_str(), "success" | "failed") {
            return Err(Error::UnderWay { pull, status: was_status });
        }
        if !row.column::<bool>("extracted")? {
            return Err(Error::Unfetched(pull));
        }
        let there = transaction.execute(lock_chunks, &[&pull.0, &pulled_at]).await?;
        let (known, there) =
            (i64::from(row.column::<i32>("chunks")?), i64::try_from(there).unwrap_or(i64::MAX));
        if known != there {
            return Err(Error::PagesGone { pull, known, there });
        }
        let mut rerun = Rerun {
            pull_id: pull,
            from_stage: from.as_str(),
            build,
            was_status,
            was_completed_at: row.column("completed_at")?,
            was_build: row.column("build")?,
            without_games: Vec::new(),
            without_channels: Vec::new(),
            unmerged: Vec::new(),
        };
        let games = from == RerunFrom::Games;
        let channels = games || from == RerunFrom::Channels;
        for row in transaction.query(chunks, &[&pull.0, &pulled_at, &games, &channels]).await? {
            let chunk = ChunkRef { pull_id: pull, pulled_at, chunk: row.column("chunk")? };
            match (row.column("games")?, row.column("channels")?) {
                (false, _) => rerun.without_games.push(chunk),
                (true, false) => rerun.without_channels.push(chunk),
                (true, true) => rerun.unmerged.push(chunk),
            }
        }
        transaction.execute(reopen, &[&pull.0, &now]).await?;
        let before = (&rerun.was_status, &rerun.was_completed_at, &rerun.was_build);
        transaction
            .execute(note, &[&pull.0, &now, &by, &from.as_str(), &build, before.0, before.1, before.2])
            .await?;
        transaction.commit().await?;
        Ok(rerun)
    }
}
