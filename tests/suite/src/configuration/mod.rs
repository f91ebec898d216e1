//! Settings: what cannot be used is refused in one line, before anybody is called; what can be used can be seen.

mod bad;

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

use self::bad::{Bad, CANARY, bad};
use crate::process::binary;

const PROGRAMS: [&str; 7] =
    ["extractor", "game-enricher", "channel-enricher", "finalizer", "exporter", "operator", "console"];

/// Settings that can be used, though nobody is there.
fn usable() -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_URL", format!("postgres://someone:{CANARY}@127.0.0.1:1/nowhere")),
        ("AMQP_URL", format!("amqp://someone:{CANARY}@127.0.0.1:1/%2f")),
        ("TWITCH_CLIENT_ID", format!("{CANARY}-id")),
        ("TWITCH_CLIENT_SECRET", format!("{CANARY}-secret")),
        ("LAKE_URL", std::env::temp_dir().display().to_string()),
    ]
}

fn run(program: &str, words: &[&str], settings: &[(&'static str, String)]) -> Output {
    let mut command = Command::new(binary(program));
    command.args(words).env_clear();
    // A later one takes the place of an earlier, and an empty one counts as not set.
    for (name, value) in settings {
        command.env(name, value);
    }
    command.output().unwrap_or_else(|error| panic!("{program}: {error}: tests/run builds the programs first"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn what_cannot_be_used_is_refused_in_one_line_before_anybody_is_called() {
    let folder = TempDir::new().expect("a folder");
    let bad = bad(&folder);
    assert!(bad.len() >= 20, "{} kinds", bad.len());
    for Bad { program, settings, says } in bad {
        let settings: Vec<_> = usable().into_iter().chain(settings).collect();
        // As the program would be started, and as a person asks beforehand. The operator does nothing by itself.
        let mut ways: Vec<&[&str]> = vec![&["config", "check"]];
        if program != "operator" {
            ways.push(&[]);
        }
        for words in ways {
            let output = run(program, words, &settings);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{program} {words:?} {says:?}: {said}");
            assert_eq!(said.trim_end().lines().count(), 1, "{said}");
            let line = match serde_json::from_str::<Value>(&said) {
                Ok(line) => line["message"].as_str().expect("a message").to_owned(),
                Err(_) => said,
            };
            for word in says {
                assert!(line.contains(word), "{program} should say {word:?}: {line}");
            }
            assert!(!line.contains(CANARY), "{line}");
            assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
        }
    }
}

#[test]
fn settings_that_can_be_used_are_shown_without_their_secrets() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("amqp-url");
    fs::write(&file, format!("amqps://me:{CANARY}@broker/%2f?heartbeat=5\n")).expect("a file");
    let from_file = [("AMQP_URL", String::new()), ("AMQP_URL_FILE", file.display().to_string())];
    let settings: Vec<_> = usable().into_iter().chain(from_file).collect();
    for program in PROGRAMS {
        let checked = run(program, &["config", "check"], &settings);
        assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
        assert!(text(&checked.stdout).contains("can be used"));

        let shown = run(program, &["config", "show", "--retry-delays", "2s"], &settings);
        let words = if program == "operator" {
            shown
        } else {
            // A worker's settings stand before what it is to do.
            run(program, &["--retry-delays", "2s", "config", "show"], &settings)
        };
        assert_eq!(words.status.code(), Some(0), "{}", text(&words.stderr));
        let shown = text(&words.stdout);
        let line = |name: &str| {
            let line = shown.lines().find(|line| line.split_whitespace().next() == Some(name));
            let line = line.unwrap_or_else(|| panic!("{name}: {shown}"));
            line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(line("DATABASE_URL"), ["postgres://someone:***@127.0.0.1:1/nowhere", "environment"]);
        let origin = file.display().to_string();
        assert_eq!(line("AMQP_URL"), ["amqps://me:***@broker/%2f?heartbeat=5", "file", &origin]);
        assert_eq!(line("DATABASE_CONNECTIONS"), ["4", "default"]);
        assert_eq!(line("RETRY_DELAYS"), ["2s", "flag"]);
        assert_eq!(line("RUST_LOG"), ["info", "default"]);
        assert!(!shown.contains(CANARY), "{shown}");
    }
    let shown = run("extractor", &["config", "show"], &[]);
    assert_eq!(shown.status.code(), Some(78), "secrets are missing");
    assert!(text(&shown.stdout).contains("TWITCH_CLIENT_SECRET is not set"), "{}", text(&shown.stdout));
}

#[test]
fn a_command_line_that_cannot_be_understood_is_no_setting() {
    for words in [&["--no-such-flag"][..], &["config"], &["config", "guess"]] {
        for program in PROGRAMS {
            assert_eq!(run(program, words, &usable()).status.code(), Some(2), "{program} {words:?}");
        }
    }
    let both = run("extractor", &["--min-viewers=x"], &usable());
    assert_eq!(both.status.code(), Some(78));
    assert!(text(&both.stderr).contains("flag --min-viewers"), "{}", text(&both.stderr));
}
