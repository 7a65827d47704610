//! `cargo lab verify`: for authors and CI, every form of every lab.

use std::io::Write;
use std::time::{Instant, SystemTime};

use anyhow::Result;
use serde_json::json;

use super::Verdict;
use crate::catalog::Lab;
use crate::desk::Desk;
use crate::verify::verify;

/// What `verify` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The labs [default: all]
    #[arg(value_name = "ID")]
    labs: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Verdict> {
    let desk = Desk::open(SystemTime::now())?;
    let mut labs: Vec<&Lab> = Vec::new();
    for id in &arguments.labs {
        labs.push(desk.lab(Some(id))?);
    }
    if labs.is_empty() {
        labs = desk.labs();
    }
    let mut results = Vec::new();
    for lab in labs {
        let begun = Instant::now();
        let wrong = verify(&desk.course, lab, desk.package(lab)?)?;
        if !arguments.json {
            let (verdict, took_s) =
                (if wrong.is_empty() { "ok   " } else { "WRONG" }, begun.elapsed().as_secs());
            writeln!(out, "{verdict}  {} ({took_s} s)", lab.id)?;
            for what in &wrong {
                writeln!(out, "  {}", what.replace('\n', "\n    "))?;
            }
            out.flush()?;
        }
        results.push(json!({ "lab": lab.id, "wrong": wrong }));
    }
    if arguments.json {
        writeln!(out, "{:#}", json!(results))?;
    }
    let is_fine = results.iter().all(|result| result["wrong"] == json!([]));
    Ok(if is_fine { Verdict::Passed } else { Verdict::Failed })
}
