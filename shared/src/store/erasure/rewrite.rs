//! Rows without the channel: each table is read once, and the rows that have something of it are written anew.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::{
    super::{Error, Store},
    Places,
    record::note_progress,
    scan::{Values, scan},
    table::{Column, Kind, Table},
};
use crate::{
    proof::Needles,
    scrub::{Own, Scrubber, own_column},
};

/// Most rows rewritten by one statement.
const BATCH: usize = 200;
/// Tables with one row for the channel, which is deleted.
const FORGOTTEN: [&str; 2] = ["twitch_channel", "missing_channel"];

/// What an erasure takes out.
#[derive(Debug, Clone, Copy)]
pub struct Rewrite<'a> {
    /// Knows the channel as far as it is to be rewritten.
    pub scrubber: &'a Scrubber,
    /// Knows it in every form.
    pub needles: &'a Needles,
}

/// A row that has something of the channel.
struct Changed {
    place: String,
    /// By the column's place: what it was, and what it becomes.
    values: BTreeMap<usize, (String, String)>,
    is_forgotten: bool,
}

impl Store {
    /// Counts the rows of a table that have something of the channel, by column. Changes nothing.
    pub async fn count_in_table(&self, table: &Table, rewrite: Rewrite<'_>) -> Result<Places, Error> {
        let mut counts = Places::new();
        if table.is_rewritten {
            let mut client = self.client().await?;
            let transaction = client.transaction().await?;
            count(table, &changed(&transaction, table, rewrite).await?, &mut counts);
            transaction.commit().await?;
        }
        Ok(counts)
    }

    /// Takes the channel out of a table, and adds how many rows of each column that were to `counts`, which the erasure notes in
    /// the same transaction.
    pub async fn rewrite_table(
        &self,
        table: &Table,
        rewrite: Rewrite<'_>,
        erasure: i64,
        counts: &mut Places,
    ) -> Result<(), Error> {
        if !table.is_rewritten {
            return Ok(());
        }
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let rows = changed(&transaction, table, rewrite).await?;
        if rows.is_empty() {
            return Ok(transaction.commit().await?);
        }
        let mut so_far = counts.clone();
        count(table, &rows, &mut so_far);
        let (forgotten, rest): (Vec<Changed>, Vec<Changed>) =
            rows.into_iter().partition(|row| row.is_forgotten);
        for batch in rest.chunks(BATCH) {
            write(&transaction, table, batch).await?;
        }
        let forgotten: Vec<&str> = forgotten.iter().map(|row| row.place.as_str()).collect();
        let forget = format!(
            "/* rewrite::forget */ delete from {} where ctid = any ($1::text[]::tid[]) and channel_id = $2",
            table.sql
        );
        if !forgotten.is_empty() {
            transaction.execute(&forget, &[&forgotten, &rewrite.scrubber.id()]).await?;
        }
        note_progress(&transaction, erasure, &so_far).await?;
        transaction.commit().await?;
        *counts = so_far;
        Ok(())
    }
}

/// The rows of a table that change.
async fn changed(
    transaction: &Transaction<'_>,
    table: &Table,
    Rewrite { scrubber, needles }: Rewrite<'_>,
) -> Result<Vec<Changed>, Error> {
    let columns: Vec<&Column> = table.columns.iter().filter(|column| column.kind.is_some()).collect();
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    scan(transaction, table, &columns, needles, |place, values| {
        let own = is_own(&columns, &values, scrubber);
        let is_forgotten = own && FORGOTTEN.contains(&table.name.as_str());
        let values: BTreeMap<usize, (String, String)> = columns
            .iter()
            .zip(&values)
            .enumerate()
            .filter_map(|(at, (column, value))| {
                let value = value.as_deref()?;
                let new = without(column, value, own, scrubber)?;
                let old =
                    if column.is_bytes { hex(value) } else { String::from_utf8_lossy(value).into_owned() };
                (new != old).then_some((at, (old, new)))
            })
            .collect();
        if !values.is_empty() {
            rows.push(Changed { place: place.to_owned(), values, is_forgotten });
        }
    })
    .await?;
    Ok(rows)
}

/// Whether a row is the channel's own.
fn is_own(columns: &[&Column], values: &Values<'_>, scrubber: &Scrubber) -> bool {
    columns.iter().zip(values).any(|(column, value)| {
        column.name == "channel_id" && value.as_deref().is_some_and(|value| value == scrubber.id().as_bytes())
    })
}

/// A value without the channel; none where it has nothing of it.
fn without(column: &Column, value: &[u8], own: bool, scrubber: &Scrubber) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let own = if own { own_column(&column.name) } else { None };
    match (own, column.kind?) {
        (Some(Own::Pseudonym), _) => Some(scrubber.pseudonym(&text)),
        (Some(Own::Text(text)), _) => Some(text.to_owned()),
        (Some(Own::Empty), _) => Some("[]".to_owned()),
        (None, Kind::Text) => scrubber.text(&column.name, &text),
        (None, Kind::Json | Kind::Jsonb | Kind::Texts) => {
            let mut json = serde_json::from_str(&text).ok()?;
            scrubber.json(&column.name, &mut json).then(|| json.to_string())
        }
        (None, Kind::Bytes) => scrubber.body(value).map(|body| hex(&body)),
    }
}

fn count(table: &Table, rows: &[Changed], counts: &mut Places) {
    let columns: Vec<&Column> = table.columns.iter().filter(|column| column.kind.is_some()).collect();
    for at in rows.iter().flat_map(|row| row.values.keys()) {
        *counts.entry(table.place(columns[*at])).or_default() += 1;
    }
}

/// Writes rows anew that are as they were read.
async fn write(transaction: &Transaction<'_>, table: &Table, rows: &[Changed]) -> Result<(), Error> {
    let columns: Vec<&Column> = table.columns.iter().filter(|column| column.kind.is_some()).collect();
    let mut written: Vec<usize> = rows.iter().flat_map(|row| row.values.keys().copied()).collect();
    written.sort_unstable();
    written.dedup();
    let places: Vec<&str> = rows.iter().map(|row| row.place.as_str()).collect();
    let arrays: Vec<Vec<Option<&str>>> = written
        .iter()
        .flat_map(|at| {
            let values = || rows.iter().map(|row| row.values.get(at));
            let old = values().map(|value| value.map(|(old, _)| old.as_str())).collect();
            [old, values().map(|value| value.map(|(_, new)| new.as_str())).collect()]
        })
        .collect();
    let (mut set, mut unchanged) = (Vec::new(), Vec::new());
    let (mut types, mut names) = (vec!["$1::text[]".to_owned()], vec!["place".to_owned()]);
    for (n, at) in written.iter().enumerate() {
        let column = columns[*at];
        let Some(kind) = column.kind else { continue };
        set.push(format!(
            "{0} = case when new.new_{n} is null then t.{0} else {1} end",
            column.sql,
            kind.write(&format!("new.new_{n}"))
        ));
        unchanged.push(format!("(new.old_{n} is null or {} = new.old_{n})", column.read("t")));
        types.extend([format!("${}::text[]", 2 * n + 2), format!("${}::text[]", 2 * n + 3)]);
        names.extend([format!("old_{n}"), format!("new_{n}")]);
    }
    let sql = format!(
        "/* rewrite::write */ update {} t set {} from unnest({}) as new ({}) where t.ctid = new.place::tid and {}",
        table.sql,
        set.join(", "),
        types.join(", "),
        names.join(", "),
        unchanged.join(" and ")
    );
    let parameters: Vec<&(dyn ToSql + Sync)> = std::iter::once(&places as &(dyn ToSql + Sync))
        .chain(arrays.iter().map(|array| array as _))
        .collect();
    transaction.execute(&sql, &parameters).await?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
