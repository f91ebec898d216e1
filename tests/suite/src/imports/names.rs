//! What a path in the code leads to: the module that defines what it names, through imports, aliases and re-exports.

use super::modules::{Module, Modules, Segments};

/// Longer chains of imports are circles of their own.
const LONGEST_CHAIN: usize = 16;

/// What a path names.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Named {
    /// A module of ours.
    Module(Segments),
    /// Something that this module of ours defines.
    Item(Segments),
    /// Something of this crate, which is not ours.
    Elsewhere(String),
}

/// What `path` names in `module`; none where it names nothing that modules know, such as a local variable.
pub(super) fn resolve(modules: &Modules, module: &Segments, path: &[String]) -> Option<Named> {
    resolve_within(modules, module, path, LONGEST_CHAIN)
}

fn resolve_within(modules: &Modules, module: &Segments, path: &[String], chain: usize) -> Option<Named> {
    let chain = chain.checked_sub(1)?;
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "" => from_crate(modules, rest, chain),
        "crate" => descend(modules, &module[..1].to_vec(), rest, chain),
        "self" => descend(modules, module, rest, chain),
        "super" => {
            let parent = module.split_last().map(|(_, parent)| parent.to_vec())?;
            match rest.first() {
                Some(further) if further == "super" => resolve_within(modules, &parent, rest, chain),
                _ => descend(modules, &parent, rest, chain),
            }
        }
        // A name alone may be a variable, unless it is known here as something else.
        name => match find(modules, module, name, chain) {
            Some(Named::Module(_)) | None if rest.is_empty() => None,
            Some(Named::Module(found)) => descend(modules, &found, rest, chain),
            Some(found) => Some(found),
            None => from_crate(modules, path, chain),
        },
    }
}

fn from_crate(modules: &Modules, path: &[String], chain: usize) -> Option<Named> {
    let (name, rest) = path.split_first()?;
    let root = vec![name.clone()];
    if modules.contains_key(&root) {
        descend(modules, &root, rest, chain)
    } else {
        Some(Named::Elsewhere(name.clone()))
    }
}

/// What `path` leads to from `module` on.
fn descend(modules: &Modules, module: &Segments, path: &[String], chain: usize) -> Option<Named> {
    let Some((name, rest)) = path.split_first() else { return Some(Named::Module(module.clone())) };
    match find(modules, module, name, chain) {
        Some(Named::Module(found)) => descend(modules, &found, rest, chain),
        Some(found) => Some(found),
        // Made by a macro.
        None => Some(Named::Item(module.clone())),
    }
}

/// What `name` is in `module`.
fn find(modules: &Modules, module: &Segments, name: &str, chain: usize) -> Option<Named> {
    let here: &Module = modules.get(module)?;
    let child = [&module[..], &[name.to_owned()]].concat();
    if modules.contains_key(&child) {
        return Some(Named::Module(child));
    }
    if here.items.contains(name) {
        return Some(Named::Item(module.clone()));
    }
    if let Some(path) = here.names.get(name) {
        // `use name;` and `use name as other;` mean a crate, or what stands beside.
        let itself = path.len() == 1 && path[0] == name;
        let imported = if itself { None } else { import(modules, module, path, chain) };
        return imported.or_else(|| from_crate(modules, path, chain));
    }
    let chain = chain.checked_sub(1)?;
    here.globs.iter().find_map(|glob| match import(modules, module, glob, chain)? {
        Named::Module(found) if found != *module => find(modules, &found, name, chain),
        _ => None,
    })
}

/// What an import names: unlike a name in the code, one alone is no variable.
fn import(modules: &Modules, module: &Segments, path: &[String], chain: usize) -> Option<Named> {
    let [name] = path else { return resolve_within(modules, module, path, chain) };
    match name.as_str() {
        "crate" | "self" | "super" => resolve_within(modules, module, path, chain),
        name => {
            find(modules, module, name, chain.checked_sub(1)?).or_else(|| from_crate(modules, path, chain))
        }
    }
}
