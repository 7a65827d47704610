//! `cargo lab reset`: begins a lab anew. What was there goes to the attic, and nothing is deleted.

use std::fs;
use std::io::Write;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::desk::Desk;

/// What `reset` takes.
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
    let lab = desk.started(arguments.lab.as_deref())?;
    let attic = desk.workshop.folder.join(".attic");
    fs::create_dir_all(&attic)?;
    let from = desk.folder(lab);
    // A second one within a second has a number.
    let names = (1..).map(|number| format!("{}-{}-{number}", lab.id, desk.now.replace(':', "")));
    let to = { names }.map(|name| attic.join(name)).find(|path| !path.exists()).unwrap_or(attic);
    fs::rename(&from, &to).with_context(|| format!("cannot move {}", from.display()))?;
    desk.put_starter(lab)?;
    if arguments.json {
        return Ok(writeln!(out, "{:#}", serde_json::json!({ "lab": lab.id, "attic": to }))?);
    }
    writeln!(out, "{} is as it was at first", lab.id)?;
    Ok(writeln!(out, "what you had written is in {}", to.display())?)
}
