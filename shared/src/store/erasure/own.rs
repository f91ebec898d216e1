//! Rows of the channel itself: in every table with a `channel_id`, by that id.

use std::collections::BTreeMap;

use super::super::{Error, Store, column::Columns};
use crate::{
    schema::ChannelId,
    scrub::{Own, Scrubber, own_column},
};

/// Tables with one row for the channel, which is deleted.
const FORGOTTEN: [&str; 2] = ["twitch_channel", "missing_channel"];

impl Store {
    /// The names by which the channel is known, or was.
    pub async fn channel_names(&self, channel: &ChannelId) -> Result<Vec<String>, Error> {
        let known = "/* own::names */
            select unnest(array[login, display_name]) as name from twitch_channel where channel_id = $1";
        let seen = "/* own::names_seen */
            select distinct unnest(array[channel_login, channel_name]) as name
            from pull_data where pulled_at > '-infinity' and channel_id = $1";
        // Of chunks that are not merged yet.
        let waiting = "/* own::names_waiting */
            select distinct unnest(array[record->>'user_login', record->>'user_name']) as name
            from pull_chunk c, json_array_elements(coalesce(c.page, c.page_jsonb::json)) record
            where c.pulled_at > '-infinity' and c.merged_at is null and $1 = any(c.channel_ids)
              and record->>'user_id' = $1";
        let client = self.client().await?;
        let mut names = Vec::new();
        for sql in [known, seen, waiting] {
            for row in client.query(sql, &[&channel.as_str()]).await? {
                names.extend(row.column::<Option<String>>("name")?);
            }
        }
        Ok(names)
    }

    /// Gives the rows of the channel pseudonyms, and empties what was written in its name. Each table, and each partition, is a
    /// transaction of its own.
    pub async fn erase_own_rows(&self, channel: &ChannelId, scrubber: &Scrubber) -> Result<(), Error> {
        let sql = "/* own::tables */
            select format('%I.%I', n.nspname, c.relname) as place, a.attname as column_name
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
            where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'lake')
              and pg_has_role(c.relowner, 'usage') and c.relname <> all ($1)
              and exists (select from pg_attribute id where id.attrelid = c.oid and id.attname = 'channel_id'
                  and not id.attisdropped and format_type(id.atttypid, null) = 'text')";
        let mut tables: BTreeMap<String, Vec<(String, Own)>> = BTreeMap::new();
        for row in self.client().await?.query(sql, &[&FORGOTTEN.as_slice()]).await? {
            let name: String = row.column("column_name")?;
            if let Some(own) = own_column(&name) {
                tables.entry(row.column("place")?).or_default().push((name, own));
            }
        }
        for (table, columns) in tables {
            self.erase_own_rows_of(&table, &columns, channel, scrubber).await?;
        }
        Ok(())
    }

    async fn erase_own_rows_of(
        &self,
        table: &str,
        columns: &[(String, Own)],
        channel: &ChannelId,
        scrubber: &Scrubber,
    ) -> Result<(), Error> {
        let stream = if columns.iter().any(|(name, _)| name == "stream_id") { "stream_id" } else { "null" };
        let find = format!(
            "/* own::find */ select ctid::text as place, {stream}::text as stream from {table} where channel_id = $1
             for no key update"
        );
        let set: Vec<String> = columns
            .iter()
            .map(|(name, own)| match own {
                Own::Pseudonym if name == "stream_id" => "stream_id = new.stream".to_owned(),
                Own::Pseudonym => format!("{name} = $3"),
                Own::Text(text) => format!("{name} = '{text}'"),
                Own::Empty => format!("{name} = '{{}}'"),
            })
            .collect();
        let rewrite = format!(
            "/* own::rewrite */
            update {table} t set {} from unnest($1::text[], $2::text[]) as new (place, stream)
            where t.ctid = new.place::tid and t.channel_id = $4",
            set.join(", ")
        );
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        // Where there is no index on the column, it reads the whole table.
        transaction.batch_execute("set local statement_timeout = 0").await?;
        let rows = transaction.query(&find, &[&channel.as_str()]).await?;
        let (mut places, mut streams) = (Vec::new(), Vec::new());
        for row in &rows {
            places.push(row.column::<String>("place")?);
            streams.push(row.column::<Option<String>>("stream")?.map(|stream| scrubber.pseudonym(&stream)));
        }
        let pseudonym = scrubber.pseudonym(channel.as_str());
        transaction.execute(&rewrite, &[&places, &streams, &pseudonym, &channel.as_str()]).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Deletes what is known of the channel itself.
    pub async fn forget_channel(&self, channel: &ChannelId) -> Result<(), Error> {
        let client = self.client().await?;
        for table in FORGOTTEN {
            let sql = format!("/* own::forget */ delete from {table} where channel_id = $1");
            client.execute(&sql, &[&channel.as_str()]).await?;
        }
        Ok(())
    }
}
