//! `cargo lab solution`: the reference, for who has passed or gives up.

use std::io::Write;
use std::time::SystemTime;

use anyhow::Result;

use super::Usage;
use crate::desk::Desk;
use crate::diff::Diff;
use crate::tree::Tree;
use crate::workshop::{Form, crate_of};

/// What `solution` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The lab [default: the one that was started last]
    #[arg(value_name = "ID")]
    lab: Option<String>,
    /// Open it before the checks pass. It is written down
    #[arg(long)]
    i_give_up: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write, has_colour: bool) -> Result<()> {
    let mut desk = Desk::open(SystemTime::now())?;
    let lab = desk.lab(arguments.lab.as_deref())?.clone();
    let now = desk.now.clone();
    let done = desk.progress.lab(&lab.id);
    if !done.may_see_solution() {
        if !arguments.i_give_up {
            let how = "the solution opens when the checks pass, or with --i-give-up";
            return Err(Usage::new(&how).into());
        }
        done.gave_up = Some(now);
        desk.save()?;
    }
    let package = desk.package(&lab)?;
    let starter = crate_of(&lab, package, Form::Starter)?;
    let solution = crate_of(&lab, package, Form::Solution)?;
    let diff = Diff::between(("a", &as_solution(&starter, &solution)), ("b", &solution));
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &diff)?;
        return Ok(writeln!(out)?);
    }
    diff.write(out, has_colour)?;
    Ok(())
}

/// The starter without the line that allows holes, which says nothing about the solution.
fn as_solution(starter: &Tree, solution: &Tree) -> Tree {
    let roots = ["src/lib.rs", "src/main.rs"];
    let is_same_otherwise = |path: &str, text: &str| {
        roots.contains(&path) && solution.get(path).is_some_and(|it| text.contains(it.trim_end()))
    };
    let pick = |(path, text): (&str, &str)| {
        let text =
            if is_same_otherwise(path, text) { solution.get(path).unwrap_or(text) } else { text };
        (path.to_owned(), text.to_owned())
    };
    starter.iter().map(pick).collect()
}
