//! Runs the checks that concern a phase, one after the other, against servers that it starts and
//! ends as they are needed.
//!
//! What always holds: checks run in the order of the phases. A server that crashed or hangs is
//! replaced, its end is part of the failure, and a theme that ends too many servers is left. What
//! was not tried says why.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use testkit::{DataFolder, Server};

use super::check::{Check, Failure, Graded, Outcome, Run, Tried};
use super::interrupt::Interrupt;
use super::phase::Phase;
use super::replay;
use super::session::Session;
use super::stage::{Stage, how_it_ended, said};
use super::table;
use super::target::Target;
use super::template::Setting;

/// Servers that one theme may end before the rest of it is left: each of them takes a deadline.
const ENDED_MAX: usize = 3;

/// What to grade, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// The server.
    pub target: Target,
    /// As what.
    pub phase: Phase,
    /// Only checks that are called like one of these, or whose names contain it. None means all.
    pub only: Vec<String>,
    /// Decides everything random.
    pub seed: u64,
}

/// No check is called like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--only {only:?}: phase {phase} has no such check; there are {themes}")]
pub struct NoSuchCheck {
    only: String,
    phase: &'static str,
    themes: String,
}

/// Grades, and tells of each check when it is done.
///
/// # Errors
/// Where `only` names no check. A server that fails is no error.
pub fn grade(
    request: &Request,
    interrupt: &Interrupt,
    mut tell: impl FnMut(&Graded),
) -> Result<Vec<Graded>, NoSuchCheck> {
    let checks = choose(table::checks(), request)?;
    let mut run = Grading {
        request,
        interrupt,
        shared: None,
        ended: 0,
        theme: String::new(),
        given_up: None,
    };
    let mut results = Vec::new();
    for check in &checks {
        let result = Graded {
            name: check.name.clone(),
            claim: check.claim.clone(),
            phase: check.span.0,
            outcome: run.outcome(check),
        };
        tell(&result);
        results.push(result);
    }
    run.end_shared();
    Ok(results)
}

/// Those that concern the phase and are asked for, phase by phase. The first one, which shows that
/// there is a server at all, is always among them.
fn choose(all: Vec<Check>, request: &Request) -> Result<Vec<Check>, NoSuchCheck> {
    let mut checks: Vec<Check> =
        all.into_iter().filter(|check| check.concerns(request.phase)).collect();
    checks.sort_by_key(|check| check.span.0);
    if request.only.is_empty() {
        return Ok(checks);
    }
    let names: Vec<String> = checks.iter().map(|check| check.name.clone()).collect();
    let is_meant = |only: &String, name: &str| {
        if names.contains(only) { name == only } else { name.contains(&**only) }
    };
    if let Some(only) = request.only.iter().find(|only| !names.iter().any(|it| is_meant(only, it)))
    {
        let themes: BTreeSet<&str> = checks.iter().map(Check::theme).collect();
        let (phase, themes) = (request.phase.id(), Vec::from_iter(themes).join(", "));
        return Err(NoSuchCheck { only: only.clone(), phase, themes });
    }
    let is_asked = |check: &Check| request.only.iter().any(|only| is_meant(only, &check.name));
    checks.retain(|check| check.name == table::FIRST || is_asked(check));
    Ok(checks)
}

/// The state between two checks.
struct Grading<'g> {
    request: &'g Request,
    interrupt: &'g Interrupt,
    /// The server that checks share, with its setting and where it stores.
    shared: Option<(Setting, Server, DataFolder)>,
    /// Servers that the theme has ended so far.
    ended: usize,
    theme: String,
    /// Why nothing more can be tried.
    given_up: Option<String>,
}

impl Grading<'_> {
    fn outcome(&mut self, check: &Check) -> Outcome {
        if check.theme() != self.theme {
            check.theme().clone_into(&mut self.theme);
            self.ended = 0;
        }
        if let Some(reason) = self.obstacle(check) {
            return Outcome::NotRun { reason };
        }
        let tried = match &check.run {
            Run::Starts(try_it) => self.stage().map_or(Ok(None), |stage| try_it(&stage)),
            Run::Asks(setting, try_it) => self.ask(*setting, try_it),
        };
        if self.interrupt.is_asked() {
            return Outcome::NotRun { reason: INTERRUPTED.to_owned() };
        }
        match tried {
            Ok(note) => Outcome::Passed { note },
            Err(failure) => self.failed(check, failure),
        }
    }

    fn failed(&mut self, check: &Check, failure: Failure) -> Outcome {
        if check.name == table::FIRST {
            self.given_up = Some(NO_SERVER.to_owned());
        }
        let replay = replay::line(self.request, &check.name);
        Outcome::Failed { failure, likely: check.teaches.to_owned(), replay }
    }

    fn obstacle(&self, check: &Check) -> Option<String> {
        if self.interrupt.is_asked() {
            return Some(INTERRUPTED.to_owned());
        }
        if self.given_up.is_some() {
            return self.given_up.clone();
        }
        if self.ended >= ENDED_MAX {
            return Some(format!(
                "{ENDED_MAX} servers have crashed or hung in this theme: mend that first"
            ));
        }
        check.obstacle(&self.request.target)
    }

    fn stage(&self) -> Option<Stage<'_>> {
        let Target::Exec(template) = &self.request.target else { return None };
        let (phase, seed) = (self.request.phase, self.request.seed);
        Some(Stage { template, phase, seed, interrupt: self.interrupt })
    }

    fn ask(&mut self, setting: Setting, try_it: &dyn Fn(&Session) -> Tried) -> Tried {
        if let Target::Url { address, .. } = self.request.target {
            let (phase, seed) = (self.request.phase, self.request.seed);
            let session = Session { address, phase, seed, pid: None, impatience: false };
            return try_it(&session);
        }
        self.make_ready(setting)?;
        let Some((_, server, _)) = &self.shared else { return Ok(None) };
        let Some(stage) = self.stage() else { return Ok(None) };
        let session = stage.session(server);
        let tried = try_it(&session);
        // Who answers a moment after a failure is neither dead nor hung.
        let hangs = tried.is_err() && session.still_answers("the check").is_err();
        self.look_after(tried, hangs)
    }

    /// A shared server in this setting, the running one if it is in it.
    fn make_ready(&mut self, setting: Setting) -> Result<(), Failure> {
        if self.shared.as_ref().is_some_and(|(running, ..)| self.is_like(*running, setting)) {
            return Ok(());
        }
        self.end_shared();
        let Some(stage) = self.stage() else { return Ok(()) };
        let folder = DataFolder::new();
        let started = stage.start(&folder, setting);
        match started {
            Ok(server) => self.shared = Some((setting, server, folder)),
            Err(failure) => {
                self.ended += 1;
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Whether a server would be started with the same words.
    fn is_like(&self, one: Setting, other: Setting) -> bool {
        let words =
            |setting| self.stage().map(|stage| stage.template.words(0, "".as_ref(), setting));
        one == other || words(one) == words(other)
    }

    /// Adds to a failure how the server ended, and makes room for a new one.
    fn look_after(&mut self, tried: Tried, hangs: bool) -> Tried {
        let Some((setting, mut server, folder)) = self.shared.take() else { return tried };
        let is_running = if hangs { runs_on(&mut server) } else { server.is_running() };
        if is_running && !hangs {
            self.shared = Some((setting, server, folder));
            return tried;
        }
        self.ended += 1;
        let expected = "that the server goes on";
        let failure = tried
            .err()
            .unwrap_or_else(|| Failure::new("what this check sends", "its end", expected));
        server.kill_group();
        self.interrupt.watch(None);
        let its_words = match server.ended_within(super::stage::STOP_MAX) {
            Ok(exit) if is_running => {
                format!(
                    "it hangs: GET /health is not answered any more; {}",
                    said(&exit.stdout, &exit.stderr)
                )
            }
            Ok(exit) => {
                format!(
                    "it crashed: {}; {}",
                    how_it_ended(exit.status),
                    said(&exit.stdout, &exit.stderr)
                )
            }
            Err(_) => "it cannot be killed".to_owned(),
        };
        Err(Failure { server: Some(its_words), ..failure })
    }

    fn end_shared(&mut self) {
        if let Some((_, server, _folder)) = self.shared.take() {
            server.kill_group();
            self.interrupt.watch(None);
        }
    }
}

/// How long a crash takes at most: the system closes the sockets first, and may then write the whole
/// memory of the process to a file.
const CRASH_MAX: Duration = Duration::from_secs(3);

/// Whether a server that answers nobody is still there after that.
fn runs_on(server: &mut Server) -> bool {
    let until = Instant::now() + CRASH_MAX;
    while server.is_running() {
        if Instant::now() >= until {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

const INTERRUPTED: &str = "interrupted";

/// Why nothing else is tried where the first check fails.
pub const NO_SERVER: &str = "there is no server that answers";

#[cfg(test)]
mod tests {
    use super::*;

    fn request(phase: Phase, only: &[&str]) -> Request {
        let target = Target::url("http://127.0.0.1:1").unwrap();
        Request { target, phase, only: only.iter().map(ToString::to_string).collect(), seed: 1 }
    }

    fn names(phase: Phase, only: &[&str]) -> Vec<String> {
        let checks = choose(table::checks(), &request(phase, only)).unwrap();
        checks.into_iter().map(|check| check.name).collect()
    }

    #[test]
    fn a_phase_is_asked_for_what_the_earlier_ones_are_and_for_its_own() {
        let counts = Phase::ALL.map(|phase| names(phase, &[]).len());
        assert!(counts.iter().all(|count| *count > 150), "{counts:?}");
        assert!(counts[1..].is_sorted() && counts[1] < counts[5], "{counts:?}");
        assert!(!names(Phase::One, &[]).iter().any(|name| name == "contract/finds-stored-points"));
    }

    #[test]
    fn only_is_a_whole_name_or_a_part_of_names_and_the_first_check_stays() {
        assert_eq!(
            names(Phase::Zero, &["faults/header-bomb"]),
            [table::FIRST, "faults/header-bomb"]
        );
        let faults = names(Phase::Zero, &["faults/"]);
        assert!(faults.len() > 5 && faults[1..].iter().all(|name| name.starts_with("faults/")));
        assert_eq!(names(Phase::Zero, &[table::FIRST]), [table::FIRST]);
        let two = ["kill/torn-tail", "load/"];
        let expected = [table::FIRST, "kill/torn-tail", "load/answers", "load/stored"];
        assert_eq!(names(Phase::Zero, &two), expected);
    }

    #[test]
    fn a_check_that_is_not_there_is_refused_with_the_themes() {
        let error = choose(table::checks(), &request(Phase::Zero, &["x y"])).err().unwrap();
        let error = error.to_string();
        assert!(
            error.contains("phase 0 has no such check; there are conformance, contract"),
            "{error}"
        );
    }

    #[test]
    fn nobody_at_the_url_is_one_failure_and_the_rest_is_not_run() {
        let results = grade(&request(Phase::Zero, &[]), &Interrupt::default(), |_| ()).unwrap();
        assert!(matches!(results[0].outcome, Outcome::Failed { .. }), "{:?}", results[0]);
        let not_run = |it: &Graded| matches!(&it.outcome, Outcome::NotRun { reason } if reason.contains("no server"));
        assert!(results[1..].iter().all(not_run));
    }
}
