//! DuckDB, from Python: who reads the lake in earnest.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tokio::sync::OnceCell;

/// What is installed, once, into a folder beside the programs.
const PACKAGES: [&str; 4] =
    ["duckdb==1.5.5", "duckdb-extension-ducklake==1.5.5", "duckdb-extension-postgres-scanner==1.5.5", "pytz"];

/// A Python with DuckDB in it. `None`, said loudly in the name of `test`, where it cannot be had.
pub(super) async fn python(test: &str) -> Option<PathBuf> {
    static PYTHON: OnceCell<Option<PathBuf>> = OnceCell::const_new();
    let found =
        PYTHON.get_or_init(|| async { tokio::task::spawn_blocking(make).await.expect("no panic") }).await;
    if found.is_none() {
        skipped(test, "DuckDB for Python", "duckdb");
    }
    found.clone()
}

fn make() -> Option<PathBuf> {
    with_packages("lake-check", &PACKAGES)
}

/// A Python with these packages, made once in a folder of that name beside the programs; none where they cannot be had.
pub(super) fn with_packages(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(name);
    let (python, done) = (folder.join("bin/python"), folder.join("done"));
    if !done.exists() {
        let ran = |command: &mut Command| {
            command.stdin(Stdio::null()).output().is_ok_and(|out| out.status.success())
        };
        let made = ran(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            && ran(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages));
        if !made {
            return None;
        }
        std::fs::write(done, "").expect("a file");
    }
    Some(python)
}

/// The answers to these questions, a list of rows for each.
pub(super) fn ask(python: &Path, database_url: &str, folder: &Path, questions: &[&str]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("lake/duck.py");
    let mut process = Command::new(python)
        .arg(script)
        .arg(database_url)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python");
    process.stdin.take().expect("a pipe").write_all(questions.join("\n").as_bytes()).expect("asked");
    let output = process.wait_with_output().expect("an end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = String::from_utf8(output.stdout).expect("text");
    answers.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Says that a test was not made for want of something, so that it is seen.
#[expect(clippy::disallowed_macros, reason = "a test that is skipped must say so itself")]
pub(super) fn skipped(test: &str, what: &str, package: &str) {
    eprintln!("SKIPPED {test}: {what} cannot be installed here (python3 -m venv, pip install {package})");
}
