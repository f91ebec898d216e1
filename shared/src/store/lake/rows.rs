//! What a pull puts into the lake: its rows, in the order of the lake's columns.

use std::pin::Pin;

use chrono::{DateTime, Utc};
use deadpool::managed::Object;
use futures::{StreamExt, TryStreamExt, stream::Fuse};
use tokio_postgres::{RowStream, types::ToSql};

use crate::{
    lake::{Column, Kind, Row, Table, Value},
    schema::{PullClosed, PullId},
    store::{Error, Store, column::Columns, session::Sessions},
};

const PULL: &str = "/* lake::rows, pull */
    select id as pull_id, started_at as pulled_at, slot, requested_by, extracted_at, completed_at, stop_reason, whole, pages,
           fetched, stored, rejected, duplicates, games_added, games_missing, channels_filled, channels_missing, helix_calls
    from pull where id = $1 and started_at = $2";

const STREAM_PEEK: &str = "/* lake::rows, stream_peek */
    select pull_id, pulled_at, chunk, stream_id, channel_id, channel_login, channel_name, game_id, game_name, viewer_count,
           language, started_at, type, title, tags, is_mature, data->>'thumbnail_url' as thumbnail_url
    from pull_data where pull_id = $1 and pulled_at = $2
    order by channel_id collate \"C\", pulled_at, stream_id collate \"C\"";

const GAME: &str = "/* lake::rows, game */
    select distinct on (g.id collate \"C\") pull_id, pulled_at, g.id as game_id, g.name, g.box_art_url, g.igdb_id
    from pull_data cross join lateral jsonb_to_record(data->'game') as g (id text, name text, box_art_url text, igdb_id text)
    where pull_id = $1 and pulled_at = $2 and jsonb_typeof(data->'game') = 'object'
    order by g.id collate \"C\", stream_id collate \"C\"";

const CHANNEL: &str = "/* lake::rows, channel */
    select distinct on (c.id collate \"C\") pull_id, pulled_at, c.id as channel_id, c.login, c.display_name, c.broadcaster_type,
           c.description, c.profile_image_url, c.offline_image_url, c.view_count, c.created_at
    from pull_data cross join lateral jsonb_to_record(data->'channel') as c (
        id text, login text, display_name text, broadcaster_type text, description text, profile_image_url text,
        offline_image_url text, view_count bigint, created_at timestamptz)
    where pull_id = $1 and pulled_at = $2 and jsonb_typeof(data->'channel') = 'object'
    order by c.id collate \"C\", stream_id collate \"C\"";

/// The rows of a pull for one table of the lake, as they come from PostgreSQL.
pub struct LakeRows {
    table: &'static Table,
    /// Fused: asked once more after its end, it would say that the session is lost.
    answer: Pin<Box<Fuse<RowStream>>>,
    /// The session that answers: nobody else has it meanwhile.
    _session: Object<Sessions>,
}

impl LakeRows {
    /// The next rows, at most so many; none where there are no more.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        while rows.len() < most
            && let Some(found) = self.answer.try_next().await?
        {
            rows.push(
                self.table.columns.iter().map(|column| value(&found, column)).collect::<Result<_, _>>()?,
            );
        }
        Ok(rows)
    }
}

impl Store {
    /// The rows of a completed pull for a table of the lake, sorted as the table wants them.
    pub async fn lake_rows(&self, table: &'static Table, pull: &PullClosed) -> Result<LakeRows, Error> {
        let sql = match table.name {
            "pull" => PULL,
            "stream_peek" => STREAM_PEEK,
            "game" => GAME,
            _ => CHANNEL,
        };
        let session = self.client().await?;
        let statement = session.prepare_cached(sql).await?;
        let (PullId(id), pulled_at): (PullId, DateTime<Utc>) = (pull.pull_id, pull.started_at);
        let parameters: [&(dyn ToSql + Sync); 2] = [&id, &pulled_at];
        let answer = Box::pin(session.query_raw(&statement, parameters).await?.fuse());
        Ok(LakeRows { table, answer, _session: session })
    }
}

fn value(row: &tokio_postgres::Row, column: &Column) -> Result<Value, Error> {
    let name = column.name;
    let value = match column.kind {
        Kind::Int32 => row.column::<Option<i32>>(name)?.map(|number| Value::Int(number.into())),
        Kind::Int64 => row.column::<Option<i64>>(name)?.map(Value::Int),
        Kind::Boolean => row.column::<Option<bool>>(name)?.map(Value::Bool),
        Kind::Time => row.column::<Option<DateTime<Utc>>>(name)?.map(Value::Time),
        Kind::Text(_) => row.column::<Option<String>>(name)?.map(Value::Text),
        Kind::Texts(_) => row.column::<Option<Vec<String>>>(name)?.map(Value::Texts),
    };
    Ok(value.unwrap_or(Value::Null))
}
