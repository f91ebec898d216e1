//! The lake in Amazon Redshift: its tables, and how closed days and pulls are loaded from their Parquet files.
//!
//! COPY takes Parquet columns by their place, so that the tables' columns are those of the files in the same order; lists come
//! as `super`, which wants SERIALIZETOJSON. There is no upsert: what a load brings takes the place of what is there of the same
//! pulls, in every table, in one transaction, so that a second load changes nothing. Source:
//! <https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html>.

use super::{TABLES, Table};

/// Where in Redshift, and as whom it reads the storage.
#[derive(Debug, Clone)]
pub struct Redshift {
    /// The schema of the tables.
    pub schema: String,
    /// `default`, or the ARN of the role that may read the storage.
    pub iam_role: String,
}

/// The statements of a load.
#[derive(Debug, Clone)]
pub struct Load {
    /// Begins the transaction, and copies the files into staging tables.
    pub stage: String,
    /// Asks for the rows that were staged: one row, with a number for each of [`TABLES`].
    pub count: String,
    /// Puts what is staged in the place of what is there of the same pulls, and commits.
    pub replace: String,
}

impl Load {
    /// All of it, for whoever runs it without looking at the count.
    pub fn script(&self) -> String {
        [&*self.stage, &self.replace].concat()
    }
}

impl Redshift {
    /// The tables, with what they and their columns mean. Harmless to repeat.
    pub fn ddl(&self) -> String {
        let schema = identifier(&self.schema);
        let tables = TABLES.iter().map(|table| self.table_ddl(table));
        std::iter::once(format!("create schema if not exists {schema};\n"))
            .chain(tables)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn table_ddl(&self, table: &Table) -> String {
        let name = self.name(table);
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| {
                let null = if column.nullable { "" } else { " not null" };
                format!("    {} {}{null}", identifier(column.name), column.redshift_type())
            })
            .collect();
        let comments = table.columns.iter().map(|column| {
            format!("comment on column {name}.{} is {};\n", identifier(column.name), literal(column.comment))
        });
        let comments = comments.collect::<Vec<_>>().concat();
        let key = identifier(table.sorted_by.first().copied().unwrap_or("pull_id"));
        format!(
            "create table if not exists {name} (\n{}\n)\ndiststyle key\ndistkey ({key})\nsortkey (\"pulled_at\");\n\
             comment on table {name} is {};\n{comments}",
            columns.join(",\n"),
            literal(table.comment)
        )
    }

    /// Loads the files of these manifests: for each table the manifests' URLs. One transaction; harmless to repeat.
    pub fn load(&self, manifests: &[(&Table, Vec<String>)]) -> Load {
        let mut stage = vec!["begin;\n".to_owned()];
        let (mut delete, mut insert) = (Vec::new(), Vec::new());
        for table in &TABLES {
            let (name, staged) = (self.name(table), staged(table));
            stage.push(format!("create temp table {staged} (like {name});\n"));
            let urls = manifests.iter().filter(|(of, _)| of.id == table.id).flat_map(|(_, urls)| urls);
            stage.extend(urls.map(|url| self.copy(&staged, url)));
            // Also where the pull, made again, has no rows any longer.
            delete.push(format!(
                "delete from {name} using \"stage_pull\" where {name}.\"pull_id\" = \"stage_pull\".\"pull_id\";\n"
            ));
            insert.push(format!("insert into {name} select * from {staged};\n"));
        }
        let drop = TABLES.iter().map(|table| format!("drop table {};\n", staged(table)));
        let end = drop.chain(std::iter::once("commit;\n".to_owned()));
        let counts = TABLES.iter().map(|table| format!("(select count(*) from {})", staged(table)));
        Load {
            stage: stage.concat(),
            count: format!("select {};\n", counts.collect::<Vec<_>>().join(", ")),
            replace: delete.into_iter().chain(insert).chain(end).collect::<Vec<_>>().concat(),
        }
    }

    fn copy(&self, into: &str, manifest: &str) -> String {
        let role = if self.iam_role == "default" { "default".to_owned() } else { literal(&self.iam_role) };
        format!(
            "copy {into} from {}\niam_role {role}\nformat parquet manifest serializetojson;\n",
            literal(manifest)
        )
    }

    fn name(&self, table: &Table) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(table.name))
    }
}

fn staged(table: &Table) -> String {
    identifier(&format!("stage_{}", table.name))
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL has it. Redshift takes a backslash for the beginning of an escape.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Redshift does not have, and public parsers of its dialect accept.
    const FOREIGN: [&str; 9] = [
        "[]",
        "jsonb",
        "on conflict",
        "returning",
        "create index",
        "distinct on",
        "filter (",
        "generate_series",
        "maxerror",
    ];

    fn redshift() -> Redshift {
        Redshift { schema: "twitch".into(), iam_role: "arn:aws:iam::123456789012:role/lake".into() }
    }

    fn loaded() -> Load {
        let manifests: Vec<(&Table, Vec<String>)> = TABLES
            .iter()
            .map(|table| {
                (table, vec![format!("s3://bucket/lake/{}/day=2026-11-23/_manifest.json", table.name)])
            })
            .collect();
        redshift().load(&manifests)
    }

    #[test]
    fn ddl_and_load_are_as_they_were() {
        assert_eq!(redshift().ddl(), include_str!("golden/redshift-ddl.sql"));
        assert_eq!(loaded().script(), include_str!("golden/redshift-load.sql"));
        let count = r#"select (select count(*) from "stage_pull"), (select count(*) from "stage_stream_peek"), (select count(*) from "stage_game"), (select count(*) from "stage_channel");"#;
        assert_eq!(loaded().count.trim_end(), count);
    }

    #[test]
    fn nothing_in_it_is_foreign_to_redshift() {
        for text in [redshift().ddl(), loaded().script(), loaded().count] {
            let text = text.to_lowercase();
            for word in FOREIGN {
                assert!(!text.contains(word), "{word}");
            }
        }
    }

    #[test]
    fn the_columns_are_those_of_the_files_in_their_order() {
        let ddl = redshift().ddl();
        for table in &TABLES {
            let body = ddl
                .split(&format!("\"twitch\".\"{}\" (\n", table.name))
                .nth(1)
                .unwrap()
                .split("\n)\n")
                .next()
                .unwrap();
            let names: Vec<&str> = body.lines().filter_map(|line| line.split('"').nth(1)).collect();
            assert_eq!(names, table.columns.iter().map(|column| column.name).collect::<Vec<_>>());
        }
    }

    #[test]
    fn texts_cannot_end_their_quotes() {
        assert_eq!(literal(r"it's \"), r"'it''s \\'");
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
    }
}
