//! The learner's tests against mutants: how many they find, and how often they complain about what is
//! right.
//!
//! What always holds: the tests run on the phase as it is and on each mutant, and on nothing that the
//! learner changed. A test that fails on the phase finds nothing.

use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use serde::Serialize;

use super::process::{How, Program};
use super::{BuildError, build, libtest};
use crate::catalog::{Lab, Mutant, Target};
use crate::folder::Changes;
use crate::workshop::{Form, Workshop, WorkshopError};

/// The file that a learner writes in a lab that breaks.
pub const MINE: &str = "mine";

/// What tests are worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Tests that there are.
    pub tests: usize,
    /// Tests that fail on the phase as it is, with what they say.
    pub false_alarms: Vec<super::Failure>,
    /// Each mutant, with the tests that find it.
    pub mutants: Vec<Tried>,
}

/// One mutant, tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// What it is called.
    pub name: String,
    /// The tests that fail on it and on nothing else.
    pub found_by: Vec<String>,
}

impl Score {
    /// How many mutants were found.
    pub fn found(&self) -> usize {
        self.mutants.iter().filter(|mutant| !mutant.found_by.is_empty()).count()
    }

    /// Whether all of them were, without a false alarm.
    pub fn is_full(&self) -> bool {
        self.false_alarms.is_empty() && self.found() == self.mutants.len()
    }
}

/// Tries the tests in the file `mine` on each mutant.
pub fn score(
    trials: &Workshop,
    lab: &Lab,
    package: &cargo_metadata::Package,
    (mine, seed): (&Path, u64),
) -> Result<Score, BuildError> {
    let name = &lab.page.package;
    let run = |form: Form<'_>| -> Result<Fails, BuildError> {
        trials.put(lab, package, form, (name, Changes::Lost))?;
        borrow_tests(mine, &trials.lab(name))
            .map_err(|error| WorkshopError::Io { path: mine.into(), error })?;
        fails(trials, name, seed)
    };
    let reference = run(Form::Reference)?;
    let is_alarm = |test: &String| reference.failed.iter().any(|it| it.test == *test);
    let mut score = Score {
        tests: reference.tests,
        false_alarms: reference.failed.clone(),
        mutants: Vec::new(),
    };
    for mutant in lab.page.work.mutants() {
        let found = run(Form::Mutant(mutant))?.failed.into_iter().map(|it| it.test);
        let found_by = found.filter(|test| !is_alarm(test)).collect();
        let tried = Tried { name: mutant.name.clone(), found_by };
        score.mutants.push(tried);
    }
    Ok(score)
}

/// The mutant of this name.
pub fn mutant<'a>(lab: &'a Lab, name: &str) -> Option<&'a Mutant> {
    lab.page.work.mutants().iter().find(|mutant| mutant.name == name)
}

struct Fails {
    tests: usize,
    failed: Vec<super::Failure>,
}

/// A test may wait for an answer that a mutant never gives. Then it has found it.
const DEADLINE: Duration = Duration::from_mins(2);

fn fails(trials: &Workshop, name: &str, seed: u64) -> Result<Fails, BuildError> {
    let folder = trials.lab(name);
    let target = Target::Test(MINE.into());
    let built = build::tests(trials.cargo(&folder), std::slice::from_ref(&target))?;
    let Some(program) = built.programs.get(&target) else {
        return Err(BuildError::Refused(format!("there is no tests/{MINE}.rs")));
    };
    let end = Program::of_tests(program, &folder, &[], seed).run(DEADLINE);
    let heard = libtest::parse(&end.said);
    let tests = heard.tests.len();
    let failed = heard
        .tests
        .into_iter()
        .filter_map(|(test, said)| Some(super::Failure { test, said: said? }));
    let mut failed: Vec<super::Failure> = failed.collect();
    if !matches!(end.how, How::Code(_)) || heard.running.is_some() {
        let test = heard.running.unwrap_or_else(|| "all of them".into());
        failed.push(super::Failure { test, said: "it did not end".into() });
    }
    Ok(Fails { tests, failed })
}

/// Puts the learner's file into the crate, if it is not the same there already.
fn borrow_tests(mine: &Path, folder: &Path) -> io::Result<()> {
    let (text, place) = (fs::read_to_string(mine)?, folder.join(format!("tests/{MINE}.rs")));
    if fs::read_to_string(&place).is_ok_and(|there| there == text) {
        return Ok(());
    }
    fs::create_dir_all(folder.join("tests"))?;
    fs::write(place, text)
}
