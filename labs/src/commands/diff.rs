//! `cargo lab diff N M`: what changes from one phase to another, in code that is complete.

use std::io::Write;

use anyhow::{Context, Result};

use super::Usage;
use crate::course::Course;
use crate::diff::Diff;
use crate::snapshot::Snapshot;
use crate::tree::Tree;

const EXAMPLES: &str = "\
Examples:
  cargo lab diff 1 2                  everything that phase 2 changes
  cargo lab diff 1 2 --stat           which files, and by how many lines
  cargo lab diff 1 2 src/server.rs    one file
  cargo lab diff 1 final src/http     one folder, over all phases between them
  cargo lab diff 2 3 --json           for programs

Both sides are snapshots, in which every import begins with `crate::`. So only code that differs is
a difference, and not from which crate it comes.";

/// What `diff` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The phase to start from: 1, 2, … or final
    #[arg(value_name = "N")]
    from: String,
    /// The phase to come to
    #[arg(value_name = "M")]
    to: String,
    /// Only this file or folder, with or without src/ before it
    path: Option<String>,
    /// Only which files, and by how many lines
    #[arg(long)]
    stat: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write, has_colour: bool) -> Result<()> {
    let course = super::course()?;
    let from = compose(&course, &arguments.from)?;
    let to = compose(&course, &arguments.to)?;
    let (old, new) = match &arguments.path {
        None => (from.files, to.files),
        Some(path) => chosen(path, &from.files, &to.files)?,
    };
    let mut diff = Diff::between((&from.name, &old), (&to.name, &new));
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
