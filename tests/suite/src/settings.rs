//! Settings as they are written down for people: `.env.example` and `docker-compose.yml` say what the programs say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use crate::process::binary;

const PROGRAMS: [&str; 7] =
    ["extractor", "game-enricher", "channel-enricher", "finalizer", "exporter", "operator", "console"];
/// Read by what writes the log, before there are settings.
const LOG_LEVEL: &str = "RUST_LOG";
/// What compose mounts where there is no file: an empty one.
const NO_FILE: &str = "./deploy/compose/no-secret";

/// A file of the project.
pub(crate) fn project_file(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a program says of itself, on one line.
fn help(program: &str) -> String {
    // The operator's settings are told with each of its commands; this one has all of them.
    let words: &[&str] = if program == "operator" { &["redshift", "load", "--help"] } else { &["--help"] };
    let help = Command::new(binary(program)).args(words).env_clear().output();
    let help = help.unwrap_or_else(|error| panic!("{program}: {error}: tests/run builds the programs first"));
    let text = String::from_utf8(help.stdout).expect("text");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The variables a program reads, as its own `--help` tells them. A secret's file is told, and the secret goes without.
pub(crate) fn settings_of(program: &str) -> BTreeSet<String> {
    let text = help(program);
    let told = text.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next());
    let mut names: BTreeSet<String> = told.map(str::to_owned).collect();
    assert!(names.contains("DATABASE_URL_FILE"), "{program}: {names:?}");
    let direct: Vec<String> =
        names.iter().filter_map(|name| name.strip_suffix("_FILE")).map(str::to_owned).collect();
    names.extend(direct);
    names.insert(LOG_LEVEL.to_owned());
    names
}

/// `.env.example`: each name with its default, which stands behind a `#`.
fn documented() -> BTreeMap<String, String> {
    let text = project_file(".env.example");
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c == '_') && !name.is_empty();
    let lines = text.lines().filter_map(|line| line.strip_prefix('#').unwrap_or(line).split_once('='));
    let mut documented = BTreeMap::new();
    for (name, default) in lines.filter(|(name, _)| is_name(name)) {
        assert!(documented.insert(name.to_owned(), default.to_owned()).is_none(), "{name} is there twice");
    }
    assert!(documented.len() > 10, "{documented:?}");
    documented
}

/// Every `${NAME…}` in a text, with the default it is given there, if any.
fn used(text: &str) -> Vec<(String, Option<String>)> {
    text.split("${")
        .skip(1)
        .map(|rest| {
            let expression = rest.split('}').next().unwrap_or_default();
            let name = expression.split(':').next().unwrap_or_default().to_owned();
            (name, expression.split_once(":-").map(|(_, default)| default.to_owned()))
        })
        .collect()
}

#[test]
fn every_variable_of_compose_is_documented_with_its_default() {
    let documented = documented();
    for file in ["docker-compose.yml", "deploy/compose/twitch-account.env"] {
        for (name, default) in used(&project_file(file)) {
            let told = documented.get(&name);
            let told = told.unwrap_or_else(|| panic!("{file} uses {name}, which .env.example does not tell"));
            if let Some(default) = default.filter(|default| default != NO_FILE) {
                assert_eq!(*told, default, "the default of {name} in {file}");
            }
        }
    }
    for (name, _) in used(&project_file("deploy/compose/twitch.env")) {
        assert!(documented.contains_key(&name), "deploy/compose/twitch.env uses {name}");
    }
}

#[test]
fn what_is_documented_is_a_setting_and_every_setting_is_documented() {
    let documented = documented();
    let text = project_file(".env.example");
    let words: BTreeSet<&str> = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).collect();
    let settings: BTreeSet<String> = PROGRAMS.iter().flat_map(|program| settings_of(program)).collect();
    let compose = ["docker-compose.yml", "deploy/compose/twitch-account.env", "deploy/compose/twitch.env"];
    let compose: BTreeSet<String> =
        compose.iter().flat_map(|file| used(&project_file(file))).map(|(name, _)| name).collect();
    for name in documented.keys() {
        assert!(settings.contains(name) || compose.contains(name), "nobody reads {name}");
    }
    for name in settings {
        assert!(words.contains(name.as_str()), "{name} is a setting that .env.example does not tell");
    }
}

#[test]
fn a_documented_default_is_the_programs_own() {
    let documented = documented();
    for program in PROGRAMS {
        let text = help(program);
        // `[env: NAME=] [default: VALUE]`
        for told in text.split("[env: ").skip(1) {
            let Some((name, rest)) = told.split_once("=]") else { continue };
            let Some(default) = rest.strip_prefix(" [default: ").and_then(|rest| rest.split(']').next())
            else {
                continue;
            };
            assert_eq!(documented.get(name).map(String::as_str), Some(default), "{name} of {program}");
        }
    }
}

#[test]
fn the_image_is_built_from_every_crate_of_the_workspace() {
    let manifest = project_file("Cargo.toml");
    let members =
        manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).expect("members");
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() >= 5, "{members:?}");
    let ignore = project_file(".dockerignore");
    let let_in: Vec<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for member in members {
        let is_in = |path: &&&str| Path::new(member).starts_with(path);
        assert!(
            let_in.iter().any(|path| is_in(&path)),
            ".dockerignore keeps {member} out of the image's build"
        );
    }
}

#[test]
fn compose_gives_each_program_its_own_credentials_and_no_others() {
    let compose: serde_json::Value =
        serde_saphyr::from_str(&project_file("docker-compose.yml")).expect("YAML");
    let services = compose["services"].as_object().expect("services");
    let credentials = |service: &str| -> Vec<String> {
        let volumes = services[service]["volumes"].as_array().into_iter().flatten();
        let names =
            volumes.filter_map(|volume| volume.as_str()?.split_once(':')?.0.strip_prefix("credentials-"));
        names.map(str::to_owned).collect()
    };
    for program in PROGRAMS {
        assert_eq!(credentials(program), [program]);
    }
    assert_eq!(credentials("migrate"), ["owner"]);
    assert_eq!(credentials("queues"), ["operator"]);
    // Whoever makes them sees all of them; nobody else sees more than one server's.
    let made: BTreeSet<String> = credentials("credentials").into_iter().collect();
    let used: BTreeSet<String> =
        services.keys().filter(|name| *name != "credentials").flat_map(|name| credentials(name)).collect();
    assert_eq!(made, used);
    let users = project_file("deploy/lib/make-users.sql");
    for program in PROGRAMS {
        assert!(
            users.contains(&format!("('{program}', ")),
            "make-users.sql should make a user for {program}"
        );
    }
}
