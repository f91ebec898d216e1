//! The architecture, as the real imports show it: of every file of the workspace, with aliases, groups, `super`, re-exports and
//! the paths in code and macros followed to the file that defines what they name.

mod circles;
mod modules;
mod names;
mod rules;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use self::{
    circles::{circles, explain, imports},
    modules::{Modules, Segments, add_crate},
    names::{Named, resolve},
    rules::{MAY_USE, ONLY_IN},
};

static MODULES: LazyLock<Modules> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |file: &Path| fs::read_to_string(root.join(file)).ok();
    let mut modules = Modules::new();
    for (package, folder) in packages(&root) {
        let (library, program) = (folder.join("src/lib.rs"), folder.join("src/main.rs"));
        let has = |file: &Path| root.join(file).exists();
        if has(&library) {
            add_crate(&package, &library, &read, &mut modules);
        }
        if has(&program) {
            add_crate(&format!("{package} (program)"), &program, &read, &mut modules);
        }
    }
    modules
});

/// The packages of the workspace, as code calls them, and their folders.
fn packages(root: &Path) -> Vec<(String, PathBuf)> {
    let workers = fs::read_dir(root.join("workers")).expect("workers");
    let workers = workers.map(|entry| Path::new("workers").join(entry.expect("a worker").file_name()));
    let others = ["shared", "tests/fake-twitch", "tests/suite", "tests/bench"].map(PathBuf::from);
    let name = |folder: &Path| folder.file_name().expect("a name").to_string_lossy().replace('-', "_");
    let folders =
        others.into_iter().chain(workers).filter(|folder| root.join(folder).join("Cargo.toml").exists());
    folders.map(|folder| (name(&folder), folder)).collect()
}

/// What a module names, and by which path.
fn named(path: &Segments) -> impl Iterator<Item = (Named, String)> {
    let module = &MODULES[path];
    let used = module.uses.iter().chain(&module.reexports);
    used.filter_map(move |used| Some((resolve(&MODULES, path, used)?, used.join("::"))))
}

#[test]
fn modules_use_only_what_they_may() {
    let mut wrong = BTreeSet::new();
    for (path, module) in MODULES.iter().filter(|(path, _)| path[0] == "shared" && path.len() > 1) {
        let own = path[1].as_str();
        let listed = MAY_USE.iter().find(|(module, _)| *module == own);
        let (_, may) = listed.unwrap_or_else(|| panic!("say in MAY_USE what {own} may use"));
        for (named, used) in named(path) {
            let (Named::Module(other) | Named::Item(other)) = named else { continue };
            let Some(top) = other.get(1).map(String::as_str) else { continue };
            if other[0] != "shared" || top != own && !may.contains(&top) {
                wrong.insert(format!(
                    "{} must not use {}: {used}",
                    module.file.display(),
                    other[..2].join("::")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_protocol_is_spoken_in_one_place() {
    let tests = ["suite", "bench", "fake_twitch"];
    let mut wrong = BTreeSet::new();
    for (path, module) in
        MODULES.iter().filter(|(path, _)| !tests.iter().any(|test| path[0].starts_with(test)))
    {
        for (named, used) in named(path) {
            let Named::Elsewhere(name) = named else { continue };
            let mut places = ONLY_IN.iter().filter(|(foreign, _)| *foreign == name).peekable();
            let here = format!("{}::", path.join("::"));
            if places.peek().is_some() && !places.any(|(_, place)| here.starts_with(&format!("{place}::"))) {
                wrong.insert(format!("{} must not use {name}: {used}", module.file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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
fn the_fake_twitch_knows_nothing_of_ours() {
    for (path, module) in MODULES.iter().filter(|(path, _)| path[0].starts_with("fake_twitch")) {
        for (named, used) in named(path) {
            let (Named::Module(other) | Named::Item(other)) = named else { continue };
            assert!(other[0].starts_with("fake_twitch"), "{} uses {used}", module.file.display());
        }
    }
}

#[test]
fn no_imports_go_in_circles() {
    let crates: BTreeSet<&str> = MODULES.keys().map(|path| path[0].as_str()).collect();
    let mut found = Vec::new();
    for name in crates {
        let imports = imports(&MODULES, name);
        found.extend(
            circles(&imports).iter().map(|circle| format!("{circle:#?}\n{}", explain(circle, &imports))),
        );
    }
    assert!(found.is_empty(), "circles:\n{}", found.join("\n"));
}

#[test]
fn imports_are_followed_to_the_file_that_defines_what_they_name() {
    let files = [
        ("lib.rs", "mod one; mod two; mod deep; pub(crate) mod inline { pub struct Inside; }"),
        (
            "one.rs",
            "use crate::two::Two as Renamed; pub struct One; fn f(_: Renamed, _: crate::inline::Inside) {}",
        ),
        (
            "two.rs",
            "use super::{deep, one::{self}}; pub struct Two; fn f() { println!(\"{:?}\", deep::Leaf) }",
        ),
        ("deep/mod.rs", "mod leaf; mod other; pub use self::leaf::Leaf;"),
        (
            "deep/leaf.rs",
            "use super::super::one as first; pub struct Leaf(first::One); #[cfg(test)] mod tests;",
        ),
        ("deep/leaf/tests.rs", "use super::*; use crate::two::Two;"),
        ("deep/other.rs", "use super::*; pub(super) struct Other(Leaf, backoff::Backoff);"),
    ];
    let read = |file: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == file);
        found.map(|(_, text)| (*text).to_owned())
    };
    let mut modules = Modules::new();
    add_crate("sample", Path::new("lib.rs"), &read, &mut modules);
    let imports = imports(&modules, "sample");
    let pairs: Vec<(&str, &str)> = imports.keys().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let expected = [
        ("deep/leaf.rs", "one.rs"),
        ("deep/other.rs", "deep/leaf.rs"),
        ("one.rs", "lib.rs"),
        ("one.rs", "two.rs"),
        ("two.rs", "deep/leaf.rs"),
    ];
    assert_eq!(pairs, expected);
    assert_eq!(circles(&imports), [BTreeSet::from(["deep/leaf.rs", "one.rs", "two.rs"])]);
    let other = ["sample", "deep", "other"].map(str::to_owned).to_vec();
    let used = ["backoff", "Backoff"].map(str::to_owned);
    assert_eq!(resolve(&modules, &other, &used), Some(Named::Elsewhere("backoff".into())));
}
