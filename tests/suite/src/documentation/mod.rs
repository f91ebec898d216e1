//! The documentation keeps its word: links lead somewhere, commands are commands, and SQL runs as printed. So do the commands
//! that the programs suggest.

mod commands;

use std::{
    fs,
    path::{Path, PathBuf},
};

use shared::store::most_sessions;

use self::commands::{AS_READER, OF_A_SERVICE, arguments, blocks, commands, is_of_a_name, spans, unknown};
use crate::{
    services::{Database, connect},
    settings::project_file,
};

const DOCUMENTS: [&str; 14] = [
    "README.md",
    ".github/CONTRIBUTING.md",
    "deploy/README.md",
    "deploy/CHANGELOG.md",
    "deploy/RETENTION.md",
    "deploy/EXPLAIN.md",
    "deploy/LAKE.md",
    "deploy/STEERING.md",
    "deploy/observability/README.md",
    "deploy/observability/RUNBOOK.md",
    "migrations/README.md",
    "tests/bench/README.md",
    "workers/console/README.md",
    "workers/operator/README.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_readme_is_short_enough_for_a_newcomer() {
    let lines = project_file("README.md").lines().count();
    assert!(lines <= 130, "README.md has {lines} lines: move some of it next to what it describes");
}

/// The names under which the headings of a document can be linked to.
fn anchors(document: &str) -> Vec<String> {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    headings
        .map(|heading| heading.trim_start_matches('#').trim().to_lowercase())
        .map(|heading| heading.chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn the_handbook_counts_sessions_as_the_preflight_does() {
    let most: Vec<_> = most_sessions(4).collect();
    let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let together: u16 = most.iter().map(|(_, most)| most).sum();
    let names = row(most.iter().map(|(name, _)| (*name).to_owned()).chain(["together".into()]).collect());
    let counts = row(most.iter().map(|(_, most)| most.to_string()).chain([together.to_string()]).collect());
    let handbook = project_file("deploy/README.md");
    assert!(handbook.contains(&names) && handbook.contains(&counts), "deploy/README.md: {names} {counts}");
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    let mut dead = Vec::new();
    for document in DOCUMENTS {
        let text = project_file(document);
        let folder = Path::new(document).parent().expect("a folder");
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { PathBuf::from(document) } else { folder.join(file) };
            let there = fs::exists(root().join(&file)).unwrap_or(false);
            let found = there
                && (anchor.is_empty()
                    || anchors(&project_file(&file.to_string_lossy())).iter().any(|it| it == anchor));
            if !found {
                dead.push(format!("{document}: {target}"));
            }
        }
    }
    assert_eq!(dead, Vec::<String>::new());
}

#[test]
fn every_documented_command_is_one() {
    let compose: serde_json::Value =
        serde_saphyr::from_str(&project_file("docker-compose.yml")).expect("YAML");
    let services = compose["services"].as_object().expect("services");
    let (mut known, mut wrong) = (0, Vec::new());
    for document in DOCUMENTS.into_iter().chain(["deploy/observability/alerts.yml"]) {
        let text = project_file(document);
        let spans = spans(&text).into_iter().map(|span| (span, false));
        let blocks = blocks(&text, "sh").into_iter().map(|block| (block, true));
        for (script, whole) in spans.chain(blocks) {
            for words in commands(&script) {
                known += 1;
                let why = match arguments(&words) {
                    Some(arguments) => unknown(&arguments, whole),
                    None => not_there(&words, services),
                };
                wrong.extend(why.map(|why| format!("{document}: {why}")));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(known > 100, "{known} commands were found");
}

/// What a command names that the project does not have.
fn not_there(words: &[String], services: &serde_json::Map<String, serde_json::Value>) -> Option<String> {
    let first = words[0].as_str();
    if ["deploy/", "tests/", ".ci/"].iter().any(|folder| first.starts_with(folder)) {
        return (!fs::exists(root().join(first)).unwrap_or(false)).then(|| format!("{first} is not there"));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ["docker", "compose", rest @ ..] = words.as_slice() else { return None };
    let command = rest.iter().position(|word| OF_A_SERVICE.contains(word))?;
    let service = rest[command + 1..].iter().find(|word| !word.starts_with('-'))?;
    let known = services.contains_key(*service) || service.chars().all(is_of_a_name);
    (!known).then(|| format!("compose has no service {service}"))
}

/// The texts of every source file below a folder.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            found.push((path, text));
        }
    }
}

/// The commands that a source suggests to people. Comments and what `--help` tells of JSON only speak of commands.
fn suggestions(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = source.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let mut text = lines
        .map(|line| line.strip_suffix('\\').map_or_else(|| format!("{line}\n"), str::to_owned))
        .collect::<String>();
    while let Some((before, rest)) = text.split_once("const JSON: &str") {
        text = format!("{before}{}", rest.split_once(";\n").map_or("", |(_, after)| after));
    }
    let quoted = text.split('`').skip(1).filter(|span| span.starts_with("operator ")).map(str::to_owned);
    let shown = ["suggest::command(\"", "suggest::command(&format!(\""]
        .into_iter()
        .flat_map(|call| text.split(call).skip(1))
        .filter_map(|rest| Some(format!("operator {}", rest.split('"').next()?)));
    quoted.chain(shown).collect()
}

/// A suggestion with numbers in the place of what it is filled with, and a stage where one belongs.
fn filled(suggestion: &str) -> String {
    let suggestion = suggestion.replace("{stage}", "extractor");
    let mut parts = suggestion.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "1" + part.split_once('}').map_or("", |(_, rest)| rest))
}

#[test]
fn every_suggested_command_is_one() {
    let mut files = Vec::new();
    sources(&root().join("shared/src"), &mut files);
    sources(&root().join("workers"), &mut files);
    let (mut known, mut wrong) = (0, Vec::new());
    for (path, source) in files {
        for suggestion in suggestions(&source) {
            for words in commands(&filled(&suggestion)) {
                known += 1;
                let why =
                    arguments(&words).map_or(Some(suggestion.clone()), |arguments| unknown(&arguments, true));
                wrong.extend(why.map(|why| format!("{}: {why}", path.display())));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(known > 20, "{known} commands were found");
}

/// What `\copy (…) to` writes into a file.
fn copied(script: &str) -> Vec<String> {
    let inner = |rest: &str| Some(rest.split_once(") to ")?.0.to_owned());
    script.split("copy (").skip(1).filter_map(inner).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_in_the_documentation_runs_as_printed() {
    let database = Database::migrated().await;
    let (mut owner, mut reader) = (database.client().await, connect(&database.url_of("reader")).await);
    // Of the days that the documentation takes as its examples.
    owner.batch_execute("select ensure_partitions('2026-11-23 12:00Z')").await.expect("partitions");
    let mut run = [0, 0];
    for document in DOCUMENTS {
        let text = project_file(document);
        let copies = blocks(&text, "sh").iter().flat_map(|script| copied(script)).collect::<Vec<_>>();
        for sql in blocks(&text, "sql").into_iter().chain(copies) {
            let reads = sql.starts_with(AS_READER);
            // Users and databases belong to the whole server: ours have names of their own.
            let sql = sql.replace("create user ", "create user docs_");
            let sql = sql.replace("database twitch owner twitch", "database docs_twitch owner docs_twitch");
            run[usize::from(reads)] += 1;
            let client = if reads { &mut reader } else { &mut owner };
            let fits = |result: Result<(), tokio_postgres::Error>| {
                result.unwrap_or_else(|error| panic!("{document}: {error:?}: {sql}"));
            };
            // A database cannot be made in a transaction: it is made, and unmade.
            if sql.contains("create database") {
                let unmade = "drop database docs_twitch; drop user docs_twitch";
                for statement in sql.split(';').chain(unmade.split(';')) {
                    fits(client.batch_execute(statement).await);
                }
                continue;
            }
            let transaction = client.transaction().await.expect("a transaction");
            fits(transaction.batch_execute(&sql).await);
            transaction.rollback().await.expect("a rollback");
        }
    }
    assert!(run[0] >= 5 && run[1] >= 3, "{run:?} blocks were found");
    drop((owner, reader));
    database.drop().await;
}
