//! `cargo lab` alone: where am I, and what comes next.

use std::io::Write;
use std::time::SystemTime;

use anyhow::Result;

use crate::desk::Desk;
use crate::progress::State;

pub(super) fn run(out: &mut dyn Write) -> Result<()> {
    let desk = Desk::open(SystemTime::now())?;
    let labs = desk.labs();
    let passed = labs.iter().filter(|lab| desk.progress.state(&lab.id) == State::Passed).count();
    writeln!(out, "{passed} of {} labs passed", labs.len())?;
    let current = desk.progress.current.as_deref();
    let begun = current.filter(|id| desk.progress.state(id) == State::Started);
    if let Some(lab) = begun.and_then(|id| desk.catalog.find(id).ok()) {
        writeln!(out, "\nyou are in {}: {}", lab.id, lab.page.title)?;
        let folder = desk.folder(lab);
        let folder = folder.strip_prefix(&desk.course.root).unwrap_or(&folder);
        writeln!(out, "  it is in {}\n  cargo lab check --watch", folder.display())?;
    }
    if let Some(next) = desk.next(current) {
        writeln!(out, "\nnext: {} ({}, {} minutes)", next.id, next.page.title, next.page.minutes)?;
        writeln!(out, "  cargo lab start {}", next.id)?;
    }
    Ok(writeln!(out, "\ncargo lab list names all labs, cargo lab --help all commands")?)
}
