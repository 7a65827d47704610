//! The pages of the book, and their parts as a Markdown parser sees them.
//!
//! What always holds: a path is seen from the root of the repository, with `/` between its parts.

use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// Where the pages are.
pub(crate) const SOURCES: &str = "docs/src";

/// The table of contents, which is no page.
const SUMMARY: &str = "SUMMARY.md";

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the book is a folder of the repository")
}

/// All pages, in the order of their paths, and the table of contents.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) pages: Vec<Page>,
    pub(crate) summary: Page,
}

/// One page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// What stands between two fences.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// `rust`, `sh`, `console` and so on.
    pub(crate) language: String,
    pub(crate) text: String,
    /// Where the page goes on.
    pub(crate) end: usize,
}

impl Book {
    pub(crate) fn read() -> Self {
        let mut pages = Vec::new();
        collect(&root().join(SOURCES), &mut pages);
        pages.sort_by(|one, other| one.path.cmp(&other.path));
        let summary = pages.iter().position(|page| page.path.ends_with(SUMMARY));
        let summary = pages.remove(summary.expect("a book has a table of contents"));
        Self { pages, summary }
    }
}

fn collect(folder: &Path, pages: &mut Vec<Page>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            collect(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&path).expect("pages are text");
            let path = path.strip_prefix(root()).expect("it was found there").to_owned();
            pages.push(Page { path, text });
        }
    }
}

impl Page {
    /// Where a link of this page leads to.
    pub(crate) fn target(&self, link: &str) -> PathBuf {
        resolve(self.path.parent().expect("a page is in a folder"), link)
    }

    /// Destinations of links and images, in order.
    pub(crate) fn links(&self) -> Vec<String> {
        let destination = |event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some(dest_url.into_string())
            }
            _ => None,
        };
        parser(&self.text).filter_map(destination).collect()
    }

    /// Fenced blocks, in order.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (event, range) in parser(&self.text).into_offset_iter() {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    let language = language.into_string();
                    open = Some(Block { language, text: String::new(), end: range.end });
                }
                Event::Text(text) => {
                    if let Some(block) = &mut open {
                        block.text.push_str(&text);
                    }
                }
                Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
                _ => {}
            }
        }
        blocks
    }

    /// What its headings are called in a link, as mdBook and repository pages do it.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut anchors = Vec::new();
        let mut heading: Option<String> = None;
        for event in parser(&self.text) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    anchors.extend(heading.take().map(|it| anchor(&it)));
                }
                _ => {}
            }
        }
        anchors
    }
}

fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH)
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.map(|it| if it == ' ' { '-' } else { it }).flat_map(char::to_lowercase).collect()
}

/// `link`, seen from `folder`, without the steps up in it.
pub(crate) fn resolve(folder: &Path, link: &str) -> PathBuf {
    let mut path = folder.to_owned();
    for part in link.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            path.pop();
        } else {
            path.push(part);
        }
    }
    path
}

/// A page of a small book, for the tests of the rules.
#[cfg(test)]
pub(crate) fn page(path: &str, text: &str) -> Page {
    Page { path: path.into(), text: text.into() }
}

#[test]
fn a_page_is_taken_apart_as_markdown() {
    let text = "# A `b`, c!\n\n[one](x.md#y) and ![two](../z.svg)\n\n```rust\nfn f() {}\n```\n\n    [no](no)\n";
    let page = page("docs/src/a/b.md", text);
    assert_eq!(page.links(), ["x.md#y", "../z.svg"]);
    assert_eq!(page.anchors(), ["a-b-c"]);
    let [block] = &page.blocks()[..] else { panic!("{:?}", page.blocks()) };
    assert_eq!((&*block.language, &*block.text), ("rust", "fn f() {}\n"));
    assert!(page.text[block.end..].trim_start().starts_with("[no]"), "{block:?}");
    assert_eq!(page.target("../../x/./y.rs"), Path::new("docs/x/y.rs"));
}
