//! Days of a partitioned table: which may go, and how one leaves without anybody waiting for it.
//!
//! `detach … concurrently` takes no lock that hinders a reader or a writer; it waits for the transactions that have used the
//! table before. Where one of them stays for longer than the lock timeout, the partition is left half detached, which
//! PostgreSQL knows and everybody can live with: the next run finishes it. A detached day is marked before, so that it is
//! dropped even if whoever detached it died, and a table that somebody else has detached to keep it is left alone.

use chrono::{DateTime, Days, NaiveTime, Utc};

use super::{
    super::{Error, Store, column::Columns},
    lake,
};

/// The comment on a partition that is on its way out.
const MARK: &str = "to be dropped by retention";

/// A day of a partitioned table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDay {
    /// Its table, as it is written in SQL.
    pub table: String,
    /// When it begins.
    pub from: DateTime<Utc>,
    /// Its size on disk, indexes included.
    pub bytes: i64,
    /// How far it is on its way out.
    pub leaving: Leaving,
    /// Why it has to stay; none where it may go.
    pub kept: Option<String>,
}

/// How far a day is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It is a partition like any other.
    Attached,
    /// Detaching it was begun, and waits for transactions of before.
    Pending,
    /// It is a table of its own.
    Detached,
}

impl Store {
    /// The days of `table`, oldest first. Those that end by `cutoff` are examined: a day has to stay while a pull of it is under way, an open
    /// dead letter is about one, or, with `in_lake`, the lake lacks one.
    pub async fn stored_days(
        &self,
        table: &str,
        cutoff: Option<DateTime<Utc>>,
        in_lake: bool,
    ) -> Result<Vec<StoredDay>, Error> {
        let sql = "/* days::stored */
            select format('%I.%I', n.nspname, c.relname) as name, to_date(right(c.relname, 8), 'YYYYMMDD') as day,
                   pg_total_relation_size(c.oid) as bytes, i.inhrelid is not null as attached,
                   coalesce(i.inhdetachpending, false) as pending
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = to_regclass($1)
            where n.nspname = current_schema() and c.relkind = 'r' and c.relname ~ ('^' || $1 || '_[0-9]{8}$')
              and (i.inhrelid is not null or obj_description(c.oid, 'pg_class') = $2)
            order by day";
        let client = self.client().await?;
        let mut days = Vec::new();
        for row in client.query(sql, &[&table, &MARK]).await? {
            let day: chrono::NaiveDate = row.column("day")?;
            let from = day.and_time(NaiveTime::MIN).and_utc();
            let to = from + Days::new(1);
            let leaving = match (row.column("attached")?, row.column("pending")?) {
                (true, true) => Leaving::Pending,
                (true, false) => Leaving::Attached,
                (false, _) => Leaving::Detached,
            };
            let mut day = StoredDay {
                table: row.column("name")?,
                from,
                bytes: row.column("bytes")?,
                leaving,
                kept: None,
            };
            if leaving == Leaving::Attached && cutoff.is_some_and(|cutoff| to <= cutoff) {
                day.kept = kept_back(&client, from, to, in_lake).await?;
            }
            days.push(day);
        }
        Ok(days)
    }

    /// Begins, or goes on, to take a day out of its table.
    ///
    /// # Errors
    /// Of class contention where a transaction of before is still open: the next run goes on.
    pub async fn detach_day(&self, table: &str, day: &StoredDay) -> Result<(), Error> {
        let client = self.client().await?;
        let name = &day.table;
        match day.leaving {
            Leaving::Detached => return Ok(()),
            Leaving::Pending => {
                let finalize =
                    format!("/* days::finalize */ alter table {table} detach partition {name} finalize");
                client.batch_execute(&finalize).await?;
            }
            Leaving::Attached => {
                client
                    .batch_execute(&format!("/* days::mark */ comment on table {name} is '{MARK}'"))
                    .await?;
                let detach =
                    format!("/* days::detach */ alter table {table} detach partition {name} concurrently");
                client.batch_execute(&detach).await?;
            }
        }
        Ok(())
    }

    /// Drops a day of a table with a default partition, which cannot give it up concurrently, if it is empty. Returns whether.
    ///
    /// # Errors
    /// Of class contention where the table's lock is not to be had at once: writers wait behind whoever waits for it.
    pub async fn drop_empty_day(&self, table: &str, day: &StoredDay) -> Result<bool, Error> {
        let name = &day.table;
        let empty = format!("/* days::is_empty */ select not exists (select from {name}) as empty");
        let lock = format!(
            "/* days::lock */ set local lock_timeout = '100ms'; lock table only {table} in access exclusive mode"
        );
        let drop = format!("/* days::drop_empty */ drop table {name}");
        let mut client = self.client().await?;
        if !client.query_one(&empty, &[]).await?.column("empty")? {
            return Ok(false);
        }
        let transaction = client.transaction().await?;
        transaction.batch_execute(&lock).await?;
        // Somebody may have written to it just now.
        let empty = transaction.query_one(&empty, &[]).await?.column("empty")?;
        if empty {
            transaction.batch_execute(&drop).await?;
        }
        transaction.commit().await?;
        Ok(empty)
    }

    /// Drops a day that is detached.
    pub async fn drop_day(&self, day: &StoredDay) -> Result<(), Error> {
        let drop = format!("/* days::drop */ drop table if exists {}", day.table);
        Ok(self.client().await?.batch_execute(&drop).await?)
    }

    /// Whether this user may take days out of tables: it has to own them.
    pub async fn owns_tables(&self) -> Result<bool, Error> {
        let sql = "/* days::owns_tables */
            select bool_and(pg_has_role(relowner, 'usage')) as may from pg_class
            where oid in ('pull_chunk'::regclass, 'pull_data'::regclass)";
        self.client().await?.query_one(sql, &[]).await?.column("may")
    }
}

/// Why the day from `from` to `to` has to stay.
async fn kept_back(
    client: &deadpool_postgres::ClientWrapper,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    in_lake: bool,
) -> Result<Option<String>, Error> {
    let sql = "/* days::kept_back */
        select count(*) filter (where status not in ('success', 'failed')) as under_way,
               count(*) filter (where exists (select from dead_letter d
                   where d.pull_id = p.id and d.state in ('dead', 'held', 'replaying'))) as with_dead_letters
        from pull p where started_at >= $1 and started_at < $2";
    let row = client.query_one(sql, &[&from, &to]).await?;
    let mut reasons = vec![
        (row.column::<i64>("under_way")?, "under way"),
        (row.column::<i64>("with_dead_letters")?, "with open dead letters"),
    ];
    if in_lake {
        reasons.push((lake::lacks(client, from, to).await?, "not in the lake"));
    }
    let told: Vec<String> = reasons
        .into_iter()
        .filter(|(pulls, _)| *pulls > 0)
        .map(|(pulls, why)| format!("{pulls} {} {why}", if pulls == 1 { "pull" } else { "pulls" }))
        .collect();
    Ok((!told.is_empty()).then(|| told.join(", ")))
}
