//! Every table, and every partition, with its columns: by the catalog of PostgreSQL itself, so that tables of later builds are not
//! forgotten.

use super::super::{Error, Store, column::Columns};
use crate::proof::Holds;

/// Tables that hold nothing of a channel: games, migrations, what is sealed, what is deleted with its own rows; and what an erasure
/// keeps for as long as it is under way.
const NOT_REWRITTEN: [&str; 6] =
    ["_sqlx_migrations", "helix_token", "helix_claim", "twitch_game", "missing_game", "erasure_subject"];

/// A table, or one partition of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// As it is written in SQL.
    pub(super) sql: String,
    /// The whole table, as it is written in SQL, if this is a partition.
    pub(super) whole: String,
    /// What people call it, whatever the partition.
    pub(super) name: String,
    /// Whether what it holds may be rewritten.
    pub(super) is_rewritten: bool,
    pub(super) columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// As it is written in SQL.
    pub(super) sql: String,
    pub(super) name: String,
    /// How it is rewritten; none where it is not.
    pub(super) kind: Option<Kind>,
    pub(super) holds: Holds,
    pub(super) is_bytes: bool,
    pub(super) is_list: bool,
}

/// How a column's value is read as a text, and written from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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

    /// The value from a text that [`Column::read`] gave.
    pub(super) fn write(self, text: &str) -> String {
        match self {
            Self::Text => text.to_owned(),
            Self::Json => format!("{text}::json"),
            Self::Jsonb => format!("{text}::jsonb"),
            Self::Texts => format!("array(select json_array_elements_text({text}::json))"),
            Self::Bytes => format!("decode({text}, 'hex')"),
        }
    }
}

impl Column {
    /// The value as a text.
    pub(super) fn read(&self, table: &str) -> String {
        let value = format!("{table}.{}", self.sql);
        if self.is_bytes {
            format!("encode({value}, 'hex')")
        } else if self.is_list {
            format!("to_json({value})::text")
        } else {
            format!("{value}::text")
        }
    }
}

impl Table {
    /// What people call a column: `table.column`.
    pub(super) fn place(&self, column: &Column) -> String {
        format!("{}.{}", self.name, column.name)
    }

    /// Whether an erasure keeps there what it needs until it ends.
    pub(super) fn is_subject(&self) -> bool {
        self.name == "erasure_subject"
    }
}

impl Store {
    /// Every table of ours, each partition by itself, the lake's catalogue too.
    pub async fn tables(&self) -> Result<Vec<Table>, Error> {
        let sql = "/* table::tables */
            select format('%I.%I', n.nspname, c.relname) as place,
                   format('%I.%I', n.nspname, coalesce(p.relname, c.relname)) as whole,
                   case n.nspname when 'lake' then 'lake.' else '' end || coalesce(p.relname, c.relname) as table_name,
                   n.nspname = 'lake' as is_lake, a.attgenerated <> '' as is_generated,
                   quote_ident(a.attname) as column_place, a.attname as column_name,
                   format_type(a.atttypid, null) as type_name, t.typcategory::text as category,
                   -- What the schema enumerates is no text of anybody's.
                   exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]
                       and pg_get_constraintdef(k.oid) ~ '= ANY \\(\\(?ARRAY\\[') as is_word
            from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            join pg_type t on t.oid = a.atttypid
            left join pg_inherits i on i.inhrelid = c.oid
            left join pg_class p on p.oid = i.inhparent
            where c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
              and pg_has_role(c.relowner, 'usage')
            order by table_name, place, a.attnum";
        let mut tables: Vec<Table> = Vec::new();
        for row in self.client().await?.query(sql, &[]).await? {
            let (place, name): (String, String) = (row.column("place")?, row.column("table_name")?);
            let (is_lake, is_word): (bool, bool) = (row.column("is_lake")?, row.column("is_word")?);
            let (type_name, category): (&str, &str) = (row.column("type_name")?, row.column("category")?);
            let kind = if is_word || row.column("is_generated")? { None } else { Kind::of(type_name) };
            let column = Column {
                sql: row.column("column_place")?,
                name: row.column("column_name")?,
                kind,
                holds: if is_word { Holds::Word } else { Holds::of(category) },
                is_bytes: type_name == "bytea",
                is_list: category == "A",
            };
            match tables.last_mut() {
                Some(table) if table.sql == place => table.columns.push(column),
                _ => tables.push(Table {
                    whole: row.column("whole")?,
                    is_rewritten: !is_lake && !NOT_REWRITTEN.contains(&name.as_str()),
                    sql: place,
                    name,
                    columns: vec![column],
                }),
            }
        }
        Ok(tables)
    }
}
