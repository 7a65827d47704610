//! `cargo lab show`: one lab, before or while it is done.

use std::io::Write;
use std::time::SystemTime;

use anyhow::Result;
use serde_json::json;

use crate::desk::Desk;

/// What `show` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The lab [default: the one that was started last]
    #[arg(value_name = "ID")]
    lab: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    let desk = Desk::open(SystemTime::now())?;
    let lab = desk.lab(arguments.lab.as_deref())?;
    let (page, state) = (&lab.page, desk.progress.state(&lab.id));
    if arguments.json {
        let checks: Vec<_> =
            page.checks.iter().map(|it| json!({ "name": it.name, "claim": it.claim })).collect();
        let answer = json!({
            "id": lab.id, "title": page.title, "package": page.package, "kind": page.work.kind(),
            "minutes": page.minutes, "chapter": page.chapter, "task": page.task, "state": state,
            "checks": checks, "done": desk.progress.labs.get(&lab.id),
        });
        return Ok(writeln!(out, "{answer:#}")?);
    }
    writeln!(out, "{}: {}", lab.id, page.title)?;
    writeln!(
        out,
        "{} of {}, about {} minutes; the chapter is {}\n",
        page.work.kind(),
        page.package,
        page.minutes,
        page.chapter
    )?;
    writeln!(out, "{}", page.task.trim())?;
    if let Some(question) = page.work.question() {
        writeln!(out, "\nto predict, in {}: {}", question.unit, question.text.trim())?;
    }
    if !page.checks.is_empty() {
        writeln!(out, "\nchecks:")?;
    }
    let width = page.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    for check in &page.checks {
        writeln!(out, "  {:<width$}  {}", check.name, check.claim)?;
    }
    Ok(writeln!(out, "\ncargo lab start {}", lab.id)?)
}
