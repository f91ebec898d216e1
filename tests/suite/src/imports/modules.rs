//! The modules of a crate, as its files declare them: what each defines, imports and names.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    path::{Path, PathBuf},
};

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::{
    Attribute, Expr, ExprLit, ItemMod, ItemUse, Lit, Meta, UseTree, Visibility,
    ext::IdentExt,
    visit::{self, Visit},
};

/// A path in segments. Of a module: its crate, then its ancestors, then itself. As written: what stands between the colons, and
/// an empty segment first where it begins with colons.
pub(super) type Segments = Vec<String>;

/// A module.
#[derive(Default)]
pub(super) struct Module {
    /// Where it is written, inline modules included; from the root of the workspace.
    pub(super) file: PathBuf,
    /// Whether it is compiled for tests alone.
    pub(super) test: bool,
    /// What it defines itself.
    pub(super) items: BTreeSet<String>,
    /// What its names are short for.
    pub(super) names: BTreeMap<String, Segments>,
    /// Whose names it takes all.
    pub(super) globs: Vec<Segments>,
    /// What it uses: what it imports for itself, and what stands in its code.
    pub(super) uses: BTreeSet<Segments>,
    /// What it imports for others. It needs nothing of that itself: who imports it from here uses what it names.
    pub(super) reexports: BTreeSet<Segments>,
}

/// All modules, by path.
pub(super) type Modules = BTreeMap<Segments, Module>;

/// Adds the crate `name` with this root file, and every module it declares that `read` knows.
pub(super) fn add_crate(
    name: &str,
    root: &Path,
    read: &dyn Fn(&Path) -> Option<String>,
    modules: &mut Modules,
) {
    let folder = root.parent().expect("a folder");
    add_file(vec![name.to_owned()], root.to_owned(), folder, false, read, modules);
}

fn add_file(
    path: Segments,
    file: PathBuf,
    folder: &Path,
    test: bool,
    read: &dyn Fn(&Path) -> Option<String>,
    modules: &mut Modules,
) {
    let source = read(&file).unwrap_or_else(|| panic!("{} cannot be read", file.display()));
    let parsed = syn::parse_file(&source).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let module = Module { file, test, ..Module::default() };
    let mut reader = Reader { path, module, declared: Vec::new(), modules };
    reader.visit_file(&parsed);
    let Reader { path, module, declared, .. } = reader;
    modules.insert(path, module);
    for (path, at, test) in declared {
        let here = path[1..].iter().fold(folder.to_owned(), |folder, name| folder.join(name));
        let files = [
            at.map(|at| folder.join(at)).unwrap_or_default(),
            here.with_extension("rs"),
            here.join("mod.rs"),
        ];
        let file = files.into_iter().find(|file| read(file).is_some());
        let file = file.unwrap_or_else(|| panic!("{} should have a file", path.join("::")));
        add_file(path, file, folder, test, read, modules);
    }
}

struct Reader<'a> {
    path: Segments,
    module: Module,
    /// Modules that are files of their own, the file where they say which, and whether for tests alone.
    declared: Vec<(Segments, Option<String>, bool)>,
    modules: &'a mut Modules,
}

impl Reader<'_> {
    fn import(&mut self, tree: &UseTree, before: &Segments, public: bool) {
        let with = |name: &syn::Ident| {
            let name = name.unraw().to_string();
            // `{self}` is what stands before the braces.
            let itself = name == "self" && !before.is_empty();
            before.iter().cloned().chain((!itself).then_some(name)).collect::<Segments>()
        };
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(&path.ident), public),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(tree, before, public));
            }
            UseTree::Glob(_) => self.module.globs.push(before.clone()),
            UseTree::Name(name) => {
                let path = with(&name.ident);
                self.name(path.last().cloned().unwrap_or_default(), path, public);
            }
            UseTree::Rename(rename) => {
                self.name(rename.rename.unraw().to_string(), with(&rename.ident), public);
            }
        }
    }

    fn name(&mut self, name: String, path: Segments, public: bool) {
        let module = &mut self.module;
        if public { &mut module.reexports } else { &mut module.uses }.insert(path.clone());
        module.names.insert(name, path);
    }

    /// What a macro is given is no syntax yet: paths are names with colons between.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path = Segments::new();
        let mut colons = 0;
        let mut after_dot = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.used(mem::take(&mut path));
                    }
                    // What follows a dot is a field or a method.
                    if !after_dot {
                        path.push(ident.unraw().to_string());
                    }
                    (colons, after_dot) = (0, false);
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    let joint = colons == 1 || punct.spacing() == Spacing::Joint;
                    colons = if joint { colons + 1 } else { 0 };
                }
                other => {
                    self.used(mem::take(&mut path));
                    colons = 0;
                    after_dot = matches!(&other, TokenTree::Punct(punct) if punct.as_char() == '.');
                    if let TokenTree::Group(group) = other {
                        self.read_tokens(group.stream());
                    }
                }
            }
        }
        self.used(path);
    }

    fn used(&mut self, path: Segments) {
        if !path.is_empty() {
            self.module.uses.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.unraw().to_string();
        let test = self.module.test || item.attrs.iter().any(is_for_tests);
        let mut path = self.path.clone();
        path.push(name);
        let Some((_, items)) = &item.content else {
            return self.declared.push((path, item.attrs.iter().find_map(file), test));
        };
        let inline = Module { file: self.module.file.clone(), test, ..Module::default() };
        let (outer_path, outer) =
            (mem::replace(&mut self.path, path), mem::replace(&mut self.module, inline));
        for item in items {
            self.visit_item(item);
        }
        let (path, inline) =
            (mem::replace(&mut self.path, outer_path), mem::replace(&mut self.module, outer));
        self.modules.insert(path, inline);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let before = if item.leading_colon.is_some() { vec![String::new()] } else { Vec::new() };
        self.import(&item.tree, &before, !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        use syn::Item;
        let defined = match item {
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Macro(item) => item.ident.as_ref(),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        self.module.items.extend(defined.map(|name| name.unraw().to_string()));
        visit::visit_item(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let colons = path.leading_colon.as_ref().map(|_| String::new());
        let names = path.segments.iter().map(|segment| segment.ident.unraw().to_string());
        self.used(colons.into_iter().chain(names).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.read_tokens(call.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.read_tokens(list.tokens.clone());
    }

    /// `pub(super)` uses nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// The file that `#[path = "…"]` names, beside the root of the crate.
fn file(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        Expr::Lit(ExprLit { lit: Lit::Str(file), .. }) if pair.path.is_ident("path") => Some(file.value()),
        _ => None,
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
}
