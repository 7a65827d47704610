//! Regions of pages that are made from something else, between two comments.
//!
//! What always holds: nothing outside of the comments is touched, and to renew twice is to renew
//! once.

use std::env;
use std::fs;

use crate::page::{Page, root};

/// Says on the command line that regions are to be written.
const UPDATE: &str = "UPDATE_EXPECT";

/// The page with `content` between `<!-- NAME -->` and `<!-- /NAME -->`, if it has them.
pub(crate) fn filled(page: &Page, name: &str, content: &str) -> Option<String> {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (before, rest) = page.text.split_once(&open)?;
    let (_, after) = rest.split_once(&close)?;
    Some(format!("{before}{open}\n\n{content}\n{close}{after}"))
}

/// What is wrong with a page that should be `text`; it is made so if the command line says it.
pub(crate) fn stale(page: &Page, text: &str) -> Option<String> {
    if text == page.text {
        return None;
    }
    if env::var_os(UPDATE).is_some() {
        fs::write(root().join(&page.path), text).expect("a page that can be written");
        return None;
    }
    Some(format!("{}: a table is stale; run {UPDATE}=1 cargo test -p book", page.path.display()))
}

#[test]
fn a_region_is_filled_and_then_content() {
    let page = |text: &str| crate::page::page("docs/src/a.md", text);
    assert_eq!(filled(&page("no region"), "x", "new\n"), None);
    assert_eq!(filled(&page("<!-- x -->"), "x", "new\n"), None);
    let once = filled(&page("a <!-- x -->old<!-- /x --> b"), "x", "new\n").unwrap();
    assert_eq!(once, "a <!-- x -->\n\nnew\n\n<!-- /x --> b");
    assert_eq!(filled(&page(&once), "x", "new\n"), Some(once));
}
