//! What came of it, phase by phase, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::check::{Failure, Graded, Outcome, theme};
use super::phase::Phase;
use super::runner::{NO_SERVER, Request};

/// The version of the JSON form. It rises when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// A whole grading.
#[derive(Debug, Serialize)]
pub struct Report<'r> {
    schema: u32,
    target: &'r str,
    phase: Phase,
    seed: u64,
    passed: bool,
    phases: Vec<PhaseReport>,
    checks: &'r [Graded],
}

/// What came of the checks that a phase brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PhaseReport {
    /// Which.
    pub phase: Phase,
    /// How many checks passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// How many were not run.
    pub not_run: usize,
}

impl<'r> Report<'r> {
    /// Counts what came of the checks.
    pub fn new(request: &'r Request, checks: &'r [Graded]) -> Self {
        let phases: Vec<PhaseReport> =
            Phase::ALL.into_iter().filter_map(|phase| PhaseReport::of(phase, checks)).collect();
        let [_, target] = request.target.options();
        let (phase, seed) = (request.phase, request.seed);
        let any_passed = phases.iter().any(|phase| phase.passed > 0);
        let passed = any_passed && phases.iter().all(|phase| phase.failed == 0);
        Self { schema: SCHEMA, target, phase, seed, passed, phases, checks }
    }

    /// Whether something was tried and nothing failed.
    pub fn has_passed(&self) -> bool {
        self.passed
    }

    /// As JSON.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    /// The last lines of the text: the phases, and what to do next.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_end(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\nresult")?;
        for it in &self.phases {
            writeln!(out, "  {:<12}{}", format!("phase {}", it.phase.id()), it.counts())?;
        }
        let phase = self.phase.id();
        if !self.passed {
            return writeln!(out, "\nfailed as phase {phase}. Begin with the first failure.");
        }
        let not_run: usize = self.phases.iter().map(|it| it.not_run).sum();
        write!(out, "\npassed as phase {phase}")?;
        if not_run > 0 {
            write!(out, ", as far as it was tried: {not_run} checks were not run")?;
        }
        match self.phase.next() {
            Some(next) => writeln!(out, ". Next: --phase {}", next.id()),
            None => writeln!(out, "."),
        }
    }
}

impl PhaseReport {
    fn of(phase: Phase, checks: &[Graded]) -> Option<Self> {
        let mut report = Self { phase, passed: 0, failed: 0, not_run: 0 };
        for check in checks.iter().filter(|check| check.phase == phase) {
            *report.count(&check.outcome) += 1;
        }
        (report.passed + report.failed + report.not_run > 0).then_some(report)
    }

    fn count(&mut self, outcome: &Outcome) -> &mut usize {
        match outcome {
            Outcome::Passed { .. } => &mut self.passed,
            Outcome::Failed { .. } => &mut self.failed,
            Outcome::NotRun { .. } => &mut self.not_run,
        }
    }

    fn counts(self) -> String {
        let named = [(self.passed, "passed"), (self.failed, "failed"), (self.not_run, "not run")];
        let named = named.into_iter().filter(|(count, _)| *count > 0);
        named.map(|(count, name)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    }
}

/// Writes the text while it comes about: a heading for each phase, failures at once, and a line for
/// each theme when it is done.
#[derive(Debug)]
pub struct Telling<W> {
    out: W,
    at: Option<(Phase, String)>,
    counts: PhaseReport,
    not_run: Vec<(String, Vec<String>)>,
}

impl<W: Write> Telling<W> {
    /// Says what is graded.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn begin(mut out: W, request: &Request) -> io::Result<Self> {
        let [_, target] = request.target.options();
        let (phase, seed) = (request.phase.id(), request.seed);
        writeln!(out, "grading {target}\nas phase {phase}, seed {seed}")?;
        let counts = PhaseReport { phase: request.phase, passed: 0, failed: 0, not_run: 0 };
        Ok(Self { out, at: None, counts, not_run: Vec::new() })
    }

    /// One more check is done.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn tell(&mut self, result: &Graded) -> io::Result<()> {
        let at = (result.phase, theme(&result.name).to_owned());
        if self.at.as_ref() != Some(&at) {
            let is_new_phase = self.at.as_ref().is_none_or(|(phase, _)| *phase != at.0);
            self.end_theme()?;
            if is_new_phase {
                writeln!(self.out, "\nphase {}: {}", at.0.id(), at.0.title())?;
            }
            self.at = Some(at);
        }
        *self.counts.count(&result.outcome) += 1;
        match &result.outcome {
            Outcome::Passed { note: None } => {}
            Outcome::Passed { note: Some(note) } => {
                writeln!(self.out, "  {}: {note}", result.name)?;
            }
            // The failure says it, and concerns everything behind it.
            Outcome::NotRun { reason } if reason == NO_SERVER => {}
            Outcome::NotRun { reason } => self.remember(&result.name, reason),
            Outcome::Failed { failure, likely, replay } => {
                self.tell_failure(result, failure, likely, replay)?;
            }
        }
        self.out.flush()
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn end(mut self) -> io::Result<W> {
        self.end_theme()?;
        Ok(self.out)
    }

    fn remember(&mut self, name: &str, reason: &str) {
        match self.not_run.iter_mut().find(|(it, _)| it == reason) {
            Some((_, names)) => names.push(name.to_owned()),
            None => self.not_run.push((reason.to_owned(), vec![name.to_owned()])),
        }
    }

    fn tell_failure(
        &mut self,
        result: &Graded,
        failure: &Failure,
        likely: &str,
        replay: &str,
    ) -> io::Result<()> {
        writeln!(self.out, "  FAILED {}: {}", result.name, result.claim)?;
        let mut line = |name: &str, text: &str| {
            let text = text.replace('\n', &format!("\n{:17}", ""));
            writeln!(self.out, "    {name:<13}{text}")
        };
        line("sent", &failure.sent)?;
        line("came back", &failure.came_back)?;
        line("expected", &failure.expected)?;
        if let Some(said) = &failure.server {
            line("the server", said)?;
        }
        line("likely", likely)?;
        line("again", replay)
    }

    fn end_theme(&mut self) -> io::Result<()> {
        let Some((_, theme)) = &self.at else { return Ok(()) };
        writeln!(self.out, "  {theme:<14}{}", self.counts.counts())?;
        for (reason, names) in self.not_run.drain(..) {
            let shown =
                if names.len() > 3 { format!("{} checks", names.len()) } else { names.join(", ") };
            writeln!(self.out, "    not run: {shown}: {reason}")?;
        }
        (self.counts.passed, self.counts.failed, self.counts.not_run) = (0, 0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grader::target::Target;

    fn request() -> Request {
        let target = Target::exec("s --port {port}").unwrap();
        Request { target, phase: Phase::One, only: vec![], seed: 7 }
    }

    fn graded(name: &str, phase: Phase, outcome: Outcome) -> Graded {
        Graded { name: name.into(), claim: "does what it should".into(), phase, outcome }
    }

    fn failed() -> Outcome {
        let failure = Failure {
            server: Some("it crashed\n  oops".into()),
            ..Failure::new("\"GET\"", "500", "200")
        };
        Outcome::Failed { failure, likely: "a lock".into(), replay: "cargo lab check".into() }
    }

    fn results() -> Vec<Graded> {
        let not_run = |reason: &str| Outcome::NotRun { reason: reason.into() };
        vec![
            graded("start/listens", Phase::Zero, Outcome::Passed { note: None }),
            graded(
                "load/answers",
                Phase::Zero,
                Outcome::Passed { note: Some("9 requests/s".into()) },
            ),
            graded("kill/tail", Phase::Zero, not_run("use --exec")),
            graded("kill/end", Phase::Zero, not_run("use --exec")),
            graded("contract/x", Phase::One, failed()),
        ]
    }

    #[test]
    fn the_text_tells_of_phases_themes_failures_and_what_was_not_run() {
        let (request, results) = (request(), results());
        let mut telling = Telling::begin(Vec::new(), &request).unwrap();
        for result in &results {
            telling.tell(result).unwrap();
        }
        let mut out = telling.end().unwrap();
        Report::new(&request, &results).write_end(&mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn the_json_holds_every_check() {
        let (request, results) = (request(), results());
        let mut out = Vec::new();
        Report::new(&request, &results).write_json(&mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn nothing_passes_where_nothing_was_tried_or_something_failed() {
        let request = request();
        let passed = |results: &[Graded]| Report::new(&request, results).has_passed();
        assert!(passed(&results()[..4]));
        assert!(!passed(&results()));
        assert!(!passed(&results()[2..4]), "not run is not passed");
        assert!(!passed(&[]));
    }
}
