//! `cargo lab progress`: what was done, to be taken to another machine and back.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::desk::Desk;
use crate::progress::{Progress, State};

/// What `progress` takes.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct Arguments {
    /// Write all that was done into a file
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Add what was done elsewhere; nothing that was done here is lost
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    let mut desk = Desk::open(SystemTime::now())?;
    if let Some(path) = &arguments.export {
        desk.progress.write(path)?;
        return Ok(writeln!(out, "written to {}", path.display())?);
    }
    if let Some(path) = &arguments.import {
        // Nothing there is a typing error, and not an empty progress.
        fs::metadata(path).with_context(|| path.display().to_string())?;
        desk.progress.merge(Progress::read(path)?);
        desk.save()?;
    }
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &desk.progress)?;
        return Ok(writeln!(out)?);
    }
    write(&desk, out)
}

/// A line for each lab that was started.
fn write(desk: &Desk, out: &mut dyn Write) -> Result<()> {
    let width = desk.progress.labs.keys().map(String::len).max().unwrap_or_default();
    for (id, done) in &desk.progress.labs {
        let what = match (done.state(), &done.gave_up) {
            (State::Passed, _) => format!("passed {}", done.passed.as_deref().unwrap_or_default()),
            (_, Some(when)) => format!("given up {when}"),
            (State::Started, None) => "begun".into(),
            (State::New, None) => "looked at".into(),
        };
        let (checks, hints) = (done.checks, done.hints.len());
        writeln!(out, "{id:<width$}  {what}, {checks} checks, {hints} hints")?;
    }
    let passed = desk.progress.labs.values().filter(|done| done.state() == State::Passed).count();
    Ok(writeln!(out, "{passed} of {} labs passed", desk.labs().len())?)
}
