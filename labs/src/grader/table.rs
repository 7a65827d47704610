//! The table of all checks.
//!
//! What always holds: a name is given once, and says its theme before the slash. The order within a
//! phase is that of learning: first that it answers, then what it answers, then what it survives.

use super::check::{Check, Obstacle, Run, Tried};
use super::checks::{
    backpressure, conformance, contract, faults, framing, kill, limits, load, slow, start, storage,
};
use super::phase::Phase;
use super::session::Session;
use super::stage::Stage;
use super::template::Setting;

/// The check that comes before all others: without an answer nothing else can be said.
pub const FIRST: &str = "start/answers";

/// All checks, in the order in which the phases bring them.
pub fn checks() -> Vec<Check> {
    [
        start::checks(),
        contract::checks(),
        conformance::checks(),
        framing::checks(),
        storage::checks(),
        limits::checks(),
        backpressure::checks(),
        slow::checks(),
        faults::checks(),
        kill::checks(),
        load::checks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A row that asks a running server, from `since` on.
pub(super) fn asks(
    name: &str,
    claim: &str,
    since: Phase,
    setting: Setting,
    try_it: fn(&Session) -> Tried,
    teaches: &'static str,
) -> Check {
    row(name, claim, since, Run::Asks(setting, Box::new(try_it)), teaches)
}

/// A row that starts and ends servers, from `since` on.
pub(super) fn starts(
    name: &str,
    claim: &str,
    since: Phase,
    try_it: fn(&Stage<'_>) -> Tried,
    teaches: &'static str,
) -> Check {
    row(name, claim, since, Run::Starts(try_it), teaches)
}

fn row(name: &str, claim: &str, since: Phase, run: Run, teaches: &'static str) -> Check {
    let (name, claim, span) = (name.to_owned(), claim.to_owned(), (since, Phase::Final));
    Check { name, claim, span, obstacles: &[], teaches, run }
}

impl Check {
    /// With what may keep it from being run.
    pub(super) fn unless(self, obstacles: &'static [Obstacle]) -> Self {
        Self { obstacles, ..self }
    }

    /// With a last phase.
    pub(super) fn until(self, last: Phase) -> Self {
        Self { span: (self.span.0, last), ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_given_once_and_says_its_theme() {
        let checks = checks();
        let names: BTreeSet<&str> = checks.iter().map(|check| &*check.name).collect();
        assert_eq!(names.len(), checks.len());
        for name in names {
            let (theme, slug) = name.split_once('/').unwrap();
            let is_plain =
                |text: &str| text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
            assert!(
                !theme.is_empty() && !slug.is_empty() && is_plain(theme) && is_plain(slug),
                "{name}"
            );
        }
    }

    #[test]
    fn every_check_teaches_and_concerns_some_phase() {
        for check in checks() {
            assert!(check.teaches.len() > 20, "{}", check.name);
            assert!(check.span.0 <= check.span.1, "{}", check.name);
        }
    }

    #[test]
    fn the_first_check_is_the_first() {
        assert_eq!(checks()[0].name, FIRST);
    }
}
