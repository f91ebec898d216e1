//! The documentation keeps its word: links lead somewhere, commands are commands, and SQL runs as printed. So do the commands
//! that the programs suggest.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::error::ErrorKind;
use shared::store::migrate;

use crate::{
    services::{Database, connect},
    settings::project_file,
};

const DOCUMENTS: [&str; 12] = [
    "README.md",
    ".github/CONTRIBUTING.md",
    "deploy/README.md",
    "deploy/CHANGELOG.md",
    "deploy/RETENTION.md",
    "deploy/LAKE.md",
    "deploy/observability/README.md",
    "deploy/observability/RUNBOOK.md",
    "migrations/README.md",
    "tests/bench/README.md",
    "workers/console/README.md",
    "workers/operator/README.md",
];
/// How a person reaches the operator: by itself, in a quickstart, in compose.
const PREFIXES: [&[&str]; 3] = [&[], &["deploy/quickstart"], &["docker", "compose", "run", "--rm"]];
/// The first line of SQL that people run who only read.
const AS_READER: &str = "-- as a reader";
/// What a placeholder stands for, where it is no number.
const PLACEHOLDERS: [(&str, &str); 5] = [
    ("ID", "7"),
    ("PULL/CHUNK/PLACE", "7/1/3"),
    ("STAGE", "finalizer"),
    ("TIME", "2h"),
    ("VERSION", "0.2.0"),
];
/// Commands of compose whose first plain argument is a service.
const OF_A_SERVICE: [&str; 5] = ["exec", "run", "logs", "stop", "restart"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What stands in the fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

/// The code spans outside of blocks.
fn spans(text: &str) -> Vec<String> {
    let prose = text.split("```").step_by(2).collect::<String>();
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The commands in a shell script, each as its words; those in `$(…)` and behind pipes too. As much of the shell's grammar as
/// the documentation uses.
fn commands(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ");
    let mut commands = Vec::new();
    for line in script.lines() {
        let (mut command, mut word, mut quote) = (Vec::new(), String::new(), None);
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match (quote, letter) {
                (Some(mark), _) if mark == letter => quote = None,
                (Some('"') | None, '$') if letters.peek() == Some(&'(') => {
                    letters.next();
                    let inner: String = letters.by_ref().take_while(|letter| *letter != ')').collect();
                    commands.extend(self::commands(&inner));
                    word.push('x');
                }
                (None, '\'' | '"') => quote = Some(letter),
                (None, '#') if word.is_empty() => break,
                (None, '|' | '&' | ';' | '(' | ')' | '{' | '}') => {
                    command.push(std::mem::take(&mut word));
                    commands.push(std::mem::take(&mut command));
                }
                (None, _) if letter.is_whitespace() => command.push(std::mem::take(&mut word)),
                _ => word.push(letter),
            }
        }
        command.push(word);
        commands.push(command);
    }
    let is_setting =
        |word: &String| word.split_once('=').is_some_and(|(name, _)| name.chars().all(is_of_a_name));
    commands
        .into_iter()
        .map(|words| words.into_iter().filter(|word| !word.is_empty()))
        .map(|words| words.skip_while(is_setting).take_while(|word| !word.starts_with(['<', '>'])).collect())
        .filter(|words: &Vec<String>| !words.is_empty())
        .collect()
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_uppercase() || letter == '_'
}

/// The arguments, where these words start the operator.
fn arguments(words: &[String]) -> Option<Vec<String>> {
    let arguments = PREFIXES.iter().find_map(|prefix| {
        let there =
            words.len() > prefix.len() && words.iter().zip(*prefix).all(|(word, known)| word == known);
        words
            .get(prefix.len()..)?
            .split_first()
            .filter(|(name, _)| there && *name == "operator")
            .map(|it| it.1)
    })?;
    Some(arguments.iter().filter_map(|word| argument(word)).collect())
}

/// An argument as somebody would write it; none for what only says that more may follow.
fn argument(word: &str) -> Option<String> {
    let word = word.trim_matches(['[', ']']);
    let placeholder = PLACEHOLDERS.iter().find(|(name, _)| *name == word);
    match word {
        "…" | "..." => None,
        _ if placeholder.is_some() => placeholder.map(|(_, value)| (*value).to_owned()),
        _ if word.chars().all(is_of_a_name) => Some("1".to_owned()),
        _ => Some(word.to_owned()),
    }
}

/// Why the operator does not know this command, if it does not. `whole`: it must be complete; a text may also speak of a
/// command without what it needs.
fn unknown(arguments: &[String], whole: bool) -> Option<String> {
    let line = std::iter::once("operator").chain(arguments.iter().map(String::as_str));
    let error = operator::command_line().try_get_matches_from(line).err()?;
    let is_part = [
        ErrorKind::MissingRequiredArgument,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
        ErrorKind::MissingSubcommand,
    ];
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
        kind if !whole && is_part.contains(&kind) => None,
        _ => Some(format!("operator {}: {error}", arguments.join(" "))),
    }
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
    let database = Database::create().await;
    migrate(&database.url()).await.expect("the migrations should run");
    database.admit_programs().await;
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
