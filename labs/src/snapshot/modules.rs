//! Which files belong to a crate: those that its `mod` declarations lead to.
//!
//! The paths are those of The Rust Reference, "Module source filenames". A module inside another's
//! braces has no file of its own and is not looked into.

use std::collections::BTreeSet;

use super::ComposeError;
use crate::rust::{self, Kind};
use crate::tree::Tree;

/// Every file that belongs to the crate whose root is `root`.
pub(super) fn reached(tree: &Tree, root: &str) -> Result<BTreeSet<String>, ComposeError> {
    let mut reached = BTreeSet::new();
    let mut to_visit = vec![root.to_owned()];
    while let Some(path) = to_visit.pop() {
        let text = tree.get(&path).ok_or_else(|| ComposeError::missing(&path))?;
        let items = rust::items(text).map_err(|error| ComposeError::syntax(&path, error))?;
        for item in items {
            let Kind::Module { name, path: told } = item.kind else { continue };
            let [file, folder] = files_of(&path, &name, told.as_deref());
            to_visit.push(if tree.get(&folder).is_some() { folder } else { file });
        }
        reached.insert(path);
    }
    Ok(reached)
}

/// The two places where the file of a module may be, unless its declaration tells.
fn files_of(parent: &str, name: &str, told: Option<&str>) -> [String; 2] {
    let (folder, file) = parent.rsplit_once('/').unwrap_or(("", parent));
    if let Some(path) = told {
        return [join(folder, path), join(folder, path)];
    }
    let inside = match file.trim_end_matches(".rs") {
        "lib" | "main" | "mod" => folder.to_owned(),
        parent => join(folder, parent),
    };
    [join(&inside, &format!("{name}.rs")), join(&inside, &format!("{name}/mod.rs"))]
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_where_the_compiler_looks_for_them() {
        let tree: Tree = [
            ("lib.rs", "pub mod http;\nmod json;"),
            ("http.rs", "mod head;\n#[cfg(test)]\n#[path = \"http_tests.rs\"]\nmod tests;"),
            ("http/head.rs", "mod inline { fn f() {} }"),
            ("http_tests.rs", ""),
            ("json/mod.rs", "mod number;"),
            ("json/number.rs", ""),
            ("stale.rs", ""),
        ]
        .into_iter()
        .collect();
        let expected = tree.iter().map(|(path, _)| path.to_owned()).filter(|it| it != "stale.rs");
        assert_eq!(reached(&tree, "lib.rs").unwrap(), expected.collect());
    }

    #[test]
    fn a_module_without_a_file_is_named() {
        let tree = [("lib.rs", "mod http;")].into_iter().collect();
        assert_eq!(reached(&tree, "lib.rs"), Err(ComposeError::missing("http.rs")));
        assert_eq!(reached(&tree, "main.rs"), Err(ComposeError::missing("main.rs")));
    }

    #[test]
    fn what_is_not_rust_is_named_with_its_line() {
        let tree = [("lib.rs", "//! A library.\n\n}\n")].into_iter().collect();
        let error = reached(&tree, "lib.rs").unwrap_err().to_string();
        assert!(error.starts_with("lib.rs:3: "), "{error}");
    }
}
