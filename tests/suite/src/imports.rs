//! The architecture, as the import table shows it.

use std::{fs, path::Path};

/// Which modules of `shared` each may use. Leaves are open to all.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("failure.rs", &[]),
    ("clock.rs", &[]),
    ("token_store.rs", &["failure"]),
    ("dead_letter.rs", &["failure"]),
    ("tls.rs", &[]),
    ("dial.rs", &[]),
    ("metrics.rs", &["version"]),
    ("version.rs", &[]),
    ("config", &["topology", "failure"]),
    ("schema", &[]),
    ("helix", &["schema", "failure", "clock", "config", "token_store", "tls", "metrics", "version"]),
    (
        "store",
        &["schema", "failure", "clock", "config", "token_store", "dead_letter", "tls", "dial", "version"],
    ),
    (
        "runtime",
        &[
            "topology",
            "schema",
            "failure",
            "clock",
            "config",
            "dead_letter",
            "tls",
            "dial",
            "metrics",
            "version",
        ],
    ),
];

fn sources(path: &Path, found: &mut Vec<(String, String)>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder") {
            sources(&entry.expect("an entry").path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.push((path.display().to_string(), fs::read_to_string(path).expect("a source")));
    }
}

#[test]
fn modules_use_only_what_they_may() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/src");
    let modules = [
        "runtime",
        "store",
        "helix",
        "topology",
        "schema",
        "work",
        "token_store",
        "dead_letter",
        "config",
        "failure",
        "clock",
        "tls",
        "dial",
        "metrics",
        "version",
    ];
    for (module, may) in MAY_USE {
        let mut files = Vec::new();
        sources(&shared.join(module), &mut files);
        assert!(!files.is_empty(), "{module} should be there");
        let own = module.trim_end_matches(".rs");
        for (file, text) in files {
            for other in modules.iter().filter(|other| **other != own && !may.contains(other)) {
                let direct = format!("crate::{other}::");
                let grouped = text.split("use crate::{").skip(1).any(|rest| {
                    let group = rest.split(';').next().unwrap_or_default();
                    group
                        .lines()
                        .any(|line| line.trim().trim_start_matches('{').starts_with(&format!("{other}::")))
                });
                assert!(!text.contains(&direct) && !grouped, "{file} must not use {other}");
            }
        }
    }
}

#[test]
fn workers_name_no_driver() {
    let workers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workers");
    for worker in fs::read_dir(workers).expect("workers") {
        let manifest = worker.expect("a worker").path().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).expect("a manifest");
        for driver in ["lapin", "reqwest", "tokio-postgres", "deadpool-postgres", "sqlx"] {
            assert!(!text.contains(driver), "{} must not list {driver}", manifest.display());
        }
    }
}

#[test]
fn what_nobody_looks_after_stays_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["shared/src", "workers"] {
        sources(&root.join(folder), &mut files);
    }
    let users: Vec<_> =
        files.iter().filter(|(_, text)| text.contains("backoff::")).map(|(file, _)| file).collect();
    assert!(matches!(users[..], [only] if only.ends_with("runtime/retry.rs")), "{users:?}");
}
