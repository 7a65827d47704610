//! `cargo lab start`: puts a lab into the workshop.

use std::io::Write;
use std::time::SystemTime;

use anyhow::Result;

use crate::catalog::{Lab, Work};
use crate::checking::scoring::MINE;
use crate::desk::Desk;
use crate::progress::State;

/// What `start` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The lab [default: the next one]
    #[arg(value_name = "ID")]
    lab: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    let mut desk = Desk::open(SystemTime::now())?;
    let current = desk.progress.current.clone();
    let id = match &arguments.lab {
        Some(id) => desk.lab(Some(id))?.id.clone(),
        None => desk.next(current.as_deref()).map_or_else(String::new, |lab| lab.id.clone()),
    };
    if arguments.json {
        begin(&mut desk, &id, &mut std::io::sink())?;
        let lab = desk.lab(Some(&id))?;
        let answer = serde_json::json!({
            "lab": id, "folder": desk.folder(lab), "places": places(&desk, lab),
        });
        return Ok(writeln!(out, "{answer:#}")?);
    }
    begin(&mut desk, &id, out)
}

/// Starts a lab, or goes back to it.
pub(super) fn begin(desk: &mut Desk, id: &str, out: &mut dyn Write) -> Result<()> {
    let lab = desk.lab(Some(id))?.clone();
    let is_new = desk.progress.state(id) == State::New || !desk.folder(&lab).exists();
    desk.put_starter(&lab)?;
    let now = desk.now.clone();
    desk.progress.lab(id).started.get_or_insert(now);
    desk.progress.current = Some(id.to_owned());
    desk.save()?;
    say(desk, &lab, is_new, out)
}

fn say(desk: &Desk, lab: &Lab, is_new: bool, out: &mut dyn Write) -> Result<()> {
    let page = &lab.page;
    writeln!(
        out,
        "{}: {} ({}, about {} minutes)\n",
        lab.id,
        page.title,
        page.work.kind(),
        page.minutes
    )?;
    writeln!(out, "{}\n", page.task.trim())?;
    let folder = desk.folder(lab);
    let word = if is_new { "It is" } else { "What you wrote is still" };
    writeln!(
        out,
        "{word} in {}",
        folder.strip_prefix(&desk.course.root).unwrap_or(&folder).display()
    )?;
    for place in places(desk, lab) {
        writeln!(out, "  {place}")?;
    }
    if let Some(question) = page.work.question() {
        writeln!(
            out,
            "\nfirst: {}\n  cargo lab predict NUMBER --because WHY",
            question.text.trim()
        )?;
    }
    let then = match page.work {
        Work::Measure(_) => "then: cargo lab bench",
        _ => "then: cargo lab check, or cargo lab check --watch",
    };
    Ok(writeln!(out, "\n{then}")?)
}

/// Where there is something to write: `src/ring/spsc.rs:84`.
fn places(desk: &Desk, lab: &Lab) -> Vec<String> {
    let mark = format!("todo!(\"{}", lab.id);
    let mut files: Vec<&str> = lab.page.work.holes().iter().map(|hole| &*hole.file).collect();
    files.dedup();
    let mut places = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(desk.folder(lab).join(file)).unwrap_or_default();
        let lines = text.lines().zip(1..).filter(|(line, _)| line.contains(&mark));
        places.extend(lines.map(|(_, number)| format!("{file}:{number}")));
    }
    if matches!(lab.page.work, Work::Break(_)) {
        places.push(format!("tests/{MINE}.rs"));
    }
    places
}
