//! Which modules of a crate use which others, read from its source.
//!
//! A module is a file here; what a file declares inline (`mod inner { … }`) belongs to it. A use is a path to
//! something in another module: in a `use` declaration, in an expression, a type, a pattern, or among the tokens
//! of a macro call. A path through a re-export counts for the module that defines the thing, so that a re-export
//! cannot hide a circle, and a re-export by itself (`pub use`) uses nothing. Whatever is only there for tests
//! (`#[cfg(test)]`) is not read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::graph::{Circle, Graph};

/// The path of a module from the root of its crate: empty for the root itself.
type ModulePath = Vec<String>;

/// All modules of one crate.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    by_path: BTreeMap<ModulePath, Module>,
    /// Their files.
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct Module {
    /// The module that has the file: itself, unless it is declared inline.
    file: ModulePath,
    /// What is defined here, by name.
    items: BTreeSet<String>,
    /// What `use` brings in, by the name it has here.
    imports: BTreeMap<String, Vec<String>>,
    /// What `use …::*` brings in.
    globs: Vec<Glob>,
    /// The paths in the code, those of `use` included unless they are there for others.
    paths: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Glob {
    path: Vec<String>,
    /// Whether it is there for others (`pub`, `pub(crate)` and so on).
    is_reexport: bool,
}

/// What a path leads to.
#[derive(Debug, PartialEq)]
enum Target {
    /// A module itself.
    Module(ModulePath),
    /// Something that is defined in this module.
    Item(ModulePath),
}

impl Modules {
    /// Reads a crate from its root file (`lib.rs` or `main.rs`) on.
    ///
    /// # Panics
    ///
    /// If a file cannot be read or is not Rust.
    pub(crate) fn read(root: &Path) -> Self {
        let mut modules = Self::default();
        let folder = root.parent().unwrap_or(root);
        modules.read_file(root, folder, &[]);
        modules
    }

    fn read_file(&mut self, file: &Path, folder: &Path, path: &[String]) {
        let text = std::fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if is_for_tests(&parsed.attrs) {
            return;
        }
        self.files.push(file.to_owned());
        let children = self.add(path, path, &parsed.items);
        for child in children {
            let name = child.last().cloned().unwrap_or_default();
            let (file, folder) = find(folder, &name);
            self.read_file(&file, &folder, &child);
        }
    }

    /// Takes over the items of a module, and returns the modules that have files of their own.
    fn add(&mut self, path: &[String], file: &[String], items: &[syn::Item]) -> Vec<ModulePath> {
        let mut reader = Reader::default();
        for item in items {
            reader.visit_item(item);
        }
        let module = Module {
            file: file.to_vec(),
            ..reader.module
        };
        self.by_path.insert(path.to_vec(), module);
        for (name, items) in reader.inline {
            let inner = child_of(path, &name);
            let files = self.add(&inner, file, &items);
            assert!(
                files.is_empty(),
                "{files:?}: a file inside an inline module"
            );
        }
        let files = reader.files.iter();
        files.map(|name| child_of(path, name)).collect()
    }

    /// The circles of the crate, as its file tree shows them: among the files and folders at the top, and among
    /// those within each folder. A folder is all that is in it. What a module and its own folder use of each
    /// other does not count: they are one subject, and nobody else sees it.
    pub(crate) fn circles(&self) -> Vec<Circle> {
        let mut levels: BTreeMap<ModulePath, Graph> = BTreeMap::new();
        for (from, to) in self.uses() {
            let shared = from
                .iter()
                .zip(&to)
                .take_while(|(from, to)| from == to)
                .count();
            let (level, from) = from.split_at(shared);
            let Some((from, to)) = from.first().zip(to.get(shared)) else {
                continue;
            };
            let name = |module: &String| name_of(&child_of(level, module));
            let graph = levels.entry(level.to_vec()).or_default();
            graph.add_use(&name(from), &name(to));
        }
        levels.values().flat_map(Graph::circles).collect()
    }

    /// Which file uses which other.
    fn uses(&self) -> BTreeSet<(ModulePath, ModulePath)> {
        let mut uses = BTreeSet::new();
        for (here, module) in &self.by_path {
            let mut note = |target: &ModulePath| {
                uses.insert((module.file.clone(), self.file(target)));
            };
            for path in &module.paths {
                // To name a module is not yet to use what is in it.
                if let Some(Target::Item(target)) = self.resolve(here, path, &mut Vec::new()) {
                    note(&target);
                }
            }
            for glob in module.globs.iter().filter(|glob| !glob.is_reexport) {
                if let Some(Target::Module(target)) =
                    self.resolve(here, &glob.path, &mut Vec::new())
                {
                    note(&target);
                }
            }
        }
        uses
    }

    fn file(&self, module: &ModulePath) -> ModulePath {
        self.by_path
            .get(module)
            .map_or_else(ModulePath::new, |module| module.file.clone())
    }

    /// Where a path that is written in module `here` leads, if it leads into this crate.
    fn resolve(
        &self,
        here: &ModulePath,
        path: &[String],
        under_way: &mut Vec<(ModulePath, String)>,
    ) -> Option<Target> {
        let mut at = here.clone();
        let mut rest = path;
        let mut is_relative = true;
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" => at = ModulePath::new(),
                "self" => {}
                "super" => {
                    at.pop()?;
                }
                _ => break,
            }
            is_relative = false;
            rest = others;
        }
        let Some((first, others)) = rest.split_first() else {
            return Some(Target::Module(at));
        };
        if is_relative {
            // A name that is neither a module here nor brought in is a crate's, a local one, or the prelude's.
            let module = self.by_path.get(&at)?;
            let is_known = self.by_path.contains_key(&child_of(&at, first))
                || module.imports.contains_key(first);
            if !is_known {
                return None;
            }
        }
        self.member(&at, first, others, under_way)
    }

    /// What `name` is in module `at`, and what `others` then lead to.
    fn member(
        &self,
        at: &ModulePath,
        name: &str,
        others: &[String],
        under_way: &mut Vec<(ModulePath, String)>,
    ) -> Option<Target> {
        let child = child_of(at, name);
        if self.by_path.contains_key(&child) {
            return match others.split_first() {
                None => Some(Target::Module(child)),
                Some((next, others)) => self.member(&child, next, others, under_way),
            };
        }
        let module = self.by_path.get(at)?;
        if module.items.contains(name) {
            return Some(Target::Item(at.clone()));
        }
        let step = (at.clone(), name.to_owned());
        if under_way.contains(&step) {
            return None;
        }
        under_way.push(step);
        if let Some(import) = module.imports.get(name) {
            let path: Vec<String> = import.iter().chain(others).cloned().collect();
            return self.resolve(at, &path, under_way);
        }
        let mut through_globs = module.globs.iter().filter_map(|glob| {
            let Some(Target::Module(target)) = self.resolve(at, &glob.path, under_way) else {
                return None;
            };
            match self.member(&target, name, others, under_way)? {
                Target::Item(found) if found == target && !self.defines(&found, name) => None,
                found => Some(found),
            }
        });
        // What is not found is made by a macro of the module.
        let found = through_globs.next();
        Some(found.unwrap_or_else(|| Target::Item(at.clone())))
    }

    fn defines(&self, module: &ModulePath, name: &str) -> bool {
        self.by_path
            .get(module)
            .is_some_and(|module| module.items.contains(name))
    }
}

/// Reads what one module defines and names.
#[derive(Default)]
struct Reader {
    module: Module,
    /// Modules with files of their own.
    files: Vec<String>,
    /// Modules that are declared inline.
    inline: Vec<(String, Vec<syn::Item>)>,
}

impl Reader {
    fn define(&mut self, item: &syn::Item) {
        let name = match item {
            syn::Item::Const(item) => &item.ident,
            syn::Item::Enum(item) => &item.ident,
            syn::Item::Fn(item) => &item.sig.ident,
            syn::Item::Static(item) => &item.ident,
            syn::Item::Struct(item) => &item.ident,
            syn::Item::Trait(item) => &item.ident,
            syn::Item::TraitAlias(item) => &item.ident,
            syn::Item::Type(item) => &item.ident,
            syn::Item::Union(item) => &item.ident,
            syn::Item::Macro(item) => match &item.ident {
                Some(name) => name,
                None => return,
            },
            _ => return,
        };
        self.module.items.insert(name.to_string());
    }

    fn import(&mut self, tree: &syn::UseTree, before: &[String], is_reexport: bool) {
        let with = |name: &syn::Ident| {
            let name = name.to_string();
            // `use a::b::{self}` brings in `b`.
            if name == "self" && !before.is_empty() {
                before.to_vec()
            } else {
                before.iter().cloned().chain([name]).collect::<Vec<_>>()
            }
        };
        let (name, path) = match tree {
            syn::UseTree::Path(path) => {
                return self.import(&path.tree, &with(&path.ident), is_reexport);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before, is_reexport);
                }
                return;
            }
            syn::UseTree::Glob(_) => {
                let path = before.to_vec();
                self.module.globs.push(Glob { path, is_reexport });
                return;
            }
            syn::UseTree::Name(name) => {
                let path = with(&name.ident);
                (path.last().cloned().unwrap_or_default(), path)
            }
            syn::UseTree::Rename(rename) if rename.rename == "_" => {
                let path = with(&rename.ident);
                (format!("_ {}", path.join("::")), path)
            }
            syn::UseTree::Rename(rename) => (rename.rename.to_string(), with(&rename.ident)),
        };
        if !is_reexport {
            self.module.paths.push(path.clone());
        }
        self.module.imports.insert(name, path);
    }

    /// The paths among the tokens of a macro call.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.note(&mut path);
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.note(&mut path);
                    colons = 0;
                    self.read_tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.note(&mut path);
                    colons = 0;
                }
            }
        }
        self.note(&mut path);
    }

    fn note(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.module.paths.push(path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        self.define(item);
        match item {
            syn::Item::Mod(module) => {
                let name = module.ident.to_string();
                match &module.content {
                    None => self.files.push(name),
                    Some((_, items)) => self.inline.push((name, items.clone())),
                }
            }
            syn::Item::Use(import) => {
                let is_reexport = !matches!(import.vis, syn::Visibility::Inherited);
                self.import(&import.tree, &[], is_reexport);
            }
            other => visit::visit_item(self, other),
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            syn::ImplItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !is_for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_expr_block(&mut self, block: &'ast syn::ExprBlock) {
        if !is_for_tests(&block.attrs) {
            visit::visit_expr_block(self, block);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            self.module.paths.push(segments.by_ref().collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.read_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.read_tokens(list.tokens.clone());
        }
    }
}

/// Whether something is compiled for tests alone.
pub(crate) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<syn::Meta>()
                    .is_ok_and(|condition| needs_test(&condition))
    })
}

/// Whether a condition only holds in tests: `test`, or `all(…)` with it.
fn needs_test(condition: &syn::Meta) -> bool {
    match condition {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(
                syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated,
            )
            .is_ok_and(|conditions| conditions.iter().any(needs_test)),
        _ => false,
    }
}

/// The attributes of an item.
pub(crate) fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::ExternCrate(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::ForeignMod(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::TraitAlias(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The file of a module that is declared in a file with this folder, and the folder of its own modules.
fn find(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let own = folder.join(name);
    let beside = folder.join(format!("{name}.rs"));
    if beside.is_file() {
        (beside, own)
    } else {
        (own.join("mod.rs"), own)
    }
}

fn child_of(path: &[String], name: &str) -> ModulePath {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

fn name_of(path: &[String]) -> String {
    if path.is_empty() {
        "crate".to_owned()
    } else {
        path.join("::")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The circles of a crate of these files, each as its way round.
    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let modules = Modules::read(&folder.path().join("lib.rs"));
        let circles = modules.circles().into_iter();
        circles.map(|circle| circle.way_round).collect()
    }

    const NONE: [&str; 0] = [];
    const LIB: (&str, &str) = ("lib.rs", "mod a; mod b;");
    const A_USES_B: (&str, &str) = ("a.rs", "use crate::b::B; pub struct A(B); pub fn make() {}");

    #[test]
    fn imports_in_one_direction_are_no_circle() {
        assert_eq!(circles(&[LIB, A_USES_B, ("b.rs", "pub struct B;")]), NONE);
    }

    #[test]
    fn imports_in_both_directions_are_a_circle() {
        let b = "use super::a::A; pub struct B(Box<A>);";
        assert_eq!(circles(&[LIB, A_USES_B, ("b.rs", b)]), ["a → b → a"]);
    }

    #[test]
    fn paths_in_code_types_attributes_and_macros_count_as_imports() {
        for way in [
            "pub fn b() { crate::a::make(); }",
            "pub fn b(_: &super::a::A) {}",
            "pub fn b() { println!(\"{}\", 1 + crate::a::make()); }",
            "pub fn b() { vec![(1, super::a::make())]; }",
            "use crate::a; pub fn b() { a::make(); }",
            "use crate::a as other; pub fn b() { other::make(); }",
            "use crate::a::*; pub fn b() {}",
            "use crate::a::A as _;",
            "use crate::{a::{self}}; pub fn b() { a::make(); }",
            "pub struct S(#[some(crate::a::make)] u8);",
            "mod inner { pub fn c() { super::super::a::make() } }",
            "pub fn b() { use crate::a::make; make(); }",
            "pub fn b() { if let crate::a::A(_) = c {} }",
        ] {
            let b = format!("pub struct B; {way}");
            assert_eq!(
                circles(&[LIB, A_USES_B, ("b.rs", &b)]),
                ["a → b → a"],
                "{way}"
            );
        }
    }

    #[test]
    fn a_re_export_does_not_hide_a_circle_and_is_none_itself() {
        let lib = ("lib.rs", "mod a; mod b; pub use a::A; pub use b::*;");
        let a = ("a.rs", "use crate::B; pub struct A(B);");
        let b = ("b.rs", "use crate::A; pub struct B(Box<A>);");
        assert_eq!(circles(&[lib, a, b]), ["a → b → a"]);
        assert_eq!(circles(&[lib, a, ("b.rs", "pub struct B;")]), NONE);
    }

    #[test]
    fn what_only_tests_import_does_not_count() {
        let b = "#[cfg(test)] use crate::a::A; pub struct B; \
                 #[cfg(test)] mod tests { use crate::a::A; } \
                 #[cfg(all(unix, test))] fn c() { crate::a::A; } \
                 impl B { #[cfg(test)] fn d() { crate::a::A; } }";
        assert_eq!(circles(&[LIB, A_USES_B, ("b.rs", b)]), NONE);
    }

    #[test]
    fn what_is_compiled_without_tests_too_counts() {
        for condition in ["not(test)", "any(test, unix)"] {
            let b = format!("#[cfg({condition})] use crate::a::A; pub struct B;");
            assert_eq!(circles(&[LIB, A_USES_B, ("b.rs", &b)]), ["a → b → a"]);
        }
    }

    #[test]
    fn a_folder_is_one_with_what_is_in_it() {
        let files = [
            LIB,
            (
                "a/mod.rs",
                "mod deep; pub struct A; pub fn a() { deep::deep() }",
            ),
            (
                "a/deep.rs",
                "use super::A; use crate::b::B; pub fn deep() {}",
            ),
            ("b.rs", "pub struct B;"),
        ];
        assert_eq!(circles(&files), NONE);
        let mut files = files;
        files[3].1 = "pub struct B; use crate::a::A;";
        assert_eq!(circles(&files), ["a → b → a"]);
    }

    #[test]
    fn a_circle_within_a_folder_is_found() {
        let found = circles(&[
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod c; mod d;"),
            ("a/c.rs", "use super::d; pub fn c() { d::d() }"),
            ("a/d.rs", "pub fn d() { crate::a::c::c() }"),
        ]);
        assert_eq!(found, ["a::c → a::d → a::c"]);
    }
}
