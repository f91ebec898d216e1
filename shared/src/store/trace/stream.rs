//! A stream in a pull: its row back to its page, or why it has none.

use std::collections::HashMap;

use deadpool_postgres::ClientWrapper;
use serde_json::{Map, Value};
use tokio_postgres::types::Json;

use super::{
    chunk::steps,
    model::{Absence, Difference, PullFacts, Rejection, StoredStream, StreamTrace, Whereabouts},
    page::KeptPage,
    pull::{facts, pages_there},
};
use crate::{
    schema::{ChunkRef, PullId, Record},
    store::{
        Error, Store,
        column::Columns,
        merge::{self, Channel},
    },
};

impl Store {
    /// Where this stream is in a pull, or why it is not there.
    pub async fn trace_stream(&self, pull: PullId, stream: &str) -> Result<StreamTrace, Error> {
        let client = self.client().await?;
        let pull = facts(&client, pull).await?;
        let row = row(&client, &pull, stream).await?;
        let holding = KeptPage::holding(&client, &pull, stream).await?;
        let page = match &row {
            Some((chunk, _)) => KeptPage::load(&client, &pull, *chunk).await?,
            None => None,
        };
        let page = page.as_ref().or_else(|| holding.iter().find(|page| page.record(stream).is_some()));
        let rejection = holding.iter().find_map(|page| Some((page, rejection(page, stream)?)));
        let (page, whereabouts) = match (row, page, rejection) {
            (None, None, Some((page, rejection))) => (Some(page), Whereabouts::Rejected(rejection)),
            (None, None, None) => {
                let gone = pages_there(&client, &pull).await? < pull.pages;
                let absence = if gone { Absence::PagesGone } else { Absence::of(&pull) };
                (None, Whereabouts::Absent(absence))
            }
            (row, page, _) => (page, Whereabouts::Stored(Box::new(stored(stream, row, page)?))),
        };
        let duplicates = holding.iter().flat_map(|page| {
            let again = page.duplicates.iter().filter(|placed| placed.id == stream);
            again.map(|placed| (page.chunk.chunk, placed.clone()))
        });
        let duplicates = duplicates.collect();
        let steps = steps(&client, &pull, page).await?;
        Ok(StreamTrace { pull, stream_id: stream.to_owned(), whereabouts, duplicates, steps })
    }
}

/// The row of a stream, and its chunk.
async fn row(client: &ClientWrapper, pull: &PullFacts, stream: &str) -> Result<Option<(i32, Value)>, Error> {
    let sql = "/* trace::row */
        select chunk, to_jsonb(d) as row from pull_data d where pull_id = $1 and pulled_at = $2 and stream_id = $3";
    let statement = client.prepare_cached(sql).await?;
    let row = client.query_opt(&statement, &[&pull.pull_id.0, &pull.started_at, &stream]).await?;
    let found = |row: tokio_postgres::Row| {
        let Json(fields) = row.column("row")?;
        Ok((row.column("chunk")?, fields))
    };
    row.map(found).transpose()
}

fn rejection(page: &KeptPage, stream: &str) -> Option<Rejection> {
    let id = format!("\"{stream}\"");
    let reject = page.rejects.iter().find(|reject| reject.raw.get().contains(&id))?;
    Some(Rejection {
        chunk: page.chunk.chunk,
        place: reject.place,
        rule: reject.rule.clone(),
        detail: reject.detail.clone(),
        raw: reject.raw.get().to_owned(),
    })
}

fn stored(stream: &str, row: Option<(i32, Value)>, page: Option<&KeptPage>) -> Result<StoredStream, Error> {
    let record = page.and_then(|page| page.record(stream));
    let (chunk, row) = row.map_or((None, None), |(chunk, row)| (Some(chunk), Some(row)));
    let differences = match (record, &row, page) {
        (Some((record, _)), Some(row), Some(page)) => differences(page.chunk, record, row)?,
        _ => Vec::new(),
    };
    Ok(StoredStream {
        chunk: chunk.or(page.map(|page| page.chunk.chunk)).unwrap_or_default(),
        place: page.and_then(|page| page.place(stream)),
        cursor: page.and_then(|page| page.cursor.clone()),
        revalidated: record.is_some_and(|(_, revalidated)| revalidated),
        fetched: record.map(|(record, _)| serde_json::to_value(record).unwrap_or_default()),
        stored: row,
        differences,
        failure: page.and_then(|page| page.failure.clone()),
    })
}

/// What is stored otherwise than the kept record makes it: it is merged once more, with the game and the channel that the row
/// has, and the two rows are compared column by column. Names that Twitch left empty are the channel's in the row; that, too,
/// is told.
fn differences(chunk: ChunkRef, record: &Record, row: &Value) -> Result<Vec<Difference>, Error> {
    let pages = [(chunk, vec![record.clone()])];
    let (games, channels) = (HashMap::new(), HashMap::<String, Channel>::new());
    let merged = merge::rows(&pages, &games, &channels)?;
    let merged = merged.first().map(serde_json::to_value).transpose();
    let merged = merged.map_err(|source| Error::Page { chunk, source })?.unwrap_or_default();
    let mut differences = Vec::new();
    for (prefix, fetched, stored) in [("", &merged, row), ("data.", &merged["data"], &row["data"])] {
        let empty = Map::new();
        let (fetched, stored) = (fetched.as_object().unwrap_or(&empty), stored.as_object().unwrap_or(&empty));
        for (field, fetched) in fetched {
            let told = stored.get(field).cloned().unwrap_or_default();
            let merged_in = matches!((prefix, field.as_str()), ("", "data") | ("data.", "game" | "channel"));
            if !merged_in && !same(fetched, &told) {
                differences.push(Difference {
                    field: format!("{prefix}{field}"),
                    fetched: fetched.clone(),
                    stored: told,
                });
            }
        }
    }
    Ok(differences)
}

/// Whether two values are the same, or the same moment.
fn same(one: &Value, other: &Value) -> bool {
    let moment = |value: &Value| chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok();
    one == other || matches!((moment(one), moment(other)), (Some(one), Some(other)) if one == other)
}
