//! `cargo lab snapshot N`: the complete crate of a phase, in a folder of its own.

use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::Usage;
use crate::folder::{self, Changes, WriteError, Written};
use crate::place;
use crate::snapshot::Snapshot;

const EXAMPLES: &str = "\
Examples:
  cargo lab snapshot 2                    into mylabs/snapshot-phase2
  cargo lab snapshot final --to ../mine   into another folder
  cargo lab snapshot 2 --force            also over files that you changed

A snapshot is what the sources of the phases up to this one make when they are laid over each other.
It is a crate and a workspace of its own: `cargo run`, `cargo test` and `cargo doc` work in it.
Nothing reads it back, so change what you like.";

/// What `snapshot` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The phase: 1, 2, … or final
    #[arg(value_name = "N")]
    phase: String,
    /// Where to write it [default: mylabs/snapshot-phaseN]
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Overwrite files of an earlier snapshot that were changed since
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    let course = super::course()?;
    let phases = course.up_to(&arguments.phase).map_err(|error| Usage::new(&error))?;
    let folder = match &arguments.to {
        Some(folder) => without_detours(&std::path::absolute(folder)?),
        None => course.root.join(default_folder(&arguments.phase)),
    };
    let snapshot = Snapshot::compose(&course, phases, &place::way_back(&course.root, &folder))
        .with_context(|| format!("phase {}", arguments.phase))?;
    let changes = if arguments.force { Changes::Lost } else { Changes::Refused };
    let done = folder::write(&folder, &snapshot.files, changes).map_err(refusal)?;
    place::lock(&course.root, &folder)?;
    say(out, &snapshot.name, &folder, done)
}

/// Below `mylabs`, which git ignores and the workspace leaves out.
fn default_folder(id: &str) -> String {
    if id == "final" {
        "mylabs/snapshot-final".into()
    } else {
        format!("mylabs/snapshot-phase{id}")
    }
}

/// `a/../b` as `b`: otherwise a folder beside the workspace could look like one inside.
fn without_detours(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut straight, part| {
        match part {
            Component::ParentDir => drop(straight.pop()),
            part => straight.push(part),
        }
        straight
    })
}

/// What the user can change is a matter of the command line.
fn refusal(error: WriteError) -> anyhow::Error {
    match error {
        WriteError::Io { .. } => error.into(),
        WriteError::Changed { .. } | WriteError::NotASnapshot { .. } => Usage::new(&error).into(),
    }
}

fn say(out: &mut dyn Write, name: &str, folder: &Path, done: Written) -> Result<()> {
    let Written { written, unchanged, removed } = done;
    writeln!(out, "{name}, complete, in {}", folder.display())?;
    writeln!(out, "{written} files written, {unchanged} as they were, {removed} removed")?;
    writeln!(out, "next: cd {} && cargo run -- --port 8080", folder.display())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_beside_the_workspace_is_outside_however_it_is_spelled() {
        let folder = without_detours(Path::new("/course/mylabs/../../mine/./x"));
        assert_eq!(folder, Path::new("/mine/x"));
        assert_eq!(place::way_back(Path::new("/course"), &folder), "/course");
    }

    #[test]
    fn every_phase_has_a_folder_of_its_own() {
        assert_eq!(default_folder("2"), "mylabs/snapshot-phase2");
        assert_eq!(default_folder("final"), "mylabs/snapshot-final");
    }
}
