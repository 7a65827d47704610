//! `cargo lab hint`: a question, then a pointer, then a sketch.

use std::io::Write;
use std::time::SystemTime;

use anyhow::Result;

use crate::desk::Desk;

/// What `hint` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The lab [default: the one that was started last]
    #[arg(value_name = "ID")]
    lab: Option<String>,
    /// 1 is a question, 2 a pointer, 3 a sketch [default: the next one that you have not read]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=3))]
    level: Option<u8>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    let mut desk = Desk::open(SystemTime::now())?;
    let lab = desk.lab(arguments.lab.as_deref())?.clone();
    if !arguments.json {
        return give(&mut desk, &lab.id, arguments.level, out);
    }
    let level = arguments.level.unwrap_or_else(|| unread(&desk, &lab.id));
    give(&mut desk, &lab.id, Some(level), &mut std::io::sink())?;
    let hint = &lab.page.hints[usize::from(level) - 1];
    Ok(writeln!(out, "{:#}", serde_json::json!({ "lab": lab.id, "level": level, "hint": hint }))?)
}

const LEVELS: [&str; 3] = ["a question", "a pointer", "a sketch"];

/// Gives a hint, and writes down that it was read.
pub(super) fn give(
    desk: &mut Desk,
    id: &str,
    level: Option<u8>,
    out: &mut dyn Write,
) -> Result<()> {
    let hints = desk.lab(Some(id))?.page.hints.clone();
    let level = level.unwrap_or_else(|| unread(desk, id));
    let index = usize::from(level) - 1;
    writeln!(out, "{id}, hint {level} of 3, {}:\n\n{}", LEVELS[index], hints[index].trim())?;
    desk.progress.lab(id).hints.insert(level);
    desk.save()
}

/// The first hint that was not read, or the last one.
fn unread(desk: &Desk, id: &str) -> u8 {
    let read = desk.progress.labs.get(id).map(|done| done.hints.clone()).unwrap_or_default();
    (1..=3).find(|level| !read.contains(level)).unwrap_or(3)
}
