//! The documentation keeps its word: links lead somewhere, the operator knows its commands, and SQL runs as printed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use shared::store::migrate;

use crate::{process::binary, services::Database, settings::project_file};

const DOCUMENTS: [&str; 9] = [
    "README.md",
    ".github/CONTRIBUTING.md",
    "deploy/README.md",
    "deploy/CHANGELOG.md",
    "deploy/observability/README.md",
    "deploy/observability/RUNBOOK.md",
    "migrations/README.md",
    "tests/bench/README.md",
    "workers/operator/README.md",
];
/// How a person reaches the operator: by itself, in a quickstart, in compose.
const PREFIXES: [&str; 3] = ["", "deploy/quickstart ", "docker compose run --rm "];

/// What stands in the fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

/// The arguments of every command for the operator in a text: in code spans, and in the lines of shell blocks.
fn operator_commands(text: &str) -> Vec<Vec<String>> {
    let outside = text.split("```").step_by(2).collect::<String>();
    let spans = outside.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let lines = blocks(text, "sh").concat();
    let lines = lines.lines().map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
    spans
        .into_iter()
        .chain(lines)
        .filter_map(|command| {
            let found = PREFIXES.iter().find_map(|prefix| {
                command.strip_prefix(prefix)?.strip_prefix("operator ").map(str::to_owned)
            })?;
            Some(found.split_whitespace().filter_map(argument).collect())
        })
        .collect()
}

/// An argument as somebody would write it; none for what only says that more may follow.
fn argument(word: &str) -> Option<String> {
    let word = word.trim_matches(['[', ']', '"', '\'']);
    match word {
        "…" | "..." => None,
        // A placeholder for a number.
        _ if word.chars().all(|letter| letter.is_ascii_uppercase()) => Some("1".to_owned()),
        _ => Some(word.to_owned()),
    }
}

#[test]
fn the_readme_is_short_enough_for_a_newcomer() {
    let lines = project_file("README.md").lines().count();
    assert!(lines <= 130, "README.md has {lines} lines: move some of it next to what it describes");
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut dead = Vec::new();
    for document in DOCUMENTS {
        let folder = root.join(document).parent().map(PathBuf::from).expect("a folder");
        for link in project_file(document).split("](").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            if !target.contains("://") && !file.is_empty() && !fs::exists(folder.join(file)).unwrap_or(false)
            {
                dead.push(format!("{document}: {target}"));
            }
        }
    }
    assert_eq!(dead, Vec::<String>::new());
}

#[test]
fn the_operator_knows_every_command_that_is_documented() {
    let (mut known, mut unknown) = (0, Vec::new());
    for document in DOCUMENTS.into_iter().chain(["deploy/observability/alerts.yml"]) {
        for arguments in operator_commands(&project_file(document)) {
            // Everything before --help is parsed, and nothing is done.
            let output = Command::new(binary("operator")).args(&arguments).arg("--help").output();
            let output =
                output.unwrap_or_else(|error| panic!("tests/run builds the programs first: {error}"));
            if output.status.success() {
                known += 1;
            } else {
                let why =
                    String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
                unknown.push(format!("{document}: operator {}: {why}", arguments.join(" ")));
            }
        }
    }
    assert_eq!(unknown, Vec::<String>::new());
    assert!(known > 20, "{known} commands were found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_in_the_documentation_runs_as_printed() {
    let database = Database::create().await;
    migrate(&database.url()).await.expect("the migrations should run");
    let mut client = database.client().await;
    let mut run = 0;
    for document in DOCUMENTS {
        for sql in blocks(&project_file(document), "sql") {
            // Undone: users belong to the whole server.
            let transaction = client.transaction().await.expect("a transaction");
            transaction
                .batch_execute(&sql)
                .await
                .unwrap_or_else(|error| panic!("{document}: {error:?}: {sql}"));
            transaction.rollback().await.expect("a rollback");
            run += 1;
        }
    }
    assert!(run >= 3, "{run} blocks were found");
    drop(client);
    database.drop().await;
}
