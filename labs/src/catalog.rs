//! The catalog: what every lab is, read from `labs/catalog/<id>/lab.toml`.
//!
//! What always holds: a lab that was read is whole. A key that nobody knows, a check that is not
//! there, a hint too few are errors with the file's name, so a typing error never becomes a lab that
//! checks nothing.
//!
//! | module | what it reads |
//! |---|---|
//! | `check` | the checks, and where their tests are |
//! | `work` | the five kinds of lab, and what each has to say |

mod check;
mod work;

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

pub use check::{AtFirst, Check, Machine, Target};
pub use work::{
    Bench, Breaking, Edit, EditError, Hole, Instrument, Kind, Measure, Measurement, Models, Mutant,
    Question, Side, Work,
};

use work::Tables;

/// One lab.
#[derive(Debug, Clone)]
pub struct Lab {
    /// What it is called, and its folder: `c1f-spsc`. It never changes.
    pub id: String,
    /// Where its files are.
    pub folder: PathBuf,
    /// What its `lab.toml` says.
    pub page: Page,
}

/// What a `lab.toml` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Page {
    /// In a few words, without the id.
    pub title: String,
    /// The crate that it is about: `craft1-final`.
    pub package: String,
    /// The chapter that tells of it, below `docs/src`.
    pub chapter: String,
    /// How long it takes somebody who has read the chapter.
    pub minutes: NonZeroU16,
    /// What is to be done, and why it is worth doing.
    pub task: String,
    /// A question, a pointer, a sketch.
    pub hints: [String; 3],
    /// What decides whether it is done, in the order in which it runs.
    pub checks: Vec<Check>,
    /// What kind of lab it is, with what only this kind has.
    pub work: Work,
    /// How to build its models, where a check runs under loom.
    pub models: Option<Models>,
    /// The benchmark that compares it with the reference.
    pub bench: Option<Bench>,
}

/// As it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    title: String,
    package: String,
    chapter: String,
    minutes: NonZeroU16,
    task: String,
    hints: [String; 3],
    #[serde(default)]
    check: Vec<Check>,
    models: Option<Models>,
    bench: Option<Bench>,
    build: Option<work::Building>,
    extend: Option<work::Extending>,
    #[serde(rename = "break")]
    breaking: Option<Breaking>,
    measure: Option<Measure>,
    model: Option<work::Modelling>,
}

impl TryFrom<Raw> for Page {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let Raw { build, extend, breaking, measure, model, .. } = raw;
        let work = Work::try_from(Tables { build, extend, breaking, measure, model })?;
        let page = Self {
            title: raw.title,
            package: raw.package,
            chapter: raw.chapter,
            minutes: raw.minutes,
            task: raw.task,
            hints: raw.hints,
            checks: raw.check,
            work,
            models: raw.models,
            bench: raw.bench,
        };
        page.must_be_whole()?;
        Ok(page)
    }
}

impl Page {
    fn must_be_whole(&self) -> Result<(), String> {
        let texts = [&self.title, &self.task].into_iter().chain(&self.hints);
        if texts.into_iter().any(|text| text.trim().is_empty()) {
            return Err("a title, a task or a hint is empty".into());
        }
        let needs_checks = !matches!(self.work, Work::Measure(_));
        if self.checks.is_empty() == needs_checks {
            return Err("a lab has at least one [[check]], and one that measures has none".into());
        }
        let mut names: Vec<&str> = self.checks.iter().map(|check| &*check.name).collect();
        names.sort_unstable();
        if let Some([name, ..]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("two checks are called {name:?}"));
        }
        let on_loom = |check: &Check| check.machine == Machine::Loom;
        if self.checks.iter().any(on_loom) && self.models.is_none() {
            return Err("a check runs under loom: say in [models] what is modelled".into());
        }
        for mutant in self.work.mutants() {
            self.check(&mutant.caught_by)
                .ok_or_else(|| format!("mutant {:?}: there is no such check", mutant.name))?;
        }
        Ok(())
    }

    /// The check of this name.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }
}

/// All labs.
#[derive(Debug, Clone, Default)]
pub struct Catalog(BTreeMap<String, Lab>);

impl Catalog {
    /// Reads a folder of labs. `order` are the crates of the course; labs stand in their order, and
    /// those of one crate in that of the alphabet.
    pub fn read(folder: &Path) -> Result<Self, CatalogError> {
        let mut labs = BTreeMap::new();
        let cannot = |error| CatalogError::Io { path: folder.to_owned(), error };
        for entry in fs::read_dir(folder).map_err(cannot)? {
            let folder = entry.map_err(cannot)?.path();
            if folder.is_dir() {
                let lab = Lab::read(&folder)?;
                labs.insert(lab.id.clone(), lab);
            }
        }
        Ok(Self(labs))
    }

    /// The lab of this name.
    pub fn find(&self, id: &str) -> Result<&Lab, UnknownLab> {
        self.0.get(id).ok_or_else(|| UnknownLab {
            id: id.to_owned(),
            near: self.nearest(id).map_or_else(String::new, |near| format!("; is it {near}?")),
        })
    }

    /// All labs in the order of the course, of which `packages` are the crates.
    pub fn in_order(&self, packages: &[String]) -> Vec<&Lab> {
        let mut labs: Vec<&Lab> = self.0.values().collect();
        let place = |lab: &Lab| packages.iter().position(|it| *it == lab.page.package);
        // The kinds stand in the order of a chapter: build, extend, break, model, measure. Short ones first.
        labs.sort_by_key(|lab| (place(lab), lab.page.work.kind(), lab.page.minutes, &lab.id));
        labs
    }

    /// The id that needs the fewest changes to be this one.
    fn nearest(&self, id: &str) -> Option<&str> {
        let likeness = |it: &str| similar::TextDiff::from_chars(it, id).ratio();
        let near = self.0.keys().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
        (likeness(near) >= ALIKE).then_some(near)
    }
}

/// Two ids of which so much is the same are probably one that was mistyped.
const ALIKE: f32 = 0.6;

impl Lab {
    /// Reads one folder of the catalog.
    pub fn read(folder: &Path) -> Result<Self, CatalogError> {
        let path = folder.join("lab.toml");
        let text = fs::read_to_string(&path)
            .map_err(|error| CatalogError::Io { path: path.clone(), error })?;
        let page = toml::from_str(&text).map_err(|error| CatalogError::Page { path, error })?;
        let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { id, folder: folder.to_owned(), page })
    }

    /// What its own integration test is called where it has one.
    pub fn test_name(&self) -> String {
        self.id.replace('-', "_")
    }
}

/// Why there is no catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A page is not one.
    #[error("{}: {error}", path.display())]
    Page {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: toml::de::Error,
    },
}

/// There is no such lab.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no lab {id:?}{near}: `cargo lab list` names them")]
pub struct UnknownLab {
    id: String,
    near: String,
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
