//! Where links lead to.
//!
//! What always holds: a link that is relative leads to a file or folder of the repository, and one
//! with a fragment to a heading of a page. What lies outside of the repository is not looked at: no
//! test may need a network.

use std::collections::BTreeSet;
use std::path::Path;

use crate::page::{Book, Page, root};

/// Pages that the table of contents lacks, or has twice.
pub(crate) fn contents(book: &Book) -> Vec<String> {
    let entries: Vec<_> =
        book.summary.links().iter().map(|link| book.summary.target(link)).collect();
    let known: BTreeSet<_> = entries.iter().collect();
    let mut findings = Vec::new();
    if known.len() < entries.len() {
        findings.push(format!("{}: a page stands in it twice", book.summary.path.display()));
    }
    for page in book.pages.iter().filter(|page| !known.contains(&page.path)) {
        findings.push(format!("{}: SUMMARY.md does not have it", page.path.display()));
    }
    findings
}

/// Links that lead nowhere.
pub(crate) fn dead(book: &Book) -> Vec<String> {
    let pages = book.pages.iter().chain([&book.summary]);
    pages.flat_map(|page| dead_of(page, book, |path| root().join(path).exists())).collect()
}

fn dead_of(page: &Page, book: &Book, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let reason = |link: &str| -> Option<&'static str> {
        if link.contains("://") {
            return None;
        }
        let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
        let target = if path.is_empty() { page.path.clone() } else { page.target(path) };
        if !exists(&target) {
            return Some("there is no such file");
        }
        let of_the_book = book.pages.iter().find(|it| it.path == target);
        match (fragment, of_the_book) {
            ("", None) if target.extension().is_some_and(|it| it == "md") => {
                Some("mdBook takes it for a page of the book: link the folder")
            }
            ("", _) => None,
            (fragment, Some(it)) if it.anchors().iter().any(|it| it == fragment) => None,
            (_, Some(_)) => Some("the page has no such heading"),
            (_, None) => Some("a heading outside of the book may change unseen: link the file"),
        }
    };
    let links = page.links();
    let found = links.iter().filter_map(|link| Some((link, reason(link)?)));
    found.map(|(link, reason)| format!("{}: {link}: {reason}", page.path.display())).collect()
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let book = |text: &str| Book {
        pages: vec![
            crate::page::page("docs/src/a.md", text),
            crate::page::page("docs/src/b/c.md", "# One two\n"),
        ],
        summary: crate::page::page("docs/src/SUMMARY.md", "[a](a.md) [c](b/c.md)"),
    };
    let exists = |path: &Path| {
        ["docs/src/a.md", "docs/src/b/c.md", "x.rs", "y.md"].iter().any(|it| path == Path::new(it))
    };
    for good in ["[](b/c.md)", "[](b/c.md#one-two)", "[](../../x.rs)", "[](https://a.b/c)"] {
        let book = book(good);
        assert_eq!(dead_of(&book.pages[0], &book, exists), Vec::<String>::new(), "{good}");
    }
    for bad in [
        "[](b/d.md)",
        "![](y.svg)",
        "[](b/c.md#three)",
        "[](#one-two)",
        "[](../../x.rs#L3)",
        "[](../../y.md)",
    ] {
        let book = book(bad);
        assert_eq!(dead_of(&book.pages[0], &book, exists).len(), 1, "{bad}");
    }
    assert_eq!(contents(&book("")), Vec::<String>::new());
    let mut forgotten = book("");
    forgotten.summary.text = "[a](a.md) [a](a.md)".into();
    assert_eq!(contents(&forgotten).len(), 2);
}
