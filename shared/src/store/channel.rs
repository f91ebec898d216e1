//! Table `twitch_channel`: what an answer of Twitch taught us of channels.
//!
//! Channels that nobody knows are copied, of those that are as they were only the time is written, and the few that have
//! changed are written over: the row of a channel is what a pull of new channels costs most after its own rows.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::{
    Row,
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};

use super::{Error, Kind, Store, catalogue::keep_missing, column::Columns, copy::keep_copied};
use crate::schema::{Channel, ChunkRef, Missing};

/// The columns, in the order in which [`copy`] writes them, and their types.
const COLUMNS: &str =
    "channel_id, login, display_name, profile_image_url, offline_image_url, view_count, broadcaster_type,
    description, created_at, fetched_at, first_pull_id";
const TYPES: [Type; 11] = [
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::INT8,
];

impl Store {
    /// Keeps the answer to a question for channels; see [`Store::keep_games`].
    pub async fn keep_channels<'a>(
        &self,
        found: impl IntoIterator<Item = &'a Channel> + Send,
        missing: &[Missing],
        seen: ChunkRef,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let mut found: Vec<&Channel> = found.into_iter().collect();
        found.sort_unstable_by_key(|channel| &channel.id);
        found.dedup_by_key(|channel| &channel.id);
        let kept = self.keep_sorted(found, missing, seen, now).await;
        self.ending_frozen_copies(kept).await
    }

    async fn keep_sorted(
        &self,
        found: Vec<&Channel>,
        missing: &[Missing],
        seen: ChunkRef,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let mut client = self.client().await?;
        let mut transaction = client.transaction().await?;
        if !found.is_empty() {
            let (mut new, mut changed, mut same) = (Vec::new(), Vec::new(), Vec::new());
            let known = known(&transaction, &found).await?;
            for channel in found {
                match known.binary_search_by_key(&channel.id.as_str(), |(id, _)| id.as_str()) {
                    Ok(place) if known[place].1.describes(channel) => same.push(channel.id.as_str()),
                    Ok(_) => changed.push(channel),
                    Err(_) => new.push(channel),
                }
            }
            touch(&transaction, &same, now).await?;
            if !copy(&mut transaction, &new, seen, now).await? {
                changed.append(&mut new);
                changed.sort_unstable_by_key(|channel| &channel.id);
            }
            write_over(&transaction, &changed, seen, now).await?;
        }
        keep_missing(&transaction, Kind::Channel, missing, now).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// A row as it is.
struct Known(Row);

impl Known {
    /// Whether it says what Twitch says.
    fn describes(&self, channel: &Channel) -> bool {
        let same = |name, value: &str| self.0.column(name).is_ok_and(|known: &str| known == value);
        same("login", &channel.login)
            && same("display_name", &channel.display_name)
            && same("profile_image_url", &channel.profile_image_url)
            && same("offline_image_url", &channel.offline_image_url)
            && same("broadcaster_type", &channel.broadcaster_type)
            && same("description", &channel.description)
            && self.0.column("view_count").is_ok_and(|known: i64| known == channel.view_count)
            && self.0.column("created_at").is_ok_and(|known: Option<_>| known == channel.created_at)
    }
}

/// Locks those of the channels that are known, and returns them in the order of their ids. None of them is missing.
async fn known(transaction: &Transaction<'_>, found: &[&Channel]) -> Result<Vec<(String, Known)>, Error> {
    let sql = "/* channel::known */
        with found_again as (delete from missing_channel where channel_id = any($1::text[]))
        select channel_id, login, display_name, profile_image_url, offline_image_url, view_count, broadcaster_type,
               description, created_at
        from twitch_channel where channel_id = any($1::text[]) order by channel_id for no key update";
    let ids: Vec<&str> = found.iter().map(|channel| channel.id.as_str()).collect();
    let statement = transaction.prepare_cached(sql).await?;
    let rows = transaction.query(&statement, &[&ids]).await?;
    rows.into_iter().map(|row| Ok((row.column("channel_id")?, Known(row)))).collect()
}

/// Notes that known channels are as they were.
async fn touch(transaction: &Transaction<'_>, ids: &[&str], now: DateTime<Utc>) -> Result<(), Error> {
    let sql =
        "/* channel::touch */ update twitch_channel set fetched_at = $2 where channel_id = any($1::text[])";
    if !ids.is_empty() {
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, &[&ids, &now]).await?;
    }
    Ok(())
}

/// Writes channels that nobody knew; false, with nothing written, where somebody else has learned of one meanwhile.
async fn copy(
    transaction: &mut Transaction<'_>,
    channels: &[&Channel],
    seen: ChunkRef,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    if channels.is_empty() {
        return Ok(true);
    }
    let sql = format!("/* channel::copy */ copy twitch_channel ({COLUMNS}) from stdin (format binary)");
    let savepoint = transaction.savepoint("copy").await?;
    let statement = savepoint.prepare_cached(&sql).await?;
    let writer = BinaryCopyInWriter::new(savepoint.copy_in(&statement).await?, &TYPES);
    let mut writer = std::pin::pin!(writer);
    let copying = async {
        for channel in channels {
            let (id, broadcaster) = (channel.id.as_str(), &channel.broadcaster_type);
            let row: [&(dyn ToSql + Sync); 11] = [
                &id,
                &channel.login,
                &channel.display_name,
                &channel.profile_image_url,
                &channel.offline_image_url,
                &channel.view_count,
                broadcaster,
                &channel.description,
                &channel.created_at,
                &now,
                &seen.pull_id.0,
            ];
            writer.as_mut().write(&row).await?;
        }
        writer.as_mut().finish().await
    };
    let copied = copying.await;
    keep_copied(savepoint, copied).await
}

/// Writes channels, over those that are there.
async fn write_over(
    transaction: &Transaction<'_>,
    channels: &[&Channel],
    seen: ChunkRef,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = format!(
        "/* channel::write_over */
        insert into twitch_channel ({COLUMNS})
        select id, login, display_name, profile_image_url, offline_image_url, view_count, broadcaster_type, description,
               created_at, $10, $11
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
                    $9::timestamptz[])
             as channel (id, login, display_name, profile_image_url, offline_image_url, view_count, broadcaster_type,
                         description, created_at)
        order by id
        on conflict (channel_id) do update
        set login = excluded.login, display_name = excluded.display_name,
            profile_image_url = excluded.profile_image_url, offline_image_url = excluded.offline_image_url,
            view_count = excluded.view_count, broadcaster_type = excluded.broadcaster_type,
            description = excluded.description, created_at = excluded.created_at, fetched_at = excluded.fetched_at"
    );
    if channels.is_empty() {
        return Ok(());
    }
    let texts = |of: fn(&Channel) -> &str| channels.iter().map(|channel| of(channel)).collect::<Vec<&str>>();
    let views: Vec<i64> = channels.iter().map(|channel| channel.view_count).collect();
    let created: Vec<Option<DateTime<Utc>>> = channels.iter().map(|channel| channel.created_at).collect();
    let statement = transaction.prepare_cached(&sql).await?;
    let values: [&(dyn ToSql + Sync); 11] = [
        &texts(|channel| channel.id.as_str()),
        &texts(|channel| &channel.login),
        &texts(|channel| &channel.display_name),
        &texts(|channel| &channel.profile_image_url),
        &texts(|channel| &channel.offline_image_url),
        &views,
        &texts(|channel| &channel.broadcaster_type),
        &texts(|channel| &channel.description),
        &created,
        &now,
        &seen.pull_id.0,
    ];
    transaction.execute(&statement, &values).await?;
    Ok(())
}
