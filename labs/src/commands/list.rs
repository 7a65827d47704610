//! `cargo lab list`: all labs, and how far each is.

use std::io::Write;
use std::time::SystemTime;

use anyhow::Result;
use serde_json::json;

use crate::desk::Desk;
use crate::progress::State;

/// What `list` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    let desk = Desk::open(SystemTime::now())?;
    if !arguments.json {
        return write(&desk, out);
    }
    let labs = desk.labs().into_iter().map(|lab| {
        json!({
            "id": lab.id, "title": lab.page.title, "package": lab.page.package,
            "kind": lab.page.work.kind(), "minutes": lab.page.minutes,
            "chapter": lab.page.chapter, "state": desk.progress.state(&lab.id),
        })
    });
    Ok(writeln!(out, "{:#}", labs.collect::<serde_json::Value>())?)
}

/// Writes it for a person.
pub(super) fn write(desk: &Desk, out: &mut dyn Write) -> Result<()> {
    let labs = desk.labs();
    let width = labs.iter().map(|lab| lab.id.len()).max().unwrap_or_default();
    let mut package = "";
    for lab in &labs {
        if lab.page.package != package {
            package = &lab.page.package;
            writeln!(out, "{package}")?;
        }
        let mark = match desk.progress.state(&lab.id) {
            State::New => "      ",
            State::Started => "begun ",
            State::Passed => "passed",
        };
        let here = if desk.progress.current.as_ref() == Some(&lab.id) { ">" } else { " " };
        let (kind, minutes) = (lab.page.work.kind(), lab.page.minutes);
        writeln!(
            out,
            "{here} {mark}  {:<width$}  {kind:<7}  {minutes:>3} min  {}",
            lab.id, lab.page.title
        )?;
    }
    let passed = labs.iter().filter(|lab| desk.progress.state(&lab.id) == State::Passed).count();
    Ok(writeln!(out, "\n{passed} of {} passed", labs.len())?)
}
