//! The tables of `../drill/compare/baseline.sql`, written in one transaction.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
};

use chrono::{DateTime, Utc};
use tokio_postgres::{
    Client, NoTls, Transaction,
    binary_copy::BinaryCopyInWriter,
    types::{Json, Type},
};

use crate::{
    Outcome,
    catalogue::{Catalogue, Item},
    model::{Channel, Document, Game},
    twitch::Found,
};

const COPY: &str =
    "copy pull_data (pull_id, pulled_at, stream_id, chunk, channel_id, channel_login, channel_name, game_id,
     game_name, viewer_count, language, started_at, type, title, tags, is_mature, data) from stdin binary";
const COLUMNS: [Type; 17] = [
    Type::INT8,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::INT4,
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

/// The one connection.
pub(crate) struct Store(Client);

impl Store {
    pub(crate) async fn connect(url: &str) -> Outcome<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(async move {
            // An error ends the connection, and the next statement tells it.
            let _ = connection.await;
        });
        Ok(Self(client))
    }

    /// Which of these ids are known, with what is known; nothing where Twitch has nothing.
    pub(crate) async fn known<T: Item>(&self, ids: &HashSet<&str>) -> Outcome<HashMap<String, Option<T>>> {
        let ids: Vec<&str> = ids.iter().copied().collect();
        let rows = self.0.query(T::KNOWN, &[&ids]).await?;
        rows.iter()
            .map(|row| {
                Ok((row.try_get("id")?, row.try_get::<_, Option<Json<T>>>("data")?.map(|json| json.0)))
            })
            .collect()
    }

    /// Stores the pull and what was learned on its way.
    pub(crate) async fn write(
        &mut self,
        pull_id: i64,
        streams: &[Found],
        games: &Catalogue<Game>,
        channels: &Catalogue<Channel>,
    ) -> Outcome<()> {
        let transaction = self.0.transaction().await?;
        let sql = "update pull set status = 'success' where id = $1 returning started_at";
        let pulled_at: DateTime<Utc> = transaction.query_one(sql, &[&pull_id]).await?.try_get(0)?;
        let rows = pin!(BinaryCopyInWriter::new(transaction.copy_in(COPY).await?, &COLUMNS));
        let mut rows = rows;
        for Found { stream, page } in streams {
            let game_id = Some(stream.game_id.as_str()).filter(|id| !id.is_empty());
            let started_at = DateTime::parse_from_rfc3339(&stream.started_at)?.to_utc();
            let document = Json(Document::join(stream, &games.items, &channels.items));
            rows.as_mut()
                .write(&[
                    &pull_id,
                    &pulled_at,
                    &stream.id,
                    page,
                    &stream.user_id,
                    &stream.user_login,
                    &stream.user_name,
                    &game_id,
                    &stream.game_name,
                    &stream.viewer_count,
                    &stream.language,
                    &started_at,
                    &stream.kind,
                    &stream.title,
                    &stream.tags,
                    &stream.is_mature,
                    &document,
                ])
                .await?;
        }
        rows.finish().await?;
        learn(&transaction, games).await?;
        learn(&transaction, channels).await?;
        Ok(transaction.commit().await?)
    }
}

/// Stores what was not known before.
async fn learn<T: Item>(transaction: &Transaction<'_>, catalogue: &Catalogue<T>) -> Outcome<()> {
    if !catalogue.new.is_empty() {
        let writer = BinaryCopyInWriter::new(transaction.copy_in(T::COPY).await?, &[Type::TEXT, Type::JSONB]);
        let mut rows = pin!(writer);
        for id in &catalogue.new {
            rows.as_mut().write(&[id, &Json(&catalogue.items[id])]).await?;
        }
        rows.finish().await?;
    }
    if !catalogue.missing.is_empty() {
        transaction.execute(T::MISSING, &[&catalogue.missing]).await?;
    }
    Ok(())
}
