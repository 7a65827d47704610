//! What a learner has done: `mylabs/progress.toml`, a text to be read and kept.
//!
//! What always holds: a file is replaced whole or not at all. What this version does not know, labs
//! and keys of a later one, is kept as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use toml::Table;

/// The version of the file's form. It rises when a key changes its meaning.
pub const SCHEMA: u32 = 1;

/// What was done in all labs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// [`SCHEMA`] of the program that wrote it.
    pub schema: u32,
    /// The lab that was started last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Each lab by its id, also one that is not in the catalog any more.
    #[serde(default)]
    pub labs: BTreeMap<String, Done>,
    /// What a later version has put here.
    #[serde(flatten)]
    pub unknown: Table,
}

/// What was done in one lab. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// When it was started first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When all its checks passed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<String>,
    /// When the solution was opened before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gave_up: Option<String>,
    /// How often it was checked.
    #[serde(default)]
    pub checks: u32,
    /// The levels of the hints that were read.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hints: BTreeSet<u8>,
    /// What was learnt, in the learner's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learnt: Option<String>,
    /// What was predicted, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predictions: Vec<Prediction>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Measured>,
    /// What a later version has put here.
    #[serde(flatten)]
    pub unknown: Table,
}

/// A number that was thought of before it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// When.
    pub at: String,
    /// The number.
    pub number: f64,
    /// Why this one.
    pub reason: String,
}

/// A ratio that was measured round by round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// When.
    pub at: String,
    /// What was divided by what.
    pub what: String,
    /// The ratio in the middle of all rounds.
    pub ratio: f64,
    /// The least of them.
    pub min: f64,
    /// The greatest of them.
    pub max: f64,
    /// How many rounds there were.
    pub rounds: usize,
}

/// How far a lab is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not started.
    New,
    /// Started, and not done.
    Started,
    /// Done.
    Passed,
}

impl Default for Progress {
    fn default() -> Self {
        Self { schema: SCHEMA, current: None, labs: BTreeMap::new(), unknown: Table::new() }
    }
}

impl Done {
    /// How far it is.
    pub const fn state(&self) -> State {
        match (&self.passed, &self.started) {
            (Some(_), _) => State::Passed,
            (None, Some(_)) => State::Started,
            (None, None) => State::New,
        }
    }

    /// Whether the solution may be read.
    pub const fn may_see_solution(&self) -> bool {
        self.passed.is_some() || self.gave_up.is_some()
    }
}

impl Progress {
    /// Reads a file. Where there is none nothing was done.
    pub fn read(path: &Path) -> Result<Self, ProgressError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|problem| problem.at(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Problem::Io(error).at(path)),
        }
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let progress: Self = toml::from_str(text)?;
        if progress.schema > SCHEMA {
            return Err(Problem::Newer(progress.schema));
        }
        Ok(progress)
    }

    /// Replaces a file.
    pub fn write(&self, path: &Path) -> Result<(), ProgressError> {
        let folder = path.parent().unwrap_or(path);
        let beside = path.with_extension("toml.new");
        let replace = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            let mut file = fs::File::create(&beside)?;
            file.write_all(self.render().as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, path)
        };
        replace().map_err(|error| Problem::Io(error).at(path))
    }

    fn render(&self) -> String {
        // Every value has a form in TOML: numbers, texts, lists and tables of them.
        let text = toml::to_string_pretty(self).unwrap_or_default();
        format!("# What you have done, written by `cargo lab`. Keep it.\n\n{text}")
    }

    /// How far a lab is.
    pub fn state(&self, id: &str) -> State {
        self.labs.get(id).map_or(State::New, Done::state)
    }

    /// What was done in a lab.
    pub fn lab(&mut self, id: &str) -> &mut Done {
        self.labs.entry(id.to_owned()).or_default()
    }

    /// Takes over what somewhere else was done: what is done in either is done in both.
    pub fn merge(&mut self, other: Self) {
        for (id, theirs) in other.labs {
            match self.labs.entry(id) {
                std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(theirs)),
                std::collections::btree_map::Entry::Occupied(entry) => {
                    entry.into_mut().merge(theirs);
                }
            }
        }
        for (key, value) in other.unknown {
            self.unknown.entry(key).or_insert(value);
        }
    }
}

impl Done {
    fn merge(&mut self, other: Self) {
        self.started = earlier(self.started.take(), other.started);
        self.passed = earlier(self.passed.take(), other.passed);
        self.gave_up = earlier(self.gave_up.take(), other.gave_up);
        self.checks = self.checks.max(other.checks);
        self.hints.extend(other.hints);
        self.learnt = self.learnt.take().or(other.learnt);
        add(&mut self.predictions, other.predictions);
        add(&mut self.measurements, other.measurements);
        for (key, value) in other.unknown {
            self.unknown.entry(key).or_insert(value);
        }
    }
}

/// Times in UTC are in order when their texts are.
fn earlier(ours: Option<String>, theirs: Option<String>) -> Option<String> {
    ours.into_iter().chain(theirs).min()
}

fn add<T: PartialEq>(ours: &mut Vec<T>, theirs: Vec<T>) {
    for it in theirs {
        if !ours.contains(&it) {
            ours.push(it);
        }
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The system does not let us.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not what it should be.
    #[error(transparent)]
    Form(#[from] toml::de::Error),
    /// Something newer has written it.
    #[error("schema {0} is newer than this program: pull the course's last version")]
    Newer(u32),
}

impl Problem {
    fn at(self, path: &Path) -> ProgressError {
        ProgressError { path: path.to_owned(), problem: self }
    }
}

/// Progress that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct ProgressError {
    path: PathBuf,
    problem: Problem,
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
