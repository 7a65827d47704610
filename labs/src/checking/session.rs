//! One look at a lab: everything that decides whether it is done, in the learner's folder.

use anyhow::Result;

use super::Bench;
use super::report::{Line, Report};
use super::scoring::{self, MINE};
use crate::catalog::{Check, Lab, Work};
use crate::checking::build::BuildError;
use crate::desk::Desk;

/// What is looked at.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Only these checks, where any are named.
    pub only: Vec<String>,
    /// Decides all that is random.
    pub seed: u64,
}

/// Checks a lab. What comes of it is not written down yet.
pub fn check(desk: &Desk, lab: &Lab, request: &Request) -> Result<Report> {
    match &lab.page.work {
        Work::Measure(_) => Ok(measured(desk, lab, request.seed)),
        Work::Break(_) => broken(desk, lab, request.seed),
        Work::Build(_) | Work::Extend | Work::Model { .. } => tested(desk, lab, request),
    }
}

fn tested(desk: &Desk, lab: &Lab, request: &Request) -> Result<Report> {
    let is_asked = |check: &&Check| request.only.is_empty() || request.only.contains(&check.name);
    let checks: Vec<&Check> = lab.page.checks.iter().filter(is_asked).collect();
    let mut report = Report::new(lab, request.seed);
    let bench = match Bench::build(&desk.workshop, lab, &lab.id, &checks) {
        Ok(bench) => bench,
        Err(error) => return unless_it_compiles(report, error),
    };
    for check in checks {
        let outcome = bench.run(check, request.seed);
        report.passed &= outcome.is_passed();
        report.checks.push(Line::new(lab, check, outcome, request.seed));
    }
    Ok(report)
}

/// Code that does not compile is the learner's; everything else is this machine's.
fn unless_it_compiles(mut report: Report, error: BuildError) -> Result<Report> {
    match error {
        BuildError::DoesNotCompile(said) => {
            report.passed = false;
            report.does_not_compile = Some(said);
            Ok(report)
        }
        error => Err(error.into()),
    }
}

fn broken(desk: &Desk, lab: &Lab, seed: u64) -> Result<Report> {
    let mut report = Report::new(lab, seed);
    let mine = desk.folder(lab).join(format!("tests/{MINE}.rs"));
    let score = scoring::score(&desk.trials(), lab, desk.package(lab)?, (&mine, seed));
    match score {
        Ok(score) => {
            report.passed = score.is_full();
            report.score = Some(score);
            Ok(report)
        }
        Err(error) => unless_it_compiles(report, error),
    }
}

fn measured(desk: &Desk, lab: &Lab, seed: u64) -> Report {
    let mut report = Report::new(lab, seed);
    let done = desk.progress.labs.get(&lab.id).cloned().unwrap_or_default();
    let steps = [
        (done.predictions.is_empty(), "predict: cargo lab predict NUMBER --because WHY"),
        (done.measurements.is_empty(), "measure: cargo lab bench"),
        (done.learnt.is_none(), "say what you learnt: cargo lab predict --learnt TEXT"),
    ];
    report.to_do =
        steps.iter().filter(|(open, _)| *open).map(|(_, step)| (*step).to_owned()).collect();
    report.passed = report.to_do.is_empty();
    report
}
