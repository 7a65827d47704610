//! The commands, a file each: what it takes, what it does, what it says.

pub mod bench;
pub mod check;
pub mod diff;
pub mod doctor;
mod here;
pub mod hint;
pub mod list;
pub mod model;
pub mod predict;
pub mod progress;
pub mod report;
pub mod reset;
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
    /// Whether this machine has what the course needs
    Doctor(doctor::Arguments),
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
    /// Measures yours against the reference, or what the lab measures
    Bench(bench::Arguments),
    /// Runs the models of a lab in every order that the memory model allows
    Model(model::Arguments),
    /// The reference, for who has passed or gives up
    Solution(solution::Arguments),
    /// What you changed in a lab, or what changes from one phase to another
    Diff(diff::Arguments),
    /// Writes the complete crate of a phase
    Snapshot(snapshot::Arguments),
    /// Begins a lab anew; what was there goes to the attic
    Reset(reset::Arguments),
    /// What was done, to be taken to another machine and back
    Progress(progress::Arguments),
    /// All that was done, predicted and measured, as one page
    Report(report::Arguments),
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
            Self::Bench(arguments) => return bench::run(arguments, out),
            Self::Model(arguments) => return model::run(arguments, out, has_colour),
            Self::Doctor(arguments) => return doctor::run(arguments, out),
            Self::List(arguments) => list::run(arguments, out),
            Self::Show(arguments) => show::run(arguments, out),
            Self::Start(arguments) => start::run(arguments, out),
            Self::Hint(arguments) => hint::run(arguments, out),
            Self::Predict(arguments) => predict::run(arguments, out),
            Self::Solution(arguments) => solution::run(arguments, out, has_colour),
            Self::Snapshot(arguments) => snapshot::run(arguments, out),
            Self::Diff(arguments) => diff::run(arguments, out, has_colour),
            Self::Reset(arguments) => reset::run(arguments, out),
            Self::Progress(arguments) => progress::run(arguments, out),
            Self::Report(arguments) => report::run(arguments, out),
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
    /// This machine lacks what nothing goes without.
    NotReady,
}

/// Says where the learner is, and what comes next.
pub fn here(out: &mut dyn Write) -> Result<Verdict> {
    here::run(out).map(|()| Verdict::Passed)
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
