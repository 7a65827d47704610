//! The commands, a file each: what it takes, what it does, what it says.

pub mod check;
pub mod diff;
pub mod snapshot;

use std::io::Write;

use anyhow::{Context, Result};

use crate::course::Course;

/// Everything that `cargo lab` can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Runs the checks of a lab, or grades a server in any language
    Check(check::Arguments),
    /// Writes the complete crate of a phase
    Snapshot(snapshot::Arguments),
    /// Shows what changes from one phase to another
    Diff(diff::Arguments),
}

impl Command {
    /// Does it, and says so to `out`.
    ///
    /// # Errors
    /// [`Usage`] where the command line asked for what cannot be; anything else is this machine's.
    pub fn run(&self, out: &mut impl Write, has_colour: bool) -> Result<Verdict> {
        match self {
            Self::Check(arguments) => check::run(arguments, out),
            Self::Snapshot(arguments) => snapshot::run(arguments, out).map(|()| Verdict::Passed),
            Self::Diff(arguments) => {
                diff::run(arguments, out, has_colour).map(|()| Verdict::Passed)
            }
        }
    }
}

/// What came of a command that could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// What somebody wrote does not do what it should.
    Failed,
    /// It was measured, and the noise is as large as what was to be seen.
    Inconclusive,
}

/// The command line asks for what cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(String);

impl Usage {
    fn new(reason: &impl ToString) -> Self {
        Self(reason.to_string())
    }
}

fn course() -> Result<Course> {
    Course::of_workspace().context("cannot ask cargo about the workspace")
}
