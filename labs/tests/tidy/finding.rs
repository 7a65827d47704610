//! What a rule complains about: where, what, and what to do.

use std::fmt;

/// One complaint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file or the crate.
    pub(crate) place: String,
    /// The line, from 1; 0 where it is about the whole.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn at(place: &str, line: usize, what: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line, what: what.into() }
    }

    pub(crate) fn on(place: &str, what: impl Into<String>) -> Self {
        Self::at(place, 0, what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, line, what } = self;
        if *line == 0 { write!(f, "{place}: {what}") } else { write!(f, "{place}:{line}: {what}") }
    }
}

/// Fails with all of them, so that they can be mended at one go.
#[track_caller]
pub(crate) fn assert_none(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "findings: {}\n{}", lines.len(), lines.join("\n"));
}

/// The findings as lines, for the tests of the rules.
pub(crate) fn texts(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

#[test]
#[should_panic(expected = "findings: 2\na.rs:3: too long\nb: too many")]
fn all_findings_are_shown_at_once() {
    assert_none(&[Finding::at("a.rs", 3, "too long"), Finding::on("b", "too many")]);
}
