//! `cargo lab diff`: what changes from one phase to another, in code that is complete; or what you
//! have changed in a lab.

use std::io::Write;
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::Usage;
use crate::course::Course;
use crate::desk::Desk;
use crate::diff::Diff;
use crate::progress::Done;
use crate::snapshot::Snapshot;
use crate::tree::Tree;
use crate::workshop::{Form, crate_in, crate_of};

const EXAMPLES: &str = "\
Examples:
  cargo lab diff 1 2                  everything that phase 2 changes
  cargo lab diff 1 2 --stat           which files, and by how many lines
  cargo lab diff 1 2 src/server.rs    one file
  cargo lab diff 1 final src/http     one folder, over all phases between them
  cargo lab diff 2 3 --json           for programs
  cargo lab diff                      what you have written in the lab that was started last
  cargo lab diff c1f-spsc --solution  what the reference has and you have not, once you have passed

Both sides are snapshots, in which every import begins with `crate::`. So only code that differs is
a difference, and not from which crate it comes.";

/// What `diff` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The phase to start from: 1, 2, … or final; or a lab [default: the one started last]
    #[arg(value_name = "N|ID")]
    from: Option<String>,
    /// The phase to come to
    #[arg(value_name = "M")]
    to: Option<String>,
    /// Only this file or folder, with or without src/ before it
    path: Option<String>,
    /// What the reference of a lab has and you have not
    #[arg(long, conflicts_with = "to")]
    solution: bool,
    /// Only which files, and by how many lines
    #[arg(long)]
    stat: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write, has_colour: bool) -> Result<()> {
    let mut diff = match (&arguments.from, &arguments.to) {
        (Some(from), Some(to)) => phases(from, to, arguments.path.as_deref())?,
        (lab, _) => lab_diff(lab.as_deref(), arguments.solution)?,
    };
    if arguments.stat {
        diff = diff.without_lines();
    }
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &diff)?;
        writeln!(out)?;
    } else {
        diff.write(out, has_colour)?;
    }
    Ok(())
}

fn phases(from: &str, to: &str, path: Option<&str>) -> Result<Diff> {
    let course = super::course()?;
    let (from, to) = (compose(&course, from)?, compose(&course, to)?);
    let (old, new) = match path {
        None => (from.files, to.files),
        Some(path) => chosen(path, &from.files, &to.files)?,
    };
    Ok(Diff::between((&from.name, &old), (&to.name, &new)))
}

/// What was changed in a lab since it was started, as a patch; or what is left to the reference.
fn lab_diff(id: Option<&str>, with_solution: bool) -> Result<Diff> {
    let desk = Desk::open(SystemTime::now())?;
    if let Some(from) = id.filter(|id| desk.course.up_to(id).is_ok()) {
        let both = format!("two phases are compared: cargo lab diff {from} <M>");
        return Err(Usage::new(&both).into());
    }
    let lab = desk.started(id)?;
    let (package, mine) = (desk.package(lab)?, crate_in(&desk.folder(lab))?);
    let starter = crate_of(lab, package, Form::Starter)?;
    if !with_solution {
        return Ok(Diff::between(("a", &starter), ("b", &mine)));
    }
    let done = desk.progress.labs.get(&lab.id);
    if !done.is_some_and(Done::may_see_solution) {
        let how = "the solution opens when the checks pass, or with cargo lab solution --i-give-up";
        return Err(Usage::new(&how).into());
    }
    let solution = crate_of(lab, package, Form::Solution)?;
    Ok(Diff::between(("yours", &mine), ("solution", &solution)))
}

/// A snapshot without the page that tells how it was made.
fn compose(course: &Course, id: &str) -> Result<Snapshot> {
    let phases = course.up_to(id).map_err(|error| Usage::new(&error))?;
    let mut snapshot =
        Snapshot::compose(course, phases, "../..").with_context(|| format!("phase {id}"))?;
    snapshot.files.remove("README.md");
    Ok(snapshot)
}

/// What is at `path` on both sides.
fn chosen(path: &str, from: &Tree, to: &Tree) -> Result<(Tree, Tree), Usage> {
    let path = path.trim_end_matches('/');
    for path in [path.to_owned(), format!("src/{path}")] {
        let sides = (at(from, &path), at(to, &path));
        if sides != (Tree::default(), Tree::default()) {
            return Ok(sides);
        }
    }
    Err(Usage::new(&format_args!("neither phase has {path}")))
}

fn at(tree: &Tree, place: &str) -> Tree {
    let is_there = |path: &str| {
        path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    tree.iter().filter(|(path, _)| is_there(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn a_path_is_a_file_or_a_folder_on_either_side_with_or_without_src() {
        let from = [("src/http.rs", ""), ("src/http/head.rs", ""), ("Cargo.toml", "")];
        let to = [("src/https.rs", ""), ("src/pool.rs", "")];
        let (from, to): (Tree, Tree) = (from.into_iter().collect(), to.into_iter().collect());
        for (path, old, new) in [
            ("src/http.rs", &["src/http.rs"][..], &[][..]),
            ("http.rs", &["src/http.rs"], &[]),
            ("src/http/", &["src/http/head.rs"], &[]),
            ("pool.rs", &[], &["src/pool.rs"]),
            ("Cargo.toml", &["Cargo.toml"], &[]),
        ] {
            let sides = chosen(path, &from, &to).unwrap();
            assert_eq!((&*paths(&sides.0), &*paths(&sides.1)), (old, new), "{path}");
        }
        assert_eq!(chosen("htt", &from, &to).unwrap_err().to_string(), "neither phase has htt");
    }
}
