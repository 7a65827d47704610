//! No phase imports a module that it replaces, and none hands on what it imports.
//!
//! A phase that has its own `json.rs` and still imports an earlier `json` runs two of them, and its
//! snapshot, where only one file can have the name, is another program. A phase that reexports an
//! earlier one hides where a layer was born.

use std::collections::BTreeSet;

use labs::course::CRAFT;
use labs::rust::{as_group, is_word, line, paths};
use labs::tree::Tree;
use proc_macro2::{Delimiter, TokenTree};

use crate::finding::Finding;
use crate::tokens::each_level;

/// The rule about replaced modules. `phases` are the folders of the phases in order.
pub(crate) fn imports(tree: &Tree, phases: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, folder) in phases.iter().enumerate() {
        let own = modules(tree, folder);
        for earlier in &phases[..index] {
            let theirs = modules(tree, earlier);
            let sources = sources(tree, folder);
            each_level(&sources, |path, tokens| {
                for (line, import) in paths_into(tokens, &earlier.replace('-', "_")) {
                    // The deepest module that a path names is the one that it imports from.
                    let prefixes = (1..=import.len()).rev().map(|len| import[..len].join("::"));
                    let module = { prefixes }.find(|prefix| theirs.contains(prefix));
                    if let Some(module) = module.filter(|module| own.contains(module)) {
                        let what = format!(
                            "imports {module} of {earlier}, which {folder} replaces: use crate::{module}"
                        );
                        findings.push(Finding::at(path, line, what));
                    }
                }
            });
        }
    }
    findings
}

/// The rule about handing on.
pub(crate) fn reexports(tree: &Tree, phases: &[String]) -> Vec<Finding> {
    let craft = CRAFT.replace('-', "_");
    let is_ours = |token: &TokenTree| matches!(token, TokenTree::Ident(it) if it.to_string().starts_with(&craft));
    let mut findings = Vec::new();
    for folder in phases {
        each_level(&sources(tree, folder), |path, tokens| {
            for (index, token) in tokens.iter().enumerate() {
                let is_scoped = as_group(tokens.get(index + 1), Delimiter::Parenthesis).is_some();
                let import = index + 1 + usize::from(is_scoped);
                let is_reexport = is_word(Some(token), "pub") && is_word(tokens.get(import), "use");
                if is_reexport && tokens.get(import + 1).is_some_and(is_ours) {
                    let what = "hands on what it imports: whoever needs it imports it from where it was born";
                    findings.push(Finding::at(path, line(token), what));
                }
            }
        });
    }
    findings
}

/// The sources of a crate, with their whole paths.
fn sources(tree: &Tree, folder: &str) -> Tree {
    let folder = format!("{folder}/src/");
    tree.iter().filter(|(path, _)| path.starts_with(&folder)).collect()
}

/// The modules of a crate as `http::head`. What each crate has for itself is none of them.
fn modules(tree: &Tree, folder: &str) -> BTreeSet<String> {
    let sources = tree.under(&format!("{folder}/src"));
    let module = |path: &str| {
        let path = path.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
        (path != "lib" && path != "main").then_some(path)
    };
    sources.rust().filter_map(|(path, _)| module(path)).collect()
}

/// Every path on this level that begins with `name`, without it, and its line.
fn paths_into(tokens: &[TokenTree], name: &str) -> Vec<(usize, Vec<String>)> {
    let begins = |(_, token): &(usize, &TokenTree)| is_word(Some(token), name);
    let into = |(index, token): (usize, &TokenTree)| {
        let line = line(token);
        let paths = paths(&tokens[index..]).into_iter();
        paths.map(move |path| (line, path.parts[1..].to_vec())).collect::<Vec<_>>()
    };
    tokens.iter().enumerate().filter(begins).flat_map(into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    const PHASES: [&str; 2] = ["craft1-phase1", "craft1-phase2"];

    fn course(second: &[(&str, &str)]) -> (Tree, Vec<String>) {
        let first = [
            ("craft1-phase1/src/lib.rs", ""),
            ("craft1-phase1/src/json.rs", ""),
            ("craft1-phase1/src/http.rs", ""),
            ("craft1-phase1/src/http/limits.rs", ""),
        ];
        (first.iter().chain(second).copied().collect(), PHASES.map(String::from).to_vec())
    }

    #[test]
    fn an_import_of_a_replaced_module_is_found_wherever_it_hides() {
        let (tree, phases) = course(&[
            ("craft1-phase2/src/json.rs", ""),
            ("craft1-phase2/src/http.rs", ""),
            ("craft1-phase2/src/a.rs", "use craft1_phase1::json as old;"),
            ("craft1-phase2/src/b.rs", "use craft1_phase1::{server,\nhttp::{self, Request}};"),
            ("craft1-phase2/src/main.rs", "fn main() { x!(craft1_phase1::json); }"),
        ]);
        assert_eq!(
            texts(&imports(&tree, &phases)),
            [
                "craft1-phase2/src/a.rs:1: imports json of craft1-phase1, which craft1-phase2 \
                 replaces: use crate::json",
                "craft1-phase2/src/b.rs:1: imports http of craft1-phase1, which craft1-phase2 \
                 replaces: use crate::http",
                "craft1-phase2/src/b.rs:1: imports http of craft1-phase1, which craft1-phase2 \
                 replaces: use crate::http",
                "craft1-phase2/src/main.rs:1: imports json of craft1-phase1, which craft1-phase2 \
                 replaces: use crate::json",
            ]
        );
    }

    #[test]
    fn an_import_of_what_is_not_replaced_is_allowed() {
        let (tree, phases) = course(&[
            ("craft1-phase2/src/lib.rs", "//! Not [`craft1_phase1::http`]."),
            ("craft1-phase2/src/http.rs", "use craft1_phase1::http::limits::MAX;"),
            ("craft1-phase2/src/a.rs", "use craft1_phase1::{json, server};"),
            ("craft1-phase2/tests/lab_json.rs", "use craft1_phase1::http;"),
        ]);
        assert_eq!(imports(&tree, &phases), []);
    }

    #[test]
    fn handing_on_an_earlier_phase_is_found() {
        let (tree, phases) = course(&[
            ("craft1-phase2/src/a.rs", "pub use std::io;\npub use craft1_phase1::json;"),
            ("craft1-phase2/src/b.rs", "mod c { pub(crate) use craft1_phase1::http::*; }"),
            ("craft1-phase2/src/d.rs", "use craft1_phase1::json; pub(crate) use json::parse;"),
        ]);
        let findings = reexports(&tree, &phases);
        let places: Vec<_> = findings.iter().map(|it| (&*it.place, it.line)).collect();
        assert_eq!(places, [("craft1-phase2/src/a.rs", 2), ("craft1-phase2/src/b.rs", 1)]);
    }
}
