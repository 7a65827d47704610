//! `cargo lab check`: runs the checks of a lab on what the learner wrote.

mod remote;
mod watch;

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::{Usage, Verdict};
use crate::catalog::{Lab, Work};
use crate::checking::report::Report;
use crate::checking::session::{self, Request};
use crate::desk::Desk;
use crate::progress::State;

const EXAMPLES: &str = "\
Examples:
  cargo lab check                         the lab that was started last
  cargo lab check p0-queue --only order   one check of a lab
  cargo lab check --watch                 again whenever you save
  cargo lab check --previous              also all labs that were done before it
  cargo lab check --exec 'python3 my_server.py --port {port}'";

/// What `check` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "checks")]
pub struct Arguments {
    /// The lab [default: the one that was started last]
    #[arg(value_name = "ID", conflicts_with_all = ["exec", "url"])]
    lab: Option<String>,
    /// Only these checks; of a server, also those whose names contain this
    #[arg(long, value_name = "CHECK")]
    only: Vec<String>,
    /// Check again whenever a file is saved
    #[arg(long, conflicts_with_all = ["exec", "url", "json", "previous"])]
    watch: bool,
    /// Also check all labs that were done before it
    #[arg(long, conflicts_with_all = ["exec", "url"])]
    previous: bool,
    /// Decides all that is random, so that a failure can be had again
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

pub(super) fn run(
    arguments: &Arguments,
    mut out: &mut dyn Write,
    has_colour: bool,
) -> Result<Verdict> {
    if arguments.remote.is_asked() {
        let (only, seed) = (&arguments.only, arguments.seed);
        return remote::run(&arguments.remote, only, seed, arguments.json, &mut out);
    }
    let mut desk = Desk::open(SystemTime::now())?;
    let request =
        Request { only: arguments.only.clone(), seed: arguments.seed.unwrap_or_else(seed) };
    let id = desk.started(arguments.lab.as_deref())?.id.clone();
    if arguments.watch {
        return watch::run(&mut desk, &id, &request, out, has_colour);
    }
    let mut ids = vec![id];
    if arguments.previous {
        ids.splice(0..0, done_before(&desk, &ids[0]));
    }
    let mut reports = Vec::new();
    for id in ids {
        let (lab, report) = look(&mut desk, &id, &request)?;
        if !arguments.json {
            report.write(&lab, out, has_colour)?;
            say_next(&desk, &lab, &report, out)?;
        }
        reports.push(report);
    }
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &reports)?;
        writeln!(out)?;
    }
    let has_passed = reports.iter().all(|report| report.passed);
    Ok(if has_passed { Verdict::Passed } else { Verdict::Failed })
}

/// Checks a lab and writes down what came of it.
pub(super) fn look(desk: &mut Desk, id: &str, request: &Request) -> Result<(Lab, Report)> {
    let lab = desk.started(Some(id))?.clone();
    if let Some(unknown) = request.only.iter().find(|name| lab.page.check(name).is_none()) {
        let known: Vec<&str> = lab.page.checks.iter().map(|check| &*check.name).collect();
        let known = known.join(", ");
        return Err(
            Usage::new(&format_args!("{id} has no check {unknown:?}; it has {known}")).into()
        );
    }
    let done = desk.progress.lab(id);
    if lab.page.work.question().is_some() && done.predictions.is_empty() {
        let first = format!("predict first: cargo lab predict NUMBER --because WHY --lab {id}");
        return Err(Usage::new(&first).into());
    }
    desk.put_starter(&lab)?;
    let report = session::check(desk, &lab, request)?;
    // An editor goes on seeing the lab that is being done.
    let current = desk.progress.current.clone().filter(|current| current != id);
    let current = current.filter(|current| desk.workshop.lab(current).exists());
    // One that this version does not know yet stays as it is.
    if let Some(current) = current.and_then(|current| desk.lab(Some(&current)).ok().cloned()) {
        desk.workshop.open(&current, &current.id)?;
    }
    let now = desk.now.clone();
    let done = desk.progress.lab(id);
    done.checks += 1;
    if report.passed && request.only.is_empty() {
        done.passed.get_or_insert(now);
    }
    desk.save()?;
    Ok((lab, report))
}

/// What to do now.
fn say_next(desk: &Desk, lab: &Lab, report: &Report, out: &mut dyn Write) -> Result<()> {
    if !report.passed || desk.progress.state(&lab.id) != State::Passed {
        return Ok(());
    }
    write!(out, "\ndone.")?;
    // Who measured has written nothing that a reference could stand beside.
    if !matches!(lab.page.work, Work::Measure(_)) {
        write!(out, " The reference beside yours: cargo lab diff {} --solution", lab.id)?;
    }
    writeln!(out)?;
    match desk.next(Some(&lab.id)) {
        Some(next) => writeln!(out, "next: cargo lab start {} ({})", next.id, next.page.title)?,
        None => writeln!(out, "that was the last lab: cargo lab report")?,
    }
    Ok(())
}

/// Labs of the course before this one that were done and are still here.
fn done_before(desk: &Desk, id: &str) -> Vec<String> {
    let labs = desk.labs();
    let before = labs.iter().take_while(|lab| lab.id != id);
    let done = before
        .filter(|lab| desk.progress.state(&lab.id) == State::Passed && desk.folder(lab).exists());
    done.map(|lab| lab.id.clone()).collect()
}

/// Another one each time, and short enough to be typed.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) % 1_000_000
}
