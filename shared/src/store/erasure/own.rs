//! What the database knows the channel by, and what is of no use without it.

use super::super::{Error, Store, column::Columns};
use crate::schema::ChannelId;

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

    /// Gives up the claims on the channel, with which replicas do not ask for it twice.
    pub async fn forget_claims(&self, channel: &ChannelId) -> Result<(), Error> {
        let sql = "/* own::forget_claims */ delete from helix_claim where kind = 'channel' and id = $1";
        self.client().await?.execute(sql, &[&channel.as_str()]).await?;
        Ok(())
    }
}
