//! The search after an erasure: every column of every table as bytes, whatever its type, and what the planner remembers of values.

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
        let sql = "/* prove::statistics */
            select s.tablename::text, s.attname::text, t.typcategory::text as category,
                   concat_ws(' ', most_common_vals::text, histogram_bounds::text, most_common_elems::text) as known
            from pg_stats s
            left join pg_attribute a on a.attname = s.attname
                and a.attrelid = to_regclass(format('%I.%I', s.schemaname, s.tablename))
            left join pg_type t on t.oid = a.atttypid
            where s.schemaname !~ '^pg_' and s.schemaname <> 'information_schema'";
        let mut left = Leftovers::default();
        let client = self.client().await?;
        let none: [&str; 0] = [];
        let rows = client.query_raw(sql, none).await?;
        pin_mut!(rows);
        while let Some(row) = rows.try_next().await? {
            let (table, name): (&str, &str) = (row.column("tablename")?, row.column("attname")?);
            let known: &str = row.column("known")?;
            let holds = Holds::of(row.column::<Option<&str>>("category")?.unwrap_or_default());
            if table != "erasure_subject" {
                let found = needles.find(name, holds, known.as_bytes());
                left.note(&format!("pg_stats.{table}.{name}"), found.map(|found| of_table(table, found)));
            }
        }
        Ok(left)
    }

    /// Frees what the rewritten tables have of rows as they were, and has the planner forget their values.
    pub async fn vacuum_after_erasure(&self, tables: &[Table], counts: &Places) -> Result<(), Error> {
        let is_rewritten =
            |table: &Table| table.columns.iter().any(|column| counts.contains_key(&table.place(column)));
        let mut whole: Vec<&str> =
            tables.iter().filter(|table| is_rewritten(table)).map(|table| table.whole.as_str()).collect();
        whole.sort_unstable();
        whole.dedup();
        let client = self.client().await?;
        client.batch_execute("set statement_timeout = 0").await?;
        for table in whole {
            client.batch_execute(&format!("/* prove::vacuum */ vacuum (analyze) {table}")).await?;
        }
        Ok(client.batch_execute("reset statement_timeout").await?)
    }
}

fn of_table(table: &str, found: Found) -> Found {
    if ["twitch_game", "missing_game"].contains(&table) { Found::Explained(OF_GAMES) } else { found }
}
