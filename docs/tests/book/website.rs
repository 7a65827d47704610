//! The book as a website, made by mdBook.
//!
//! What always holds: a link of the website leads to a part of it, or to a file of the repository
//! where the website stands in its place, `docs/book`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::page::{resolve, root};

/// Where a website stands that was built in its place.
const PLACE: &str = "docs/book";

/// What stands in front of the destination of a link or a picture.
const DESTINATIONS: [&str; 2] = ["href=\"", "src=\""];

/// Builds it somewhere else, and looks at every link.
pub(crate) fn dead_links() -> Vec<String> {
    let folder = testkit::DataFolder::new();
    let website = folder.path().join("website");
    let built = Command::new("mdbook")
        .args(["build", "docs", "--dest-dir"])
        .arg(&website)
        .current_dir(root())
        .output()
        .expect("mdbook is installed");
    let says = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(built.status.success(), "{says}");
    let mut findings: Vec<String> = says
        .lines()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"))
        .map(str::to_owned)
        .collect();
    for page in pages(&website) {
        let text = fs::read_to_string(&page).expect("a page is text");
        let place = Path::new(PLACE).join(page.strip_prefix(&website).expect("it is inside"));
        for link in destinations(&text) {
            let target = resolve(place.parent().expect("a page is in a folder"), link);
            let is_there = match target.strip_prefix(PLACE) {
                Ok(inside) => website.join(inside).exists(),
                Err(_) => root().join(&target).exists(),
            };
            if !is_there {
                findings.push(format!("{}: {link} leads nowhere", place.display()));
            }
        }
    }
    findings
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder).expect("a website is a folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            pages.extend(self::pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "html") {
            pages.push(path);
        }
    }
    pages
}

/// Relative destinations, without what stands behind `#` or `?`.
fn destinations(html: &str) -> Vec<&str> {
    let all = DESTINATIONS.iter().flat_map(|start| html.split(start).skip(1));
    let link = |rest: &'_ str| -> Option<usize> { rest.find(['"', '#', '?']) };
    all.filter_map(|rest| Some(&rest[..link(rest)?]))
        .filter(|link| !link.is_empty() && !link.contains(':') && !link.starts_with('/'))
        .collect()
}

#[test]
fn destinations_are_those_of_links_and_pictures() {
    let html =
        r##"<a href="a/b.html#c">x</a><img src="d.svg"><a href="#e"><a href="https://f/g">"##;
    assert_eq!(destinations(html), ["a/b.html", "d.svg"]);
}
