//! The lake in Amazon Redshift: its tables, and how closed days and pulls are loaded from their Parquet files.
//!
//! COPY takes Parquet columns by their place, so that the tables' columns are those of the files in the same order; lists come
//! as `super`, which wants SERIALIZETOJSON. There is no upsert: what a load brings takes the place of what is there of the same
//! pulls, in one transaction, so that a second load changes nothing. Source:
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
    pub fn load(&self, manifests: &[(&Table, Vec<String>)]) -> String {
        let mut script = vec!["begin;\n".to_owned()];
        for (table, urls) in manifests {
            let (name, stage) = (self.name(table), identifier(&format!("stage_{}", table.name)));
            script.push(format!("create temp table {stage} (like {name});\n"));
            script.extend(urls.iter().map(|url| self.copy(&stage, url)));
            script.push(format!(
                "delete from {name} using {stage} where {name}.\"pull_id\" = {stage}.\"pull_id\";\n\
                 insert into {name} select * from {stage};\ndrop table {stage};\n"
            ));
        }
        script.push("commit;\n".to_owned());
        script.concat()
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

    fn loaded() -> String {
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
        assert_eq!(loaded(), include_str!("golden/redshift-load.sql"));
    }

    #[test]
    fn nothing_in_it_is_foreign_to_redshift() {
        for text in [redshift().ddl(), loaded()] {
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
