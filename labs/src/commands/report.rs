//! `cargo lab report`: all that was done, predicted and measured, as one page.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::desk::Desk;
use crate::portfolio;

/// What `report` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The page to write [default: mylabs/report.html]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    let desk = Desk::open(SystemTime::now())?;
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &desk.progress)?;
        return Ok(writeln!(out)?);
    }
    let path = arguments.to.clone().unwrap_or_else(|| desk.workshop.folder.join("report.html"));
    let page = portfolio::page(&desk.labs(), &desk.progress, &desk.now);
    let written =
        path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, page));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(writeln!(out, "written to {}: open it in a browser", path.display())?)
}
