//! The labs of a chapter, as a table that is made from their pages.
//!
//! What always holds: a lab stands in the chapter that its page names, with its kind, its title and
//! its minutes as they are today, and no chapter names a lab that is not there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::page::{Book, Page, SOURCES, root};
use crate::regions;

const CATALOG: &str = "labs/catalog";
/// Where the labs of a chapter stand, and where all of them do.
const OF_A_CHAPTER: &str = "labs";
const ALL: &str = "all labs";

/// A lab's page, as far as a chapter tells of it.
#[derive(Debug, Deserialize)]
struct Lab {
    title: String,
    chapter: PathBuf,
    minutes: u32,
    build: Option<toml::Table>,
    extend: Option<toml::Table>,
    #[serde(rename = "break")]
    breaking: Option<toml::Table>,
    model: Option<toml::Table>,
}

/// The kinds in the order of a chapter.
const KINDS: [&str; 5] = ["build", "extend", "break", "model", "measure"];

impl Lab {
    /// Its place in [`KINDS`].
    fn kind(&self) -> usize {
        let tables = [&self.build, &self.extend, &self.breaking, &self.model];
        tables.iter().position(|table| table.is_some()).unwrap_or(tables.len())
    }
}

fn catalog() -> BTreeMap<String, Lab> {
    let folders = fs::read_dir(root().join(CATALOG)).expect("a catalog of labs");
    let lab = |folder: PathBuf| {
        let page = fs::read_to_string(folder.join("lab.toml")).ok()?;
        let lab =
            toml::from_str(&page).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        Some((folder.file_name()?.to_str()?.to_owned(), lab))
    };
    folders.filter_map(|entry| lab(entry.expect("a readable folder").path())).collect()
}

/// Chapters whose table is not what the labs say.
pub(crate) fn stale(book: &Book) -> Vec<String> {
    let catalog = catalog();
    let mut findings: Vec<String> = catalog
        .iter()
        .filter(|(_, lab)| !book.pages.iter().any(|page| page.path == chapter(lab)))
        .map(|(id, lab)| format!("{id}: there is no chapter {}", lab.chapter.display()))
        .collect();
    for page in &book.pages {
        findings.extend(match with_table(page, &catalog) {
            Ok(text) => regions::stale(page, &text),
            Err(what) => Some(format!("{}: {what}", page.path.display())),
        });
    }
    findings
}

fn chapter(lab: &Lab) -> PathBuf {
    Path::new(SOURCES).join(&lab.chapter)
}

/// The page as it should be: with the labs of its chapter, or with all of them.
fn with_table(page: &Page, catalog: &BTreeMap<String, Lab>) -> Result<String, String> {
    let of_it: Vec<_> = catalog.iter().filter(|(_, lab)| page.path == chapter(lab)).collect();
    let all = catalog.iter().collect();
    if let Some(text) = regions::filled(page, ALL, &table(page, all)) {
        return Ok(text);
    }
    let is_chapter = !of_it.is_empty();
    match regions::filled(page, OF_A_CHAPTER, &table(page, of_it)) {
        Some(text) => Ok(text),
        None if is_chapter => Err(format!("it has labs, and no region <!-- {OF_A_CHAPTER} -->")),
        None => Ok(page.text.clone()),
    }
}

fn table(page: &Page, mut labs: Vec<(&String, &Lab)>) -> String {
    // Chapter by chapter, and within a chapter as `cargo lab list` does it.
    labs.sort_by_key(|(id, lab)| (place(&lab.chapter), lab.kind(), lab.minutes, *id));
    let up = "../".repeat(page.path.components().count() - 1);
    let mut table = String::from("| lab | kind | | minutes |\n|---|---|---|---:|\n");
    for (id, lab) in labs {
        let (kind, title, minutes) = (KINDS[lab.kind()], &lab.title, lab.minutes);
        writeln!(table, "| [`{id}`]({up}{CATALOG}/{id}) | {kind} | {title} | {minutes} |")
            .expect("a String takes every character");
    }
    table
}

/// Where a chapter stands among others: phase 0, the phases of a craft, its last one.
fn place(chapter: &Path) -> (usize, bool, PathBuf) {
    (chapter.components().count(), chapter.ends_with("final.md"), chapter.to_owned())
}

/// Names of labs that are not there.
pub(crate) fn unknown(book: &Book) -> Vec<String> {
    let catalog = catalog();
    let of = |page: &Page| {
        let names = unknown_in(&page.text, &catalog).into_iter();
        names.map(|id| format!("{}: there is no lab {id}", page.path.display())).collect::<Vec<_>>()
    };
    book.pages.iter().flat_map(of).collect()
}

/// A lab is called by the short name of its phase and some words.
fn unknown_in<'a>(text: &'a str, catalog: &BTreeMap<String, Lab>) -> Vec<&'a str> {
    let phases: Vec<&str> = catalog.keys().filter_map(|id| Some(id.split_once('-')?.0)).collect();
    let words = text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '-'));
    let is_name = |id: &&str| id.split_once('-').is_some_and(|(phase, _)| phases.contains(&phase));
    words.filter(is_name).filter(|id| !catalog.contains_key(*id)).collect()
}

#[test]
fn a_chapter_that_does_not_say_what_its_labs_say_is_found() {
    let lab = |text: &str| toml::from_str::<Lab>(text).unwrap();
    let one = "title = \"One\"\nchapter = \"a/b.md\"\nminutes = 20\n";
    let catalog = BTreeMap::from([
        ("a-measure".to_owned(), lab(&format!("{one}[measure]\n"))),
        ("z-build".to_owned(), lab(&format!("{one}[[build.hole]]\nfile = \"x\"\n"))),
    ]);
    let page = |text: &str| crate::page::page("docs/src/a/b.md", text);
    let text = with_table(&page("x <!-- labs -->old<!-- /labs --> y"), &catalog).unwrap();
    let rows = "| [`z-build`](../../../labs/catalog/z-build) | build | One | 20 |\n\
                | [`a-measure`](../../../labs/catalog/a-measure) | measure | One | 20 |\n";
    assert!(text.contains(rows), "{text}");
    assert_eq!(with_table(&page(&text), &catalog).as_ref(), Ok(&text), "it is then content");
    assert!(with_table(&page("no table"), &catalog).is_err());
    assert_eq!(unknown_in("`a-measure`, a-chart. b-build z-none", &catalog), ["a-chart", "z-none"]);
    let other = crate::page::page("docs/src/c.md", "no table");
    assert_eq!(with_table(&other, &catalog), Ok("no table".to_owned()));
}
