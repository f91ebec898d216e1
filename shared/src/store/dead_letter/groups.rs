//! Table `dead_letter`, by cause.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::{Row, types::ToSql};

use super::filter::{CONDITION, DeadLetterFilter};
use crate::store::{Error, Store, column::Columns};

/// Dead letters of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterGroup {
    /// What they have in common.
    pub fingerprint: String,
    /// The stage that failed.
    pub stage: String,
    /// The failure's class.
    pub class: String,
    /// The failure's code.
    pub code: String,
    /// How many.
    pub letters: i64,
    /// How many of them are held.
    pub held: i64,
    /// When the first failed.
    pub first_failed_at: DateTime<Utc>,
    /// When the last failed.
    pub last_failed_at: DateTime<Utc>,
    /// The number of the newest.
    pub sample: i64,
    /// Its failure in words.
    pub message: String,
    /// Who looks after it.
    pub owner: Option<String>,
    /// What is known about it.
    pub note: Option<String>,
}

/// What is shown of each cause; `part` says how many dead letters of it there are in one state, and which is the newest.
const GROUPS: &str = "select g.fingerprint, s.stage, s.class, s.code, g.letters, g.held, g.first_failed_at, g.last_failed_at,
           g.sample, s.message, n.owner, n.note
    from (select fingerprint, sum(letters)::bigint as letters,
                 coalesce(sum(letters) filter (where state = 'held'), 0)::bigint as held,
                 min(first_failed_at) as first_failed_at, max(last_failed_at) as last_failed_at, max(sample) as sample
          from part group by fingerprint) g
    join dead_letter s on s.id = g.sample
    left join dead_letter_note n on n.fingerprint = g.fingerprint
    order by g.letters desc, g.fingerprint";

impl Store {
    /// The groups of the dead letters meant, the largest first. With `most`, no more than one more than that is counted of
    /// each state and cause, unless the filter is about pulls, times or numbers.
    pub async fn dead_letter_groups(
        &self,
        filter: &DeadLetterFilter,
        most: Option<i64>,
    ) -> Result<Vec<DeadLetterGroup>, Error> {
        let rows = if filter.is_of_causes() {
            self.groups_of_causes(filter, most).await?
        } else {
            self.groups_of_rows(filter).await?
        };
        rows.iter().map(group).collect()
    }

    /// Goes from cause to cause, and counts each along its index. All dead letters of a cause have its stage, class and code.
    async fn groups_of_causes(
        &self,
        filter: &DeadLetterFilter,
        most: Option<i64>,
    ) -> Result<Vec<Row>, Error> {
        let sql = format!(
            "/* groups::of_causes */
            with recursive cause (state, fingerprint) as (
                select s.state, (select min(d.fingerprint) from dead_letter d where d.state = s.state)
                from (select distinct state from unnest($1::text[]) given (state)) s
                union all
                select c.state, (select min(d.fingerprint) from dead_letter d where d.state = c.state and d.fingerprint > c.fingerprint)
                from cause c where c.fingerprint is not null
            ), part as (
                select c.fingerprint, c.state, l.letters, least(oldest.first_failed_at, l.first_failed_at) as first_failed_at,
                       l.last_failed_at, l.sample
                from cause c
                join lateral (
                    select d.stage, d.class, d.code, d.first_failed_at from dead_letter d
                    where d.state = c.state and d.fingerprint = c.fingerprint order by d.id limit 1) oldest on true
                join lateral (
                    select count(*) as letters, min(first_failed_at) as first_failed_at, max(last_failed_at) as last_failed_at,
                           max(id) as sample
                    from (select d.id, d.first_failed_at, d.last_failed_at from dead_letter d
                          where d.state = c.state and d.fingerprint = c.fingerprint order by d.id desc limit $6) newest) l on true
                where c.fingerprint is not null and ($2::text is null or oldest.stage = $2)
                  and ($3::text is null or oldest.class = $3) and ($4::text is null or oldest.code = $4)
                  and ($5::text is null or c.fingerprint = $5 or length($5) < 16 and starts_with(c.fingerprint, $5)))
            {GROUPS}"
        );
        let DeadLetterFilter { stage, class, code, fingerprint, .. } = filter;
        let (states, most) = (filter.states(), most.map(|most| most.saturating_add(1)));
        let parameters: [&(dyn ToSql + Sync); 6] = [&states, stage, class, code, fingerprint, &most];
        Ok(self.client().await?.query(&sql, &parameters).await?)
    }

    async fn groups_of_rows(&self, filter: &DeadLetterFilter) -> Result<Vec<Row>, Error> {
        let sql = format!(
            "/* groups::of_rows */
            with part as (
                select d.fingerprint, d.state, count(*) as letters, min(d.first_failed_at) as first_failed_at,
                       max(d.last_failed_at) as last_failed_at, max(d.id) as sample
                from dead_letter d where {CONDITION} group by d.fingerprint, d.state)
            {GROUPS}"
        );
        let states = filter.states();
        Ok(self.client().await?.query(&sql, &filter.parameters(&states)).await?)
    }
}

fn group(row: &Row) -> Result<DeadLetterGroup, Error> {
    Ok(DeadLetterGroup {
        fingerprint: row.column("fingerprint")?,
        stage: row.column("stage")?,
        class: row.column("class")?,
        code: row.column("code")?,
        letters: row.column("letters")?,
        held: row.column("held")?,
        first_failed_at: row.column("first_failed_at")?,
        last_failed_at: row.column("last_failed_at")?,
        sample: row.column("sample")?,
        message: row.column("message")?,
        owner: row.column("owner")?,
        note: row.column("note")?,
    })
}
