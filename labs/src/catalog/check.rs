//! A check: tests that decide together whether one thing is done.

use std::time::Duration;

use serde::Deserialize;

/// Tests, and what it means when they fail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What `--only` takes: `order`.
    pub name: String,
    /// What it holds, as a claim: `what goes in comes out once and in order`.
    pub claim: String,
    /// Where its tests are.
    pub test: Target,
    /// Their names, exactly as libtest prints them.
    pub names: Vec<String>,
    /// What it says about the starter.
    #[serde(default)]
    pub at_first: AtFirst,
    /// What is wrong in most cases where it fails.
    pub cause: String,
    /// How long its tests may take together.
    #[serde(default = "deadline_s")]
    pub deadline_s: u64,
    /// What the tests run on.
    #[serde(default)]
    pub machine: Machine,
}

/// Beyond the deadlines of the tests themselves, which say better what they waited for.
const fn deadline_s() -> u64 {
    90
}

impl Check {
    /// How long its tests may take together.
    pub const fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_s)
    }
}

/// What a check says before anything is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AtFirst {
    /// It fails: this is what is to be done.
    #[default]
    Red,
    /// It passes: this is not to be broken.
    Green,
}

/// Where tests run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Machine {
    /// On this one.
    #[default]
    Real,
    /// On the one that loom makes up, in every order that the memory model allows.
    Loom,
}

/// A file of tests, in cargo's words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
pub enum Target {
    /// The unit tests of the library.
    Lib,
    /// The unit tests of the program.
    Bin,
    /// The file of this name in `tests/`.
    Test(String),
}

impl From<String> for Target {
    fn from(name: String) -> Self {
        match &*name {
            "lib" => Self::Lib,
            "bin" => Self::Bin,
            _ => Self::Test(name),
        }
    }
}

impl Target {
    /// What cargo is told to build it.
    pub fn arguments(&self) -> Vec<&str> {
        match self {
            Self::Lib => vec!["--lib"],
            Self::Bin => vec!["--bins"],
            Self::Test(name) => vec!["--test", name],
        }
    }
}
