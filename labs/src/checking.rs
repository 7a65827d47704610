//! Whether a lab is done: its checks, run on a crate in the workshop.
//!
//! What always holds: a check ends, by its deadline at the latest, and nothing that it started is
//! left. A test that is not there is no test that passes.
//!
//! | module | what it does |
//! |---|---|
//! | `build` | compiles tests, and tells programs from complaints |
//! | `process` | runs a program until it ends or its time is over, and ends all that it started |
//! | `libtest` | what a test program prints |
//! | `scoring` | the learner's own tests against mutants |
//! | `session` | one look at a lab |
//! | `report` | what came of it, for people and for programs |

pub mod build;
pub mod libtest;
pub mod process;
pub mod report;
pub mod scoring;
pub mod session;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::catalog::{Check, Lab, Machine, Target};
use crate::workshop::Workshop;
use build::{BuildError, Built};
use process::{End, Program};

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Every test passed.
    Passed,
    /// Some tests did not.
    Failed {
        /// Each of them.
        tests: Vec<Failure>,
    },
    /// It did not end in time. What it had started was killed.
    Hung {
        /// The test that was running.
        test: String,
        /// How long it was given.
        deadline_s: u64,
    },
    /// The program of the tests ended in another way than tests do.
    Crashed {
        /// The test that was running.
        test: String,
        /// How: `signal 6`.
        how: String,
        /// What it said, from its first panic on.
        said: String,
    },
    /// There are no tests of these names.
    Missing {
        /// Which.
        tests: Vec<String>,
    },
}

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its name.
    pub test: String,
    /// What it said: the assertion, what was expected, what came.
    pub said: String,
}

impl Outcome {
    /// Whether it is done.
    pub const fn is_passed(&self) -> bool {
        matches!(self, Self::Passed)
    }

    /// Whether it failed at a place that the learner has not written yet.
    pub fn meets_todo_of(&self, lab: &str) -> bool {
        let todo = format!("not yet implemented: {lab}");
        match self {
            Self::Failed { tests } => tests.iter().any(|test| test.said.contains(&todo)),
            Self::Crashed { said, .. } => said.contains(&todo),
            Self::Passed | Self::Hung { .. } | Self::Missing { .. } => false,
        }
    }
}

/// The programs of a lab's tests, compiled.
#[derive(Debug)]
pub struct Bench {
    folder: PathBuf,
    programs: BTreeMap<(Machine, Target), PathBuf>,
    /// What the compiler warns of.
    pub warnings: Vec<String>,
}

impl Bench {
    /// Compiles the tests of `checks` in the folder `name` of the workshop.
    pub fn build(
        workshop: &Workshop,
        lab: &Lab,
        name: &str,
        checks: &[&Check],
    ) -> Result<Self, BuildError> {
        let folder = workshop.lab(name);
        let mut bench =
            Self { folder: folder.clone(), programs: BTreeMap::new(), warnings: Vec::new() };
        for machine in [Machine::Real, Machine::Loom] {
            let on_it = checks.iter().filter(|check| check.machine == machine);
            let targets: Vec<Target> = on_it.map(|check| check.test.clone()).collect();
            if targets.is_empty() {
                continue;
            }
            let Built { programs, warnings } = match machine {
                Machine::Real => build::tests(workshop.cargo(&folder), &targets)?,
                Machine::Loom => match workshop.models(lab, name)? {
                    Some(models) => build::models(workshop.cargo(&models))?,
                    None => continue,
                },
            };
            bench
                .programs
                .extend(programs.into_iter().map(|(target, path)| ((machine, target), path)));
            // What a model leaves out may be what uses something.
            if machine == Machine::Real {
                bench.warnings.extend(warnings);
            }
        }
        Ok(bench)
    }

    /// Runs a check. `seed` decides what is random in its tests.
    pub fn run(&self, check: &Check, seed: u64) -> Outcome {
        self.run_tests(check, &check.names, seed)
    }

    /// Runs a check until one of its tests fails. That is all it takes to know that a check is red,
    /// where each of its tests may wait for its deadline.
    pub fn run_until_red(&self, check: &Check, seed: u64) -> Outcome {
        let outcomes = check.names.chunks(1).map(|name| self.run_tests(check, name, seed));
        { outcomes }.find(|outcome| !outcome.is_passed()).unwrap_or(Outcome::Passed)
    }

    fn run_tests(&self, check: &Check, names: &[String], seed: u64) -> Outcome {
        let Some(program) = self.programs.get(&(check.machine, check.test.clone())) else {
            return Outcome::Missing { tests: names.to_owned() };
        };
        let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
        let program = Program::of_tests(program, &self.folder, &wanted, seed);
        judge(names, &program.run(check.deadline()), check.deadline())
    }
}

/// What tests say together. `wanted` are those that have to be there.
fn judge(wanted: &[String], end: &End, deadline: Duration) -> Outcome {
    let heard = libtest::parse(&end.said);
    let running = || heard.running.clone().unwrap_or_else(|| "before the first test".into());
    match end.how {
        process::How::TimeIsOver => {
            return Outcome::Hung { test: running(), deadline_s: deadline.as_secs() };
        }
        process::How::Signal(number) => {
            return Outcome::Crashed {
                test: running(),
                how: format!("signal {number}"),
                said: libtest::crash(&end.said),
            };
        }
        process::How::Code(code) if heard.running.is_some() => {
            return Outcome::Crashed {
                test: running(),
                how: format!("exit status {code}"),
                said: libtest::crash(&end.said),
            };
        }
        process::How::Code(_) => {}
    }
    let missing: Vec<String> =
        wanted.iter().filter(|name| !heard.tests.contains_key(*name)).cloned().collect();
    if !missing.is_empty() {
        return Outcome::Missing { tests: missing };
    }
    let failed =
        heard.tests.into_iter().filter_map(|(test, said)| Some(Failure { test, said: said? }));
    let tests: Vec<Failure> = failed.collect();
    if tests.is_empty() { Outcome::Passed } else { Outcome::Failed { tests } }
}
