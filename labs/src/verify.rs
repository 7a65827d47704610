//! Whether a lab keeps what it promises, for its author and for CI.
//!
//! The same checks run on every form of the lab: the starter must compile without a warning and fail
//! those that are announced, the solution must pass all, each mutant must fail the one that is named
//! for it. So no lab drifts from the phase that it was cut from.

use std::fs;

use anyhow::Result;
use cargo_metadata::Package;

use crate::catalog::{AtFirst, Check, Instrument, Lab, Mutant, Work};
use crate::checking::build::BuildError;
use crate::checking::scoring::{self, MINE};
use crate::checking::{Bench, Outcome};
use crate::course::Course;
use crate::folder::Changes;
use crate::workshop::{Form, Workshop};

/// Decides what is random in the tests of a form.
const SEED: u64 = 1;

/// What is wrong with a lab. None means that it keeps its promises.
pub fn verify(course: &Course, lab: &Lab, package: &Package) -> Result<Vec<String>> {
    let mut trial =
        Trial { workshop: Workshop::of_trials(course), lab, package, wrong: Vec::new() };
    trial.mentioned(course);
    trial.starter()?;
    trial.solution()?;
    for mutant in lab.page.work.mutants() {
        trial.mutant(mutant)?;
    }
    if matches!(lab.page.work, Work::Break(_)) {
        trial.tests_of_the_learner()?;
    }
    Ok(trial.wrong)
}

struct Trial<'a> {
    workshop: Workshop,
    lab: &'a Lab,
    package: &'a Package,
    wrong: Vec<String>,
}

impl Trial<'_> {
    fn complain(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    /// There is no book yet where there is no `docs/src`.
    fn mentioned(&mut self, course: &Course) {
        let book = course.root.join("docs/src");
        if book.is_dir() {
            let chapter = fs::read_to_string(book.join(&self.lab.page.chapter)).unwrap_or_default();
            if !chapter.contains(&self.lab.id) {
                self.complain(format!("chapter {} does not mention it", self.lab.page.chapter));
            }
        }
    }

    fn put(&self, form: Form<'_>) -> Result<()> {
        Ok(self.workshop.put(self.lab, self.package, form, (self.name(), Changes::Lost))?)
    }

    /// One folder for all labs of a phase, so that what they share is compiled once.
    fn name(&self) -> &str {
        &self.lab.page.package
    }

    /// Compiles what the checks need. A form that does not compile is a complaint.
    fn build(&mut self, what: &str, checks: &[&Check]) -> Result<Option<Bench>> {
        match Bench::build(&self.workshop, self.lab, self.name(), checks) {
            Ok(bench) => Ok(Some(bench)),
            Err(BuildError::DoesNotCompile(said)) => {
                self.complain(format!("{what} does not compile\n{said}"));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn starter(&mut self) -> Result<()> {
        let lab = self.lab;
        for hole in lab.page.work.holes() {
            if !hole.text.contains(&format!("todo!(\"{}", lab.id)) {
                self.complain(format!("hole {}: no todo!(\"{}: …\") in it", hole.anchor, lab.id));
            }
        }
        self.put(Form::Starter)?;
        self.example()?;
        let checks: Vec<&Check> = lab.page.checks.iter().collect();
        let Some(bench) = self.build("the starter", &checks)? else { return Ok(()) };
        self.without_warnings("the starter", &bench);
        for check in checks {
            // In a lab that breaks the learner begins with what is right.
            let is_break = matches!(lab.page.work, Work::Break(_));
            let at_first = if is_break { AtFirst::Green } else { check.at_first };
            let outcome = match at_first {
                AtFirst::Red => bench.run_until_red(check, SEED),
                AtFirst::Green => bench.run(check, SEED),
            };
            match (at_first, &outcome) {
                (_, Outcome::Missing { tests }) => {
                    self.complain(format!("check {}: no tests {}", check.name, tests.join(", ")));
                }
                (AtFirst::Red, Outcome::Passed) => {
                    self.complain(format!("check {} is green at first, and not red", check.name));
                }
                (AtFirst::Green, outcome) if !outcome.is_passed() => {
                    self.complain(format!("check {} is red at first: {outcome:?}", check.name));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The program of a lab that measures with one of its own.
    fn example(&mut self) -> Result<()> {
        let Work::Measure(measure) = &self.lab.page.work else { return Ok(()) };
        let Instrument::Example(name) = &measure.with else { return Ok(()) };
        let mut cargo = self.workshop.cargo(&self.workshop.lab(self.name()));
        let output = cargo.args(["check", "--quiet", "--example", name]).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() || said.contains("warning: ") {
            self.complain(format!("examples/{name}.rs\n{said}"));
        }
        Ok(())
    }

    fn without_warnings(&mut self, what: &str, bench: &Bench) {
        for warning in &bench.warnings {
            self.complain(format!("{what} compiles with a warning\n{warning}"));
        }
    }

    fn solution(&mut self) -> Result<()> {
        self.put(Form::Solution)?;
        let checks: Vec<&Check> = self.lab.page.checks.iter().collect();
        let Some(bench) = self.build("the solution", &checks)? else { return Ok(()) };
        self.without_warnings("the solution", &bench);
        for check in checks {
            let outcome = bench.run(check, SEED);
            if !outcome.is_passed() {
                self.complain(format!("check {} fails on the solution: {outcome:?}", check.name));
            }
        }
        Ok(())
    }

    fn mutant(&mut self, mutant: &Mutant) -> Result<()> {
        self.put(Form::Mutant(mutant))?;
        let what = format!("mutant {}", mutant.name);
        let named = self.lab.page.check(&mutant.caught_by).into_iter().collect::<Vec<_>>();
        let Some(bench) = self.build(&what, &named)? else { return Ok(()) };
        for check in named {
            if bench.run_until_red(check, SEED).is_passed() {
                self.complain(format!("{what} is not caught by {}", check.name));
            }
        }
        Ok(())
    }

    /// What the learner begins with finds nothing, and what the catalog keeps finds everything.
    fn tests_of_the_learner(&mut self) -> Result<()> {
        for (folder, must_find) in [("starter", false), ("solution", true)] {
            let mine = self.lab.folder.join(folder).join(format!("tests/{MINE}.rs"));
            let score = scoring::score(&self.workshop, self.lab, self.package, (&mine, SEED))?;
            if !score.false_alarms.is_empty() {
                self.complain(format!(
                    "tests of the {folder} raise false alarms: {:?}",
                    score.false_alarms
                ));
            }
            if (score.found() == score.mutants.len()) != must_find {
                let unfound = score.mutants.iter().filter(|it| it.found_by.is_empty());
                let unfound: Vec<&str> = unfound.map(|it| &*it.name).collect();
                self.complain(format!("tests of the {folder} do not find {unfound:?}"));
            }
        }
        Ok(())
    }
}
