//! A check: a claim about a server, the phases that it is made about, and what came of it.
//!
//! What always holds: a check that cannot be run says why, before it is tried, and never counts as
//! passed. A failure says what was sent, what came back, and what was expected.

use serde::Serialize;

use super::phase::Phase;
use super::session::Session;
use super::stage::Stage;
use super::target::Target;
use super::template::Setting;

/// One row of the table.
pub struct Check {
    /// What `--only` calls it: theme and slug, `faults/header-bomb`.
    pub name: String,
    /// What it shows.
    pub claim: String,
    /// The first and the last phase that must pass it.
    pub span: (Phase, Phase),
    /// What may keep it from being run.
    pub obstacles: &'static [Obstacle],
    /// The likely cause, where it fails.
    pub teaches: &'static str,
    /// What it does.
    pub run: Run,
}

/// Why a check cannot be run against this target, if it cannot.
pub type Obstacle = fn(&Target) -> Option<String>;

/// How a check is run.
pub enum Run {
    /// It asks a server that runs in this setting.
    Asks(Setting, Box<dyn Fn(&Session) -> Tried>),
    /// It starts and ends servers of its own.
    Starts(fn(&Stage<'_>) -> Tried),
}

/// What came of a try. What passed may have something to tell.
pub type Tried = Result<Option<String>, Failure>;

/// What is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What was sent or done.
    pub sent: String,
    /// What came back.
    pub came_back: String,
    /// What should have.
    pub expected: String,
    /// What the server itself said about it: how it ended, its last lines.
    pub server: Option<String>,
}

impl Failure {
    /// Of a try that sent this, got that, and expected something else.
    pub fn new(
        sent: impl Into<String>,
        came_back: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            sent: sent.into(),
            came_back: came_back.into(),
            expected: expected.into(),
            server: None,
        }
    }
}

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The claim holds.
    Passed {
        /// What there is to tell.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// It does not.
    Failed {
        /// What is wrong.
        failure: Failure,
        /// Why it may be.
        likely: String,
        /// The command that runs this check again, as it was.
        replay: String,
    },
    /// It was not tried.
    NotRun {
        /// Why not.
        reason: String,
    },
}

/// A check and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Graded {
    /// Its name.
    pub name: String,
    /// Its claim.
    pub claim: String,
    /// The first phase that must pass it.
    pub phase: Phase,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Check {
    /// What stands before the slash of its name.
    pub fn theme(&self) -> &str {
        theme(&self.name)
    }

    /// Whether a server that is graded as `phase` has to pass it.
    pub fn concerns(&self, phase: Phase) -> bool {
        (self.span.0..=self.span.1).contains(&phase)
    }

    /// The first thing that keeps it from being run.
    pub fn obstacle(&self, target: &Target) -> Option<String> {
        self.obstacles.iter().find_map(|obstacle| obstacle(target))
    }
}

/// What stands before the slash of a check's name.
pub fn theme(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}
