//! What came of checking a lab, for people and for programs.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::scoring::{Score, mutant};
use super::{Failure, Outcome};
use crate::catalog::{Check, Lab};

/// A lab, checked.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The lab.
    pub lab: String,
    /// Whether all that was checked is as it should be.
    pub passed: bool,
    /// What decided all that is random.
    pub seed: u64,
    /// What the compiler says, where it does not compile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub does_not_compile: Option<String>,
    /// Each check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Line>,
    /// What the learner's tests are worth, in a lab that breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// What is still to be done, in a lab that measures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to_do: Vec<String>,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// What it is called.
    pub name: String,
    /// What it holds.
    pub claim: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What is wrong in most cases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likely_cause: Option<String>,
    /// Runs exactly this again.
    pub replay: String,
}

const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

impl Report {
    /// Of a lab in which nothing was checked yet.
    pub fn new(lab: &Lab, seed: u64) -> Self {
        Self {
            lab: lab.id.clone(),
            passed: true,
            seed,
            does_not_compile: None,
            checks: Vec::new(),
            score: None,
            to_do: Vec::new(),
        }
    }

    /// Writes it for a person.
    pub fn write(&self, lab: &Lab, out: &mut dyn Write, has_colour: bool) -> io::Result<()> {
        let paint = |text: &str, style: Style| {
            if has_colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
        };
        writeln!(out, "{}: {}", lab.id, lab.page.title)?;
        if let Some(said) = &self.does_not_compile {
            writeln!(out, "\n{}\n", said.trim_end())?;
            writeln!(out, "  {}  it does not compile", paint("FAIL", RED))?;
        }
        let width = self.checks.iter().map(|line| line.name.len()).max().unwrap_or_default();
        for line in &self.checks {
            let word =
                if line.outcome.is_passed() { paint("ok  ", GREEN) } else { paint("FAIL", RED) };
            writeln!(out, "  {word}  {:<width$}  {}", line.name, line.claim)?;
            line.outcome.write(out)?;
            if !line.outcome.is_passed() {
                line.write_help(&self.lab, out)?;
            }
        }
        if let Some(score) = &self.score {
            score.write(lab, out)?;
        }
        for it in &self.to_do {
            writeln!(out, "  to do  {it}")?;
        }
        Ok(())
    }
}

impl Line {
    /// What came of a check. Where it has met what is still to be written, there is nothing to be
    /// wrong about yet.
    pub fn new(lab: &Lab, check: &Check, outcome: Outcome, seed: u64) -> Self {
        let is_wrong = !outcome.is_passed() && !outcome.meets_todo_of(&lab.id);
        Self {
            name: check.name.clone(),
            claim: check.claim.clone(),
            likely_cause: is_wrong.then(|| check.cause.clone()),
            replay: format!("cargo lab check {} --only {} --seed {seed}", lab.id, check.name),
            outcome,
        }
    }

    fn write_help(&self, lab: &str, out: &mut dyn Write) -> io::Result<()> {
        if let Some(cause) = &self.likely_cause {
            writeln!(out, "        likely  {cause}")?;
        }
        writeln!(out, "        hint    cargo lab hint {lab}")?;
        writeln!(out, "        again   {}", self.replay)
    }
}

impl Outcome {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Passed => Ok(()),
            Self::Failed { tests } => tests.iter().try_for_each(|test| test.write(out)),
            Self::Hung { test, deadline_s } => writeln!(
                out,
                "        {test}\n          did not end within {deadline_s} s; what it had started \
                 was killed"
            ),
            Self::Crashed { test, how, said } => {
                writeln!(out, "        {test}\n          ended the whole program: {how}")?;
                indented(out, said)
            }
            Self::Missing { tests } => {
                writeln!(out, "        not there any more: {}", tests.join(", "))
            }
        }
    }
}

impl Failure {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "        {}", self.test)?;
        indented(out, &self.said)
    }
}

/// Lines of a failure that are shown at its start, and as many at its end, where a property says
/// what it has come down to. A dump of bytes may have thousands.
const SAID_LINES: usize = 20;

fn indented(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let lines: Vec<&str> = text.lines().collect();
    let left_out = SAID_LINES..lines.len().saturating_sub(SAID_LINES);
    for (index, line) in lines.iter().enumerate() {
        if !left_out.contains(&index) {
            writeln!(out, "          {line}")?;
        } else if index == left_out.start {
            writeln!(out, "          … {} lines …", left_out.len())?;
        }
    }
    Ok(())
}

impl Score {
    fn write(&self, lab: &Lab, out: &mut dyn Write) -> io::Result<()> {
        for alarm in &self.false_alarms {
            writeln!(out, "  false alarm: it fails on the phase, which is right")?;
            alarm.write(out)?;
        }
        for (number, tried) in (1..).zip(&self.mutants) {
            let page = mutant(lab, &tried.name);
            match (tried.found_by.first(), page) {
                (Some(test), Some(page)) => {
                    writeln!(out, "  found    {number}: {} (by {test})", page.told)?;
                }
                (None, Some(page)) => writeln!(out, "  unfound  {number}: {}", page.nudge)?,
                (_, None) => {}
            }
        }
        let (found, all, alarms) = (self.found(), self.mutants.len(), self.false_alarms.len());
        writeln!(
            out,
            "  {} tests found {found} of {all} mutants, with {alarms} false alarms",
            self.tests
        )
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
