//! Writing rows of `pull_data`: by one COPY, or over those that are there.

use deadpool_postgres::Transaction;
use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    types::{Json, Type},
};

use super::row::MergedRow;
use crate::store::{Error, copy::keep_copied};

/// The columns, in the order in which [`copy`] writes them, and their types.
const COLUMNS: &str =
    "pull_id, pulled_at, chunk, stream_id, channel_id, channel_login, channel_name, game_id, game_name,
    viewer_count, language, started_at, type, title, tags, is_mature, data";
const TYPES: [Type; 17] = [
    Type::INT8,
    Type::TIMESTAMPTZ,
    Type::INT4,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT_ARRAY,
    Type::BOOL,
    Type::JSONB,
];

/// Writes the rows; false, with nothing written, where one of them is there already.
pub(super) async fn copy(transaction: &mut Transaction<'_>, rows: &[MergedRow<'_>]) -> Result<bool, Error> {
    let sql = format!("/* merge::copy */ copy pull_data ({COLUMNS}) from stdin (format binary)");
    let savepoint = transaction.savepoint("copy").await?;
    let statement = savepoint.prepare_cached(&sql).await?;
    let writer = BinaryCopyInWriter::new(savepoint.copy_in(&statement).await?, &TYPES);
    let mut writer = std::pin::pin!(writer);
    let copying = async {
        for row in rows {
            writer
                .as_mut()
                .write(&[
                    &row.pull_id,
                    &row.pulled_at,
                    &row.chunk,
                    &row.stream_id,
                    &row.channel_id,
                    &row.channel_login,
                    &row.channel_name,
                    &row.game_id,
                    &row.game_name,
                    &row.viewer_count,
                    &row.language,
                    &row.started_at,
                    &row.kind,
                    &row.title,
                    &row.tags,
                    &row.is_mature,
                    &Json(&row.data),
                ])
                .await?;
        }
        writer.as_mut().finish().await
    };
    let copied = copying.await;
    keep_copied(savepoint, copied).await
}

/// Writes the rows, over those that are there.
pub(super) async fn insert(transaction: &Transaction<'_>, rows: &[MergedRow<'_>]) -> Result<(), Error> {
    let sql = format!(
        "/* merge::insert */
        insert into pull_data ({COLUMNS})
        select {COLUMNS} from jsonb_to_recordset($1) as row (
            pull_id bigint, pulled_at timestamptz, chunk int, stream_id text, channel_id text, channel_login text,
            channel_name text, game_id text, game_name text, viewer_count int, language text, started_at timestamptz,
            type text, title text, tags text[], is_mature bool, data jsonb)
        on conflict (pull_id, stream_id, pulled_at) do update
        set data = excluded.data, channel_login = excluded.channel_login, channel_name = excluded.channel_name"
    );
    let statement = transaction.prepare_cached(&sql).await?;
    transaction.execute(&statement, &[&Json(rows)]).await?;
    Ok(())
}
