//! Which file needs which, and where that goes in circles.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::{algo::tarjan_scc, graphmap::DiGraphMap};

use super::{
    modules::Modules,
    names::{Named, resolve},
};

/// The imports of a crate: which file uses which other one, and one of the paths by which it does.
pub(super) type Imports = BTreeMap<(String, String), String>;

/// What the files of `name` need of each other. What tests use is not counted, nor what a file hands on.
pub(super) fn imports(modules: &Modules, name: &str) -> Imports {
    let mut found = Imports::new();
    let own = modules.iter().filter(|(path, module)| path[0] == name && !module.test);
    for (path, module) in own {
        for used in &module.uses {
            let Some(Named::Item(other)) = resolve(modules, path, used) else { continue };
            let (from, to) = (&module.file, &modules[&other].file);
            if other[0] == name && from != to {
                found.insert((from.display().to_string(), to.display().to_string()), used.join("::"));
            }
        }
    }
    found
}

/// The largest sets of files of which each needs, in the end, itself.
pub(super) fn circles(imports: &Imports) -> Vec<BTreeSet<&str>> {
    let graph: DiGraphMap<&str, ()> = imports.keys().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let mut circles: Vec<BTreeSet<&str>> = tarjan_scc(&graph)
        .into_iter()
        .filter(|files| files.len() > 1)
        .map(|files| files.into_iter().collect())
        .collect();
    circles.sort();
    circles
}

/// The imports that make up a circle.
pub(super) fn explain(circle: &BTreeSet<&str>, imports: &Imports) -> String {
    let within =
        |(from, to): &(String, String)| circle.contains(from.as_str()) && circle.contains(to.as_str());
    let links = imports.iter().filter(|(ends, _)| within(ends));
    let told: Vec<_> = links.map(|((from, to), path)| format!("  {from} uses {to} ({path})")).collect();
    told.join("\n")
}
