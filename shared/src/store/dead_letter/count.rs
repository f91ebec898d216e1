//! How many dead letters there are, for those who only need the number.

use chrono::{DateTime, Utc};

use crate::store::{Error, Store, column::Columns};

impl Store {
    /// How many dead letters are open in each of these queues, or on their way to it. Counted up to `most`; of more, as many as
    /// the finalizers have counted for their alarms, ten seconds ago or less, and counted where they have not.
    pub async fn dead_letters_by_queue(
        &self,
        queues: &[String],
        most: i64,
    ) -> Result<Vec<(String, i64)>, Error> {
        let sql = "/* record::by_queue */
            select q.queue, case when d.dead_letters < $2 then d.dead_letters else coalesce(
                       (select w.letters from alarm_watch w where w.queue = q.queue and w.letters >= $2),
                       (select count(*) from dead_letter d
                        where d.queue = q.queue and d.state in ('dead', 'held', 'replaying'))) end as dead_letters
            from unnest($1::text[]) q (queue)
            join lateral (
                select count(*) as dead_letters from (
                    select from dead_letter d
                    where d.queue = q.queue and d.state in ('dead', 'held', 'replaying') limit $2) counted) d on true";
        let rows = self.client().await?.query(sql, &[&queues, &most]).await?;
        rows.iter().map(|row| Ok((row.column("queue")?, row.column("dead_letters")?))).collect()
    }

    /// How many dead letters of each stage vanished from their queue since a time, and are still gone; the newest `most`.
    pub async fn vanished_dead_letters(
        &self,
        since: DateTime<Utc>,
        most: i64,
    ) -> Result<Vec<(String, i64)>, Error> {
        let sql = "/* record::vanished */
            select stage, count(*) as dead_letters from (
                select stage from dead_letter where state = 'vanished' and state_at >= $1 order by state_at desc limit $2) v
            group by stage order by stage";
        let rows = self.client().await?.query(sql, &[&since, &most]).await?;
        rows.iter().map(|row| Ok((row.column("stage")?, row.column("dead_letters")?))).collect()
    }
}
