//! The commands, a file each: what it takes, what it does, what it says.

pub mod check;
pub mod diff;
pub mod hint;
pub mod list;
pub mod predict;
pub mod show;
pub mod snapshot;
pub mod solution;
pub mod start;
pub mod verify;

use std::io::Write;

use anyhow::{Context, Result};

use crate::course::Course;

/// Everything that `cargo lab` can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// All labs, and how far each is
    List(list::Arguments),
    /// One lab: what is to be done, and what is checked
    Show(show::Arguments),
    /// Puts a lab into mylabs/, or goes back to it
    Start(start::Arguments),
    /// Runs the checks of a lab, or grades a server in any language
    Check(check::Arguments),
    /// A question, then a pointer, then a sketch
    Hint(hint::Arguments),
    /// A number and a reason, before anything is shown
    Predict(predict::Arguments),
    /// The reference, for who has passed or gives up
    Solution(solution::Arguments),
    /// Writes the complete crate of a phase
    Snapshot(snapshot::Arguments),
    /// Shows what changes from one phase to another
    Diff(diff::Arguments),
    /// For authors: tries every form of every lab
    Verify(verify::Arguments),
}

impl Command {
    /// Does it, and says so to `out`.
    ///
    /// # Errors
    /// [`Usage`] where the command line asked for what cannot be; anything else is this machine's.
    pub fn run(&self, out: &mut dyn Write, has_colour: bool) -> Result<Verdict> {
        match self {
            Self::Check(arguments) => return check::run(arguments, out, has_colour),
            Self::Verify(arguments) => return verify::run(arguments, out),
            Self::List(arguments) => list::run(arguments, out),
            Self::Show(arguments) => show::run(arguments, out),
            Self::Start(arguments) => start::run(arguments, out),
            Self::Hint(arguments) => hint::run(arguments, out),
            Self::Predict(arguments) => predict::run(arguments, out),
            Self::Solution(arguments) => solution::run(arguments, out, has_colour),
            Self::Snapshot(arguments) => snapshot::run(arguments, out),
            Self::Diff(arguments) => diff::run(arguments, out, has_colour),
        }?;
        Ok(Verdict::Passed)
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
    pub(crate) fn new(reason: &impl ToString) -> Self {
        Self(reason.to_string())
    }
}

fn course() -> Result<Course> {
    Course::of_workspace().context("cannot ask cargo about the workspace")
}
