//! What a pull shows at a glance: its most watched games and languages.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Row;

use super::{Error, PullReport, Store, column::Columns};

/// Streams that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Top {
    /// What they have in common: a game's name, or a language.
    pub name: String,
    /// How many streams.
    pub streams: i64,
    /// Their viewers.
    pub viewers: i64,
}

impl Store {
    /// The most watched games of a pull, of its merged chunks, at most `limit`.
    pub async fn top_games(&self, pull: &PullReport, limit: i64) -> Result<Vec<Top>, Error> {
        let sql = "/* top::games */
            select game_name as name, count(*) as streams, sum(viewer_count) as viewers
            from pull_data where pull_id = $1 and pulled_at = $2 group by game_name order by 3 desc, 1 limit $3";
        self.top(sql, pull.pull_id.0, pull.started_at, limit).await
    }

    /// The most watched languages of a pull, of its merged chunks, at most `limit`.
    pub async fn top_languages(&self, pull: &PullReport, limit: i64) -> Result<Vec<Top>, Error> {
        let sql = "/* top::languages */
            select language as name, count(*) as streams, sum(viewer_count) as viewers
            from pull_data where pull_id = $1 and pulled_at = $2 group by language order by 3 desc, 1 limit $3";
        self.top(sql, pull.pull_id.0, pull.started_at, limit).await
    }

    async fn top(&self, sql: &str, pull: i64, at: DateTime<Utc>, limit: i64) -> Result<Vec<Top>, Error> {
        let rows = self.client().await?.query(sql, &[&pull, &at, &limit]).await?;
        let top = |row: &Row| {
            Ok(Top {
                name: row.column("name")?,
                streams: row.column("streams")?,
                viewers: row.column("viewers")?,
            })
        };
        rows.iter().map(top).collect()
    }
}
