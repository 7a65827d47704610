//! Files: how one opens, how long it may be, and that no two are equal.

use std::collections::BTreeMap;

use labs::tree::Tree;

use crate::finding::Finding;

/// Most lines of a Rust file before its unit tests: twice the 250 that one idea takes at most.
const LINES_MAX: usize = 500;

/// Files that may be longer, each with its reason.
pub(crate) const LONGER: [(&str, &str); 2] = [
    ("phase0/src/main.rs", "the whole system in one file is the lesson"),
    ("support/testkit/src/contract.rs", "a table: the wire contract, row by row"),
];

/// Every Rust file says in its first line what it is.
pub(crate) fn opening(tree: &Tree) -> Vec<Finding> {
    let says_nothing = tree.rust().filter(|(_, text)| !text.starts_with("//! "));
    says_nothing
        .map(|(path, _)| {
            Finding::at(path, 1, "opens without `//!`: say what it is and what always holds")
        })
        .collect()
}

/// No Rust file is too long, and no exception is longer needed than it is true.
pub(crate) fn lengths(tree: &Tree, longer: &[(&str, &str)]) -> Vec<Finding> {
    let is_longer = |path: &str| longer.iter().any(|(it, _)| *it == path);
    let lengths = tree.rust().map(|(path, text)| (path, code_lines(text)));
    let wrong = lengths.filter(|(path, len)| (*len > LINES_MAX) != is_longer(path));
    let mut findings: Vec<Finding> = wrong
        .map(|(path, len)| {
            let what = if len > LINES_MAX {
                format!("{len} lines before its tests, over {LINES_MAX}: one idea a file")
            } else {
                format!("{len} lines: it need not be among the longer files any more")
            };
            Finding::on(path, what)
        })
        .collect();
    let gone = longer.iter().filter(|(path, _)| tree.get(path).is_none());
    findings.extend(gone.map(|(path, _)| Finding::on(path, "is among the longer files and gone")));
    findings
}

/// The lines before the module of tests that ends a file.
fn code_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let begins_tests =
        |at: &[&str]| at[0] == "#[cfg(test)]" && at[1].starts_with("mod ") && at[1].ends_with('{');
    lines.windows(2).position(begins_tests).unwrap_or(lines.len())
}

/// No two files hold the same.
pub(crate) fn equal(tree: &Tree) -> Vec<Finding> {
    let mut by_text: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, text) in tree.iter() {
        by_text.entry(text).or_default().push(path);
    }
    let equal = by_text.into_values().filter(|paths| paths.len() > 1);
    equal
        .map(|paths| {
            let what = format!("equals {}: keep it in one place", paths[1..].join(", "));
            Finding::on(paths[0], what)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    #[test]
    fn a_file_that_does_not_say_what_it_is_is_found() {
        let tree =
            [("a.rs", "//! A.\n"), ("b.rs", "use std::io;\n//! B.\n"), ("c.rs", ""), ("d.md", "D")];
        let findings = opening(&tree.into_iter().collect());
        let places: Vec<_> = findings.iter().map(|it| &*it.place).collect();
        assert_eq!(places, ["b.rs", "c.rs"]);
    }

    #[test]
    fn a_file_that_is_too_long_is_found_and_its_tests_do_not_count() {
        let long = "\n".repeat(LINES_MAX + 1);
        let tested = format!("{}#[cfg(test)]\nmod tests {{{long}}}", "\n".repeat(LINES_MAX));
        let elsewhere = format!("#[cfg(test)]\nmod tests;{long}");
        let tree: Tree =
            [("a.rs", long), ("b.rs", tested), ("c.rs", elsewhere)].into_iter().collect();
        assert_eq!(
            texts(&lengths(&tree, &[])),
            [
                "a.rs: 501 lines before its tests, over 500: one idea a file",
                "c.rs: 502 lines before its tests, over 500: one idea a file",
            ]
        );
        assert_eq!(lengths(&tree, &[("a.rs", "a table"), ("c.rs", "a table")]), []);
    }

    #[test]
    fn an_exception_that_is_not_needed_any_more_is_found() {
        let tree = [("a.rs", "//! A.\n")].into_iter().collect();
        assert_eq!(
            texts(&lengths(&tree, &[("a.rs", "a table"), ("b.rs", "a table")])),
            [
                "a.rs: 1 lines: it need not be among the longer files any more",
                "b.rs: is among the longer files and gone",
            ]
        );
    }

    #[test]
    fn files_that_hold_the_same_are_found() {
        let tree = [("a", "1"), ("b", "2"), ("c", "1"), ("d", "1")].into_iter().collect();
        assert_eq!(texts(&equal(&tree)), ["a: equals c, d: keep it in one place"]);
    }
}
