//! Snippets: parts of the crates themselves, so that they compile and cannot grow old.
//!
//! What always holds: a block of Rust is one include and nothing else. The file is there, and so is
//! the region. The paragraph behind it links the file, for readers on a repository page, where an
//! include is not filled in.

use std::fs;
use std::path::Path;

use crate::page::{Block, Book, Page, root};

/// What opens an include, and what closes it.
const INCLUDE: (&str, &str) = ("{{#include ", "}}");

/// Blocks of Rust that are no snippets as they should be.
pub(crate) fn wrong(book: &Book) -> Vec<String> {
    let read = |path: &Path| fs::read_to_string(root().join(path)).ok();
    book.pages.iter().flat_map(|page| wrong_of(page, read)).collect()
}

fn wrong_of(page: &Page, read: impl Fn(&Path) -> Option<String>) -> Vec<String> {
    let blocks = page.blocks();
    let rust = blocks.iter().filter(|block| block.language.starts_with("rust"));
    let found = rust.filter_map(|block| Some((block, reason(page, block, &read)?)));
    found
        .map(|(block, reason)| format!("{}: {}: {reason}", page.path.display(), block.text.trim()))
        .collect()
}

fn reason(
    page: &Page,
    block: &Block,
    read: impl Fn(&Path) -> Option<String>,
) -> Option<&'static str> {
    let inside =
        block.text.trim().strip_prefix(INCLUDE.0).and_then(|it| it.strip_suffix(INCLUDE.1));
    let Some((link, region)) = inside.map(|it| it.rsplit_once(':').unwrap_or((it, ""))) else {
        return Some("not an include");
    };
    let Some(file) = read(&page.target(link)) else { return Some("there is no such file") };
    let has = |what: &str| file.lines().any(|line| line.trim() == format!("// {what}: {region}"));
    let is_whole_file = region.is_empty();
    if !is_whole_file && (!has("ANCHOR") || !has("ANCHOR_END")) {
        return Some("the file has no such region");
    }
    let behind = page.text[block.end..].split("\n\n").map(str::trim);
    let paragraph = behind.filter(|it| !it.is_empty()).find(|it| !it.starts_with("```"));
    let names_it = paragraph.is_some_and(|it| it.contains(&format!("]({link})")));
    (!names_it).then_some("the paragraph behind it does not link the file")
}

#[test]
fn a_snippet_that_is_no_region_of_a_file_is_found() {
    let read = |path: &Path| {
        let text = "fn f() {}\n// ANCHOR: g\nfn g() {}\n// ANCHOR_END: g\n// ANCHOR: open\n";
        (path == Path::new("x.rs")).then(|| text.to_owned())
    };
    let with = |include: &str, behind: &str| {
        let text = format!("```rust\n{include}\n```\n\n{behind}\n");
        wrong_of(&crate::page::page("docs/src/a.md", &text), read)
    };
    for good in ["{{#include ../../x.rs:g}}", "{{#include ../../x.rs}}"] {
        assert_eq!(with(good, "From [x](../../x.rs)."), Vec::<String>::new(), "{good}");
        let twice = format!("```rust\n{good}\n```\n\nFrom [x](../../x.rs).");
        assert_eq!(with(good, &twice), Vec::<String>::new(), "two of one file, and one link");
        assert_eq!(with(good, "Nothing.\n\n[x](../../x.rs)").len(), 1, "{good}");
    }
    for bad in [
        "fn f() {}",
        "{{#include ../../x.rs:g}}\nfn f() {}",
        "{{#include ../../y.rs:g}}",
        "{{#include ../../x.rs:h}}",
        "{{#include ../../x.rs:open}}",
    ] {
        assert_eq!(with(bad, "From [x](../../x.rs), [y](../../y.rs).").len(), 1, "{bad}");
    }
}
