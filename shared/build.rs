//! Tells the programs which build they are: `TWITCH_PULL_VERSION`, such as `0.1.0+20261125.e6127a1`.
//!
//! That is the package's version and, as SemVer's build metadata, the UTC date and the first seven digits of the commit.
//! `.dirty` follows where a file that goes into the programs differs from the commit. `BUILD_COMMIT` (`20261125.e6127a1`)
//! takes git's place where it is set, as in the image. Without both, the version stands alone: `0.1.0`.
//!
//! Whenever this runs, everything is compiled again. So it asks to run when HEAD moves and, as long as the tree is
//! clean, when a file of it changes; from then on the tree stays dirty until HEAD moves.
#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "how cargo and a build script talk"
)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// What goes into the programs.
const SOURCES: [&str; 7] =
    ["Cargo.toml", "Cargo.lock", "shared", "workers", "migrations", "tests/fake-twitch", "tests/bench"];

fn main() {
    println!("cargo::rerun-if-env-changed=BUILD_COMMIT");
    let commit = match std::env::var("BUILD_COMMIT") {
        Ok(given) if !given.is_empty() => {
            if !is_commit(&given) {
                println!("cargo::error=BUILD_COMMIT is {given:?}: write date and commit: 20261125.e6127a1");
            }
            Some(given)
        }
        _ => workspace().and_then(|root| commit(&root)),
    };
    let version = env!("CARGO_PKG_VERSION");
    let metadata = commit.map_or_else(String::new, |commit| format!("+{commit}"));
    println!("cargo::rustc-env=TWITCH_PULL_VERSION={version}{metadata}");
}

/// `20261125.e6127a1`, or with `.dirty`.
fn is_commit(text: &str) -> bool {
    let mut parts = text.split('.');
    let date = parts.next().unwrap_or_default();
    let commit = parts.next().unwrap_or_default();
    date.len() == 8
        && date.bytes().all(|byte| byte.is_ascii_digit())
        && (7..=64).contains(&commit.len())
        && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
        && matches!(parts.collect::<Vec<_>>()[..], [] | ["dirty"])
}

/// The workspace, if it is a repository of its own: a tarball may be unpacked inside of another one.
fn workspace() -> Option<PathBuf> {
    let package = std::env::current_dir().ok()?;
    let root = package.ancestors().find(|folder| folder.join("Cargo.lock").is_file())?;
    root.join(".git").exists().then(|| root.to_owned())
}

/// Date and commit as git knows them; none where git is missing or refuses, as it does in a folder of somebody else's.
fn commit(root: &Path) -> Option<String> {
    let known =
        git(root, &["show", "--no-show-signature", "-s", "--date=format-local:%Y%m%d", "--format=%cd %H"])?;
    let (date, commit) = known.split_once(' ')?;
    let changed = [&["status", "--porcelain", "--untracked-files=no", "--"], &SOURCES[..]].concat();
    let dirty = !git(root, &changed)?.is_empty();
    watch_head(root)?;
    if !dirty {
        watch(root, &git(root, &[&["ls-files", "--"], &SOURCES[..]].concat())?);
    }
    Some(format!("{date}.{}{}", commit.get(..7)?, if dirty { ".dirty" } else { "" }))
}

/// HEAD, the branch it names, and its log: of a packed branch there is no file.
fn watch_head(root: &Path) -> Option<()> {
    let branch = git(root, &["rev-parse", "--symbolic-full-name", "HEAD"])?;
    for file in ["HEAD", "logs/HEAD", &branch] {
        watch(root, &git(root, &["rev-parse", "--git-path", file])?);
    }
    Some(())
}

/// Cargo takes a file that is not there for one that has changed.
fn watch(root: &Path, files: &str) {
    for file in files.lines().map(|file| root.join(file)).filter(|file| file.exists()) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(["--no-optional-locks", "-c", "core.quotePath=false"])
        .args(arguments)
        .current_dir(root)
        .env("TZ", "UTC")
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
