//! `cargo lab predict`: a number and a reason, before anything is shown; and afterwards what was
//! learnt.

use std::io::Write;
use std::time::SystemTime;

use anyhow::Result;

use super::Usage;
use crate::desk::Desk;
use crate::progress::Prediction;

const EXAMPLES: &str = "\
Examples:
  cargo lab predict 1.5 --because 'a switch of threads costs more than the work'
  cargo lab predict --learnt 'threads that wait cost memory, not time'";

/// What `predict` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The number
    #[arg(value_name = "NUMBER", requires = "because", required_unless_present = "learnt")]
    number: Option<f64>,
    /// Why this one
    #[arg(long, value_name = "WHY", requires = "number")]
    because: Option<String>,
    /// What you know now, in a sentence or two
    #[arg(long, value_name = "TEXT")]
    learnt: Option<String>,
    /// The lab [default: the one that was started last]
    #[arg(long, value_name = "ID")]
    lab: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    let mut desk = Desk::open(SystemTime::now())?;
    let lab = desk.started(arguments.lab.as_deref())?.clone();
    let Some(question) = lab.page.work.question() else {
        return Err(Usage::new(&format_args!("{} asks for no prediction", lab.id)).into());
    };
    let at = desk.now.clone();
    let done = desk.progress.lab(&lab.id);
    if let (Some(number), Some(reason)) = (arguments.number, arguments.because.clone()) {
        if !number.is_finite() || reason.trim().is_empty() {
            return Err(Usage::new(&"a prediction is a number and a reason").into());
        }
        done.predictions.push(Prediction { at, number, reason });
    }
    if let Some(text) = &arguments.learnt {
        if done.measurements.is_empty() && done.passed.is_none() && done.checks == 0 {
            return Err(Usage::new(&"measure first: what is learnt comes after it").into());
        }
        done.learnt = Some(text.clone());
    }
    let done = done.clone();
    desk.save()?;
    if arguments.json {
        return Ok(writeln!(out, "{:#}", serde_json::json!({ "lab": lab.id, "done": done }))?);
    }
    if let Some(Prediction { number, reason, .. }) = done.predictions.last() {
        writeln!(out, "{}: {}", lab.id, question.text.trim())?;
        writeln!(out, "you predicted {number} {}, because {reason}", question.unit)?;
    }
    if let Some(learnt) = &done.learnt {
        writeln!(out, "you learnt: {learnt}")?;
    }
    Ok(())
}
