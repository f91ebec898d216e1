//! `deploy/quickstart` and `deploy/services`: what they change, what they refuse, and in which words.
//!
//! Nothing is built or started here; each case ends before that.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::settings::project_file;

/// Nobody can make a folder here, not even root.
const UNWRITABLE: &str = "/proc/twitch-pull";
/// What may come from the environment of whoever runs the tests.
const SETTINGS: [&str; 7] = [
    "TWITCH_CLIENT_ID",
    "TWITCH_CLIENT_ID_FILE",
    "TWITCH_CLIENT_SECRET",
    "TWITCH_CLIENT_SECRET_FILE",
    "TWITCH_API_URL",
    "PULL_INTERVAL",
    "PULL_CRON",
];

fn deploy(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(script)
}

/// `deploy/quickstart` on that folder, with nothing set but what `settings` says.
fn quickstart(folder: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(deploy("quickstart"));
    for name in SETTINGS {
        command.env_remove(name);
    }
    command.args(arguments).env("QUICKSTART_DIR", folder).envs(settings.iter().copied());
    command.output().expect("bash is there")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts that a script refused with this sentence, and not with bash's own complaint about a line of it.
fn assert_refused(output: &Output, sentence: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with(&format!("error: {sentence}")), "{said}");
    assert!(!said.contains(": line "), "{said}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

#[test]
fn a_folder_that_was_there_keeps_its_mode() {
    let parent = tempfile::tempdir().expect("a folder");
    for wanted in [0o1777, 0o755, 0o700] {
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(wanted)).expect("ours");
        let folder = parent.path().join("quickstart");
        for command in ["stop", "clean"] {
            let output = quickstart(&folder, &[], &[command]);
            assert!(output.status.success(), "{}", stderr(&output));
        }
        fs::create_dir(&folder).expect("ours");
        fs::set_permissions(&folder, fs::Permissions::from_mode(wanted)).expect("ours");
        let output = quickstart(&folder, &[], &["stop"]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!((mode(parent.path()), mode(&folder)), (wanted, wanted));
        assert_refused(&quickstart(&folder, &[], &["clean"]), &folder.display().to_string());
        fs::remove_dir(&folder).expect("nothing was put there");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_in_a_sentence() {
    let output = quickstart(Path::new(UNWRITABLE), &[], &[]);
    assert_refused(&output, &format!("QUICKSTART_DIR {UNWRITABLE} cannot be written: "));
    let services =
        Command::new(deploy("services")).args(["start", UNWRITABLE]).output().expect("bash is there");
    assert_refused(&services, &format!("the folder {UNWRITABLE} cannot be written: "));
}

#[test]
fn a_schedule_that_will_not_be_kept_is_refused_in_words() {
    let run = |arguments: &[&str]| {
        stdout(&quickstart(Path::new(UNWRITABLE), &[("PULL_INTERVAL", "20s")], arguments))
    };
    assert!(run(&[]).contains("PULL_INTERVAL=20s has no effect"), "{}", run(&[]));
    assert!(!run(&["--keep"]).contains("no effect"), "{}", run(&["--keep"]));
}

#[test]
fn rows_of_two_sources_never_meet() {
    let account: [(&str, &str); 2] = [("TWITCH_CLIENT_ID", "id"), ("TWITCH_CLIENT_SECRET", "secret")];
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("source");
    fs::write(&source, "the fake Twitch").expect("ours");
    let was = format!("what is in {} was pulled from the fake Twitch, ", folder.path().display());
    assert_refused(&quickstart(folder.path(), &account, &[]), &was);
    fs::write(&source, "https://api.twitch.tv/helix/").expect("ours");
    let was =
        format!("what is in {} was pulled from https://api.twitch.tv/helix/, ", folder.path().display());
    assert_refused(&quickstart(folder.path(), &[], &[]), &was);
}

#[test]
fn a_stopped_quickstart_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_refused(&quickstart(folder.path(), &[], &["operator", "status"]), "nothing is here yet");
    fs::create_dir_all(folder.path().join("users/operator")).expect("ours");
    fs::write(folder.path().join("users/operator/database-url"), "postgresql://…").expect("ours");
    let output = quickstart(folder.path(), &[], &["operator", "status"]);
    assert_refused(&output, &format!("the quickstart in {} is stopped", folder.path().display()));
    assert!(stderr(&output).contains("deploy/quickstart --keep"), "{}", stderr(&output));
}

/// The files below a folder, each with what it holds.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            let text = fs::read_to_string(&path).expect("text");
            files.insert(path, text);
        }
    }
    files
}

#[test]
fn each_program_is_given_its_own_password_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let make = || {
        let script = "set -euo pipefail; umask 077; . \"$1/lib/common.sh\"; . \"$1/lib/users.sh\"
            make_users \"$1/rabbitmq/definitions.json\" \"$2/postgres\" \"$2/rabbitmq\" \"$2\" db:5432/twitch mq:5672/%2f";
        let arguments = ["-c", script, "bash"];
        let made =
            Command::new("bash").args(arguments).arg(deploy("")).arg(folder.path()).output().expect("bash");
        assert!(made.status.success() && made.stderr.is_empty(), "{}", stderr(&made));
        files(folder.path())
    };
    let files = make();
    let text = |file: &str| files[&folder.path().join(file)].as_str();
    let definitions: serde_json::Value =
        serde_json::from_str(text("rabbitmq/definitions.json")).expect("definitions");
    let template: serde_json::Value =
        serde_json::from_str(&project_file("deploy/rabbitmq/definitions.json")).expect("definitions");
    assert_eq!(definitions["permissions"], template["permissions"]);
    let mut passwords = Vec::new();
    for user in definitions["users"].as_array().expect("users") {
        let (name, password) = (user["name"].as_str().expect("a name"), user["password"].as_str());
        assert_eq!(Some(text(&format!("rabbitmq/{name}"))), password, "{name}");
        passwords.extend(password);
    }
    for name in ["extractor", "game-enricher", "channel-enricher", "finalizer", "operator"] {
        let (postgres, rabbitmq) = (text(&format!("postgres/{name}")), text(&format!("rabbitmq/{name}")));
        let database = format!("postgresql://{name}:{postgres}@db:5432/twitch");
        assert_eq!(text(&format!("{name}/database-url")), database);
        assert_eq!(text(&format!("{name}/amqp-url")), format!("amqp://{name}:{rabbitmq}@mq:5672/%2f"));
        passwords.push(postgres);
    }
    passwords.sort_unstable();
    let all = passwords.len();
    passwords.dedup();
    assert_eq!(passwords.len(), all, "no two are alike");
    assert!(passwords.iter().all(|password| password.len() == 48), "{passwords:?}");
    assert_eq!(make(), files);
}
