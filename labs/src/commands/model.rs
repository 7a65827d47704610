//! `cargo lab model`: the models of a lab, in every order that the memory model allows.

use std::io::Write;
use std::time::SystemTime;

use anyhow::Result;

use super::{Usage, Verdict, check};
use crate::catalog::Machine;
use crate::checking::session::Request;
use crate::desk::Desk;

/// What `model` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The lab [default: the one that was started last]
    #[arg(value_name = "ID")]
    lab: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write, has_colour: bool) -> Result<Verdict> {
    let mut desk = Desk::open(SystemTime::now())?;
    let lab = desk.started(arguments.lab.as_deref())?.clone();
    let models = lab.page.checks.iter().filter(|check| check.machine == Machine::Loom);
    let only: Vec<String> = models.map(|check| check.name.clone()).collect();
    if only.is_empty() {
        return Err(Usage::new(&format_args!("{} has no models", lab.id)).into());
    }
    // All its checks may be models: then this is as good as checking it.
    let only = if only.len() == lab.page.checks.len() { Vec::new() } else { only };
    let request = Request { only, seed: 0 };
    let (lab, report) = check::look(&mut desk, &lab.id, &request)?;
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        report.write(&lab, out, has_colour)?;
    }
    Ok(if report.passed { Verdict::Passed } else { Verdict::Failed })
}
