//! The search after an erasure: every column of every table as bytes, whatever its type, and what the planner remembers of values.

use std::collections::BTreeSet;

use futures::{TryStreamExt, pin_mut};

use super::{
    super::{Error, Store, column::Columns},
    Places,
    scan::scan,
    table::{Column, Table},
};
use crate::proof::{Found, Holds, Leftovers, Needles, OF_GAMES};

impl Store {
    /// What is left of the channel in a table.
    pub async fn prove_table(&self, table: &Table, needles: &Needles) -> Result<Leftovers, Error> {
        let mut left = Leftovers::default();
        if table.is_subject() {
            return Ok(left);
        }
        let columns: Vec<&Column> = table.columns.iter().collect();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        scan(&transaction, table, &columns, needles, |_, values| {
            for (column, value) in columns.iter().zip(values) {
                let value = value.unwrap_or_default();
                let found = needles.find(&column.name, column.holds, &value);
                left.note(&table.place(column), found.map(|found| of_table(&table.name, found)));
            }
        })
        .await?;
        transaction.commit().await?;
        Ok(left)
    }

    /// What is left of it in the planner's statistics, which hold the most common values of each column.
    pub async fn prove_statistics(&self, needles: &Needles) -> Result<Leftovers, Error> {
        let mut left = Leftovers::default();
        for (table, column, found) in self.statistics(needles).await? {
            left.note(
                &format!("pg_stats.{}.{column}", table.rsplit('.').next().unwrap_or_default()),
                Some(found),
            );
        }
        Ok(left)
    }

    /// Frees what the rewritten tables have of rows as they were, and has the planner forget values that are no more.
    pub async fn vacuum_after_erasure(
        &self,
        tables: &[Table],
        counts: &Places,
        needles: &Needles,
    ) -> Result<(), Error> {
        let is_rewritten =
            |table: &Table| table.columns.iter().any(|column| counts.contains_key(&table.place(column)));
        let mut stale: BTreeSet<String> =
            tables.iter().filter(|table| is_rewritten(table)).map(|table| table.whole.clone()).collect();
        // Of rows that left before, too; and of the lake's catalogue.
        stale.extend(self.statistics(needles).await?.into_iter().map(|(table, ..)| table));
        let client = self.client().await?;
        client.batch_execute("set statement_timeout = 0").await?;
        for table in stale {
            client.batch_execute(&format!("/* prove::vacuum */ vacuum (analyze) {table}")).await?;
        }
        Ok(client.batch_execute("reset statement_timeout").await?)
    }

    /// The tables, as they are written in SQL, and columns of whose values the planner remembers something of the channel.
    async fn statistics(&self, needles: &Needles) -> Result<Vec<(String, String, Found)>, Error> {
        let sql = "/* prove::statistics */
            select format('%I.%I', s.schemaname, s.tablename) as place, s.tablename::text, s.attname::text,
                   coalesce(t.typcategory::text, '') as category,
                   concat_ws(' ', most_common_vals::text, histogram_bounds::text, most_common_elems::text) as known
            from pg_stats s
            left join pg_attribute a on a.attname = s.attname
                and a.attrelid = to_regclass(format('%I.%I', s.schemaname, s.tablename))
            left join pg_type t on t.oid = a.atttypid
            where s.schemaname !~ '^pg_' and s.schemaname <> 'information_schema' and s.tablename <> 'erasure_subject'";
        let client = self.client().await?;
        let none: [&str; 0] = [];
        let rows = client.query_raw(sql, none).await?;
        pin_mut!(rows);
        let mut all = Vec::new();
        while let Some(row) = rows.try_next().await? {
            let (table, name): (&str, &str) = (row.column("tablename")?, row.column("attname")?);
            let known: &str = row.column("known")?;
            let found = needles.find(name, Holds::of(row.column("category")?), known.as_bytes());
            if let Some(found) = found {
                all.push((row.column("place")?, name.to_owned(), of_table(table, found)));
            }
        }
        Ok(all)
    }
}

fn of_table(table: &str, found: Found) -> Found {
    if ["twitch_game", "missing_game"].contains(&table) { Found::Explained(OF_GAMES) } else { found }
}
