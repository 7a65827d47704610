//! `cargo lab bench`: measures, and puts what was predicted beside it.

use std::io::Write;
use std::time::SystemTime;

use anyhow::{Result, anyhow};
use serde_json::json;

use super::{Usage, Verdict};
use crate::catalog::{Bench, Lab, Measure, Work};
use crate::desk::Desk;
use crate::measuring::criterion::{self, ROUNDS, Side};
use crate::measuring::instrument;
use crate::progress::Measured;

const EXAMPLES: &str = "\
Examples:
  cargo lab bench                  yours against the reference; or what the lab measures
  cargo lab bench --vs phase:2     yours against another phase, where it has the same benchmark

Yours and the other run in turns, round by round. Where the rounds do not agree on which is faster,
nothing was found out, and the exit status is 4.";

/// What `bench` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The lab [default: the one that was started last]
    #[arg(value_name = "ID")]
    lab: Option<String>,
    /// What to compare with: reference, or phase:X
    #[arg(long, value_name = "WHAT", default_value = "reference", value_parser = other)]
    vs: Other,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The other side.
#[derive(Debug, Clone)]
enum Other {
    Reference,
    Phase(String),
}

fn other(text: &str) -> Result<Other, String> {
    match (text, text.strip_prefix("phase:")) {
        ("reference", _) => Ok(Other::Reference),
        (_, Some(id)) => Ok(Other::Phase(id.to_owned())),
        _ => Err("reference, or phase:X".into()),
    }
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Verdict> {
    let mut desk = Desk::open(SystemTime::now())?;
    let lab = desk.started(arguments.lab.as_deref())?.clone();
    let measured = match (&lab.page.work, &lab.page.bench) {
        (Work::Measure(measure), _) => vec![with_instrument(&desk, &lab, measure)?],
        (_, Some(bench)) => in_turns(&desk, &lab, bench, &arguments.vs)?,
        (_, None) => {
            return Err(Usage::new(&format_args!("{} has nothing to measure", lab.id)).into());
        }
    };
    let done = desk.progress.lab(&lab.id);
    done.measurements.extend(measured.iter().cloned());
    let prediction = done.predictions.last().cloned();
    desk.save()?;
    if arguments.json {
        let answer = json!({ "lab": lab.id, "measured": measured, "predicted": prediction });
        writeln!(out, "{answer:#}")?;
    } else {
        for it in &measured {
            writeln!(out, "{}", it.text())?;
        }
        if let (Some(prediction), Some(it)) = (prediction, measured.first()) {
            writeln!(
                out,
                "you predicted {}, {}",
                prediction.number,
                judged(prediction.number, it)
            )?;
            writeln!(out, "because {}", prediction.reason)?;
            writeln!(out, "\nwhat do you know now? cargo lab predict --learnt TEXT")?;
        }
    }
    let is_conclusive = measured.iter().all(Measured::is_conclusive);
    Ok(if is_conclusive { Verdict::Passed } else { Verdict::Inconclusive })
}

/// How a prediction fared.
fn judged(number: f64, measured: &Measured) -> String {
    match number {
        _ if number < measured.min => {
            format!("and it is {:.1} times that", measured.ratio / number)
        }
        _ if number > measured.max => {
            format!("and it is {:.1} times less", number / measured.ratio)
        }
        _ => "and that is what it is".into(),
    }
}

fn with_instrument(desk: &Desk, lab: &Lab, measure: &Measure) -> Result<Measured> {
    let done = desk.progress.labs.get(&lab.id);
    if done.is_none_or(|done| done.predictions.is_empty()) {
        let first = "predict first: cargo lab predict NUMBER --because WHY";
        return Err(Usage::new(&first).into());
    }
    desk.put_starter(lab)?;
    let rounds = instrument::run(measure, &desk.course, &desk.workshop, &desk.folder(lab))?;
    Ok(rounds.ratio(&format!("{} / {}", measure.of, measure.to), &desk.now)?)
}

fn in_turns(desk: &Desk, lab: &Lab, bench: &Bench, other: &Other) -> Result<Vec<Measured>> {
    let package = match other {
        Other::Reference => desk.package(lab)?,
        Other::Phase(id) => {
            let phases = desk.course.up_to(id).map_err(|error| Usage::new(&error))?;
            &phases.last().ok_or_else(|| anyhow!("no phase"))?.package
        }
    };
    if !package.targets.iter().any(|target| target.is_bench() && target.name == bench.target) {
        let none = format!("{} has no benchmark {:?}", package.name, bench.target);
        return Err(Usage::new(&none).into());
    }
    desk.put_starter(lab)?;
    let folder = package.manifest_path.parent().unwrap_or(&package.manifest_path);
    let (workshop, target) = (&desk.workshop, desk.course.target.clone());
    let ours =
        Side { folder: desk.folder(lab), target: workshop.target(), build: workshop.build() };
    let theirs = Side { folder: folder.into(), target: target.clone(), build: target };
    let estimates = workshop.target().join("criterion").join(&lab.id);
    let told = &mut |round| eprintln!("round {round} of {ROUNDS}");
    let all = criterion::run((&ours, &theirs), bench, &estimates, told)?;
    let name = |bench: &str| format!("{bench}: yours / {}", package.name);
    all.iter().map(|(bench, rounds)| Ok(rounds.ratio(&name(bench), &desk.now)?)).collect()
}
