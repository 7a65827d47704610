//! The commands, a file each: what it takes, what it does, what it says.

pub mod diff;
pub mod snapshot;

use std::io::Write;

use anyhow::{Context, Result};

use crate::course::Course;

/// Everything that `cargo lab` can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
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
    pub fn run(&self, out: &mut impl Write, has_colour: bool) -> Result<()> {
        match self {
            Self::Snapshot(arguments) => snapshot::run(arguments, out),
            Self::Diff(arguments) => diff::run(arguments, out, has_colour),
        }
    }
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
