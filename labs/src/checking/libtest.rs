//! What a test program prints, read back.
//!
//! The form is that of libtest with one thread: `test name ... ` before a test runs, its result
//! behind it, and what failing tests said at the end. (`--format json` is not stable.)

use std::collections::BTreeMap;

/// What was heard of a test program.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Each test that ended: nothing where it passed, else what it said.
    pub tests: BTreeMap<String, Option<String>>,
    /// The test that had begun and did not end.
    pub running: Option<String>,
}

/// Reads it.
pub fn parse(text: &str) -> Heard {
    let mut heard = Heard::default();
    for line in text.lines() {
        if let Some((name, result)) =
            line.strip_prefix("test ").and_then(|it| it.split_once(" ... "))
        {
            heard.running = Some(name_of(name).to_owned());
            heard.end(result);
        } else if heard.running.is_some() {
            // What a test prints past the capture stands between its name and its result.
            heard.end(line);
        }
    }
    let said = said(text);
    for (name, failure) in &mut heard.tests {
        if let Some(failure) = failure {
            *failure = said.get(name).cloned().unwrap_or_default();
        }
    }
    heard
}

impl Heard {
    /// Takes a result for the running test, if this is one.
    fn end(&mut self, result: &str) {
        let failure = match result.trim() {
            "ok" => None,
            "FAILED" => Some(String::new()),
            _ => return,
        };
        if let Some(name) = self.running.take() {
            self.tests.insert(name, failure);
        }
    }
}

/// `a::b` of `a::b - should panic`.
fn name_of(name: &str) -> &str {
    name.strip_suffix(" - should panic").unwrap_or(name)
}

/// What failing tests said, by their names.
fn said(text: &str) -> BTreeMap<String, String> {
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        let heading = line.strip_prefix("---- ").and_then(|it| it.strip_suffix(" stdout ----"));
        if let Some(name) = heading {
            current = Some(name_of(name).to_owned());
        } else if line == "failures:" {
            current = None;
        } else if let Some(name) = current.as_ref().filter(|_| !is_noise(line)) {
            let text = said.entry(name.clone()).or_default();
            text.push_str(line);
            text.push('\n');
        }
    }
    said.into_iter().map(|(name, text)| (name, text.trim().to_owned())).collect()
}

/// What the runtime says to each panic, whatever it is.
fn is_noise(line: &str) -> bool {
    line.starts_with("note: run with `RUST_BACKTRACE=") || line.starts_with("stack backtrace:")
}

/// Lines of a crash that are shown.
const LAST_LINES: usize = 20;

/// The end of a text.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().filter(|line| !is_noise(line)).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\nrunning 4 tests\ntest a::passes ... ok\ntest b_fails ... FAILED\n\
                        test c - should panic ... ok\ntest d_talks ... to the terminal\nFAILED\n\n\
                        failures:\n\n---- b_fails stdout ----\n\n\
                        thread 'b_fails' panicked at src/lib.rs:1:2:\nassertion failed\n  left: 1\n\
                        note: run with `RUST_BACKTRACE=1` environment variable to display a \
                        backtrace\n\n---- d_talks stdout ----\nno\n\nfailures:\n    b_fails\n    d_talks\n\n\
                        test result: FAILED. 2 passed; 2 failed; 0 ignored\n";

    #[test]
    fn each_test_is_heard_with_what_it_said() {
        let heard = parse(TEXT);
        let expected = [
            ("a::passes", None),
            (
                "b_fails",
                Some("thread 'b_fails' panicked at src/lib.rs:1:2:\nassertion failed\n  left: 1"),
            ),
            ("c", None),
            ("d_talks", Some("no")),
        ];
        let expected = expected.map(|(name, said)| (name.to_owned(), said.map(String::from)));
        assert_eq!(heard.tests, BTreeMap::from(expected));
        assert_eq!(heard.running, None);
    }

    #[test]
    fn a_test_that_never_ended_is_known() {
        let heard = parse("running 2 tests\ntest a ... ok\ntest b ... ");
        assert_eq!((heard.tests.len(), heard.running.as_deref()), (1, Some("b")));
    }

    #[test]
    fn the_end_of_a_crash_is_short() {
        let lines: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        assert_eq!(last_lines(&lines.join("\n")).lines().next(), Some("30"));
    }
}
