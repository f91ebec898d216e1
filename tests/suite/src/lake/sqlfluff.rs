//! What `operator redshift` writes, as the Redshift dialect of `sqlfluff` reads it.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use shared::lake::{TABLES, Table, redshift::Redshift};

use super::duckdb::{skipped, with_packages};

/// What sqlfluff does not find in a script that parses; `None` where it can be parsed to its end.
fn unparsable(sqlfluff: &Path, script: &str) -> Option<String> {
    let mut process = Command::new(sqlfluff)
        .args(["parse", "--dialect", "redshift", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sqlfluff");
    process.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("asked");
    let output = process.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (!output.status.success()).then_some(said)
}

#[test]
fn the_redshift_dialect_of_sqlfluff_reads_the_tables_and_the_load() {
    let Some(python) = with_packages("sqlfluff-check", &["sqlfluff==4.5.0"]) else {
        skipped("the_redshift_dialect_of_sqlfluff_reads_the_tables_and_the_load", "sqlfluff", "sqlfluff");
        return;
    };
    let sqlfluff: PathBuf = python.with_file_name("sqlfluff");
    let redshift = Redshift { schema: "twitch".into(), iam_role: "default".into() };
    let manifests: Vec<(&Table, Vec<String>)> = TABLES
        .iter()
        .map(|table| (table, vec![format!("s3://bucket/{}/_manifest.json", table.name)]))
        .collect();
    assert_eq!(unparsable(&sqlfluff, &redshift.ddl()), None);
    // It does not know SERIALIZETOJSON, without which Redshift loads no list.
    let load = redshift.load(&manifests).script();
    assert!(unparsable(&sqlfluff, &load).is_some_and(|said| said.contains("serializetojson")));
    assert_eq!(unparsable(&sqlfluff, &load.replace(" serializetojson", "")), None);
}
