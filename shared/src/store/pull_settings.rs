//! Column `pull.settings`: what a pull was fetched with, so that it can be told when the settings are others.

use serde::{Deserialize, Serialize};
use tokio_postgres::types::Json;

use super::{Error, Store, column::Columns};
use crate::schema::PullId;

/// The settings of the extractor that fetched a pull's first page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullSettings {
    /// Streams with fewer viewers were rejected.
    pub min_viewers: i32,
    /// Most pages; 0 for no cap.
    pub max_pages: i32,
    /// Whether the list was left at the first page that ends below `min_viewers`.
    pub stop_below_min_viewers: bool,
    /// Languages that were fetched side by side; none where it was one list of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub side_by_side: Vec<String>,
    /// When pulls were started, in words.
    pub schedule: String,
    /// The extractor's build.
    pub build: String,
}

impl Store {
    /// When pulls are started, in the words of the extractor that fetched the newest one which the schedule has started.
    pub async fn latest_schedule(&self) -> Result<Option<String>, Error> {
        let sql = "/* pull_settings::latest_schedule */
            select settings->>'schedule' as schedule from pull
            where slot is not null and settings is not null order by slot desc limit 1";
        let client = self.client().await?;
        let row = client.query_opt(&client.prepare_cached(sql).await?, &[]).await?;
        row.map(|row| row.column("schedule")).transpose().map(Option::flatten)
    }

    /// Notes what a pull is fetched with, unless that is known.
    pub async fn note_settings(&self, pull: PullId, settings: &PullSettings) -> Result<(), Error> {
        let sql =
            "/* pull_settings::note */ update pull set settings = $2 where id = $1 and settings is null";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        client.execute(&statement, &[&pull.0, &Json(settings)]).await?;
        Ok(())
    }
}
