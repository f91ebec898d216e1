//! Columns that can hold a text, searched and rewritten one by one.

use std::fmt::Write;

use futures::{StreamExt, pin_mut};
use tokio_postgres::types::ToSql;

use super::super::{Error, Store, column::Columns};
use crate::scrub::Scrubber;

/// Most rows rewritten by one statement.
const BATCH: usize = 200;

/// Tables that hold nothing of a channel: games, migrations, and what is sealed.
const NOT_SEARCHED: [&str; 5] =
    ["_sqlx_migrations", "helix_token", "helix_claim", "twitch_game", "missing_game"];

/// A column of a table, or of one partition of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextColumn {
    /// The table, as it is written in SQL; a partition where there are any.
    table: String,
    /// The column, as it is written in SQL.
    column: String,
    /// What people call the table, whatever the partition.
    table_name: String,
    name: String,
    kind: Kind,
}

/// How a column's value is read as a text, and written from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Json,
    Jsonb,
    Texts,
    Bytes,
}

impl Kind {
    fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "text" | "character varying" => Self::Text,
            "json" => Self::Json,
            "jsonb" => Self::Jsonb,
            "text[]" | "character varying[]" => Self::Texts,
            "bytea" => Self::Bytes,
            _ => return None,
        })
    }

    /// The value as a text.
    fn read(self, column: &str) -> String {
        match self {
            Self::Text | Self::Json | Self::Jsonb => format!("{column}::text"),
            Self::Texts => format!("to_json({column})::text"),
            Self::Bytes => format!("encode({column}, 'hex')"),
        }
    }

    /// What is searched, and what a needle has to be for that.
    fn search(self, column: &str) -> (String, &'static str) {
        match self {
            Self::Bytes => {
                (format!("encode({column}, 'escape')"), "encode(convert_to(needle, 'UTF8'), 'escape')")
            }
            _ => (self.read(column), "needle"),
        }
    }

    /// The value from such a text.
    fn write(self) -> &'static str {
        match self {
            Self::Text => "new.value",
            Self::Json => "new.value::json",
            Self::Jsonb => "new.value::jsonb",
            Self::Texts => "array(select json_array_elements_text(new.value::json))",
            Self::Bytes => "decode(new.value, 'hex')",
        }
    }
}

impl TextColumn {
    /// What people call it: `table.column`.
    pub fn place(&self) -> String {
        format!("{}.{}", self.table_name, self.name)
    }

    /// The value without the channel; none where it has nothing of it.
    fn scrub(&self, scrubber: &Scrubber, value: &str) -> Option<String> {
        match self.kind {
            Kind::Text => scrubber.text(&self.name, value),
            Kind::Json | Kind::Jsonb | Kind::Texts => {
                let mut json = serde_json::from_str(value).ok()?;
                scrubber.json(&self.name, &mut json).then(|| json.to_string())
            }
            Kind::Bytes => {
                let digits = |at| value.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
                let bytes: Vec<u8> = (0..value.len()).step_by(2).map_while(digits).collect();
                let hex = |mut hex: String, byte: &u8| {
                    let _ = write!(hex, "{byte:02x}");
                    hex
                };
                Some(scrubber.body(&bytes)?.iter().fold(String::new(), hex))
            }
        }
    }
}

impl Store {
    /// Every column of our tables that can hold a text, in each partition.
    pub async fn text_columns(&self) -> Result<Vec<TextColumn>, Error> {
        let sql = "/* columns::text_columns */
            select format('%I.%I', n.nspname, c.relname) as place, coalesce(p.relname, c.relname) as table_name,
                   quote_ident(a.attname) as column_place, a.attname as column_name,
                   format_type(a.atttypid, null) as type_name
            from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
            left join pg_inherits i on i.inhrelid = c.oid
            left join pg_class p on p.oid = i.inhparent
            where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'lake')
              and pg_has_role(c.relowner, 'usage') and c.relname <> all ($1)
            order by table_name, place, a.attnum";
        let mut columns = Vec::new();
        for row in self.client().await?.query(sql, &[&NOT_SEARCHED.as_slice()]).await? {
            let Some(kind) = Kind::of(row.column("type_name")?) else { continue };
            columns.push(TextColumn {
                table: row.column("place")?,
                column: row.column("column_place")?,
                table_name: row.column("table_name")?,
                name: row.column("column_name")?,
                kind,
            });
        }
        Ok(columns)
    }

    /// How many rows of a column have something of the channel; with `write`, they have it no longer.
    pub async fn scrub_column(
        &self,
        column: &TextColumn,
        scrubber: &Scrubber,
        write: bool,
    ) -> Result<i64, Error> {
        let TextColumn { table, column: name, kind, .. } = column;
        let read = kind.read(name);
        let (searched, needle) = kind.search(name);
        // `offset 0` keeps the planner from unpacking a value once for each needle.
        let search = format!(
            "/* columns::search */
            select t.ctid::text as place, {read} as value
            from {table} t cross join lateral (select lower({searched}) as searched_text offset 0) lowered
            where {name} is not null and exists (select from unnest($1::text[]) needle
                where strpos(lowered.searched_text, lower({needle})) > 0)"
        );
        let rewrite = format!(
            "/* columns::rewrite */
            update {table} t set {name} = {} from unnest($1::text[], $2::text[], $3::text[]) as new (place, old, value)
            where t.ctid = new.place::tid and {} = new.old",
            kind.write(),
            kind.read(&format!("t.{name}"))
        );
        let needles = scrubber.needles();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        // It reads the whole table.
        transaction.batch_execute("set local statement_timeout = 0").await?;
        let parameters: [&(dyn ToSql + Sync); 1] = [&needles];
        let rows = transaction.query_raw(&search, parameters).await?;
        pin_mut!(rows);
        let mut changed = Vec::new();
        while let Some(row) = rows.next().await.transpose()? {
            let (place, value): (String, String) = (row.column("place")?, row.column("value")?);
            if let Some(scrubbed) = column.scrub(scrubber, &value) {
                changed.push((place, value, scrubbed));
            }
        }
        if write {
            for batch in changed.chunks(BATCH) {
                let places: Vec<&str> = batch.iter().map(|(place, ..)| place.as_str()).collect();
                let old: Vec<&str> = batch.iter().map(|(_, old, _)| old.as_str()).collect();
                let values: Vec<&str> = batch.iter().map(|(.., value)| value.as_str()).collect();
                transaction.execute(&rewrite, &[&places, &old, &values]).await?;
            }
        }
        transaction.commit().await?;
        Ok(i64::try_from(changed.len()).unwrap_or(i64::MAX))
    }
}
