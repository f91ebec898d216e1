//! Parquet and storage cost the exporter alone: no other program is built with them.

use std::{collections::BTreeSet, process::Command};

/// The crates that a program is made of, by name and version.
fn crates(program: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--package",
            program,
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().filter_map(|line| Some(line.split_once(" v")?.0.to_owned())).collect()
}

#[test]
fn only_the_exporter_is_built_with_parquet_and_it_adds_few_crates() {
    let others: BTreeSet<String> =
        ["extractor", "game-enricher", "channel-enricher", "finalizer", "operator"]
            .into_iter()
            .flat_map(crates)
            .collect();
    for heavy in ["parquet", "object_store", "zstd"] {
        assert!(!others.contains(heavy), "{heavy}");
    }
    let added: Vec<String> = crates("exporter").difference(&others).cloned().collect();
    assert!(added.iter().any(|name| name == "parquet"), "{added:?}");
    // Without the exporter itself.
    assert!(added.len() <= 25 + 1, "{}: {added:?}", added.len());
}
