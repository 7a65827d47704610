//! What a test program prints, read back.
//!
//! The form is that of libtest with one thread: `test name ... ` before a test runs, its result
//! behind it, and what failing tests said at the end. (`--format json` is not stable.)

use std::collections::{BTreeMap, BTreeSet};

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
    said.into_iter().map(|(name, text)| (name, once(text.trim()))).collect()
}

/// Each paragraph once: a property that fails says the same for every example that it tries.
fn once(text: &str) -> String {
    let mut seen = BTreeSet::new();
    let paragraphs = text.split("\n\n").filter(|paragraph| seen.insert(*paragraph));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// What the runtime says to each panic, whatever it is.
fn is_noise(line: &str) -> bool {
    line.starts_with("note: run with `RUST_BACKTRACE=") || line.starts_with("stack backtrace:")
}

/// Lines of a crash that are shown.
const CRASH_LINES: usize = 20;

/// What a program said when it crashed: from its first panic on, or the end of it where there was
/// none, without the frames of the stack.
pub fn crash(text: &str) -> String {
    let lines: Vec<&str> =
        text.trim_end().lines().filter(|line| !is_noise(line) && !is_frame(line)).collect();
    let first = lines.iter().position(|line| line.contains(" panicked at "));
    let start = first.unwrap_or(lines.len().saturating_sub(CRASH_LINES));
    lines[start..].iter().take(CRASH_LINES).copied().collect::<Vec<_>>().join("\n")
}

/// `  12:  0x55b2 - drop_in_place`, or the line below it that says where.
fn is_frame(line: &str) -> bool {
    let line = line.trim_start();
    let number = line.split(':').next().unwrap_or_default();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    line.starts_with("at /") || is_number && line.contains(" - ")
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
    fn a_paragraph_that_comes_again_is_heard_once() {
        let text = "test a ... FAILED\n\n---- a stdout ----\n\npanicked\nno\n\npanicked\nno\n\n\
                    minimal failing input: 0\n\nfailures:\n    a\n";
        let said = parse(text).tests["a"].clone().unwrap();
        assert_eq!(said, "panicked\nno\n\nminimal failing input: 0");
    }

    #[test]
    fn a_test_that_never_ended_is_known() {
        let heard = parse("running 2 tests\ntest a ... ok\ntest b ... ");
        assert_eq!((heard.tests.len(), heard.running.as_deref()), (1, Some("b")));
    }

    #[test]
    fn a_crash_is_told_from_its_first_panic_on() {
        let text = "test a ... \nthread 'a' panicked at src/a.rs:1:2:\nCausality violation\n\
                    stack backtrace:\n   0:  0x55b2 - drop_in_place\n       at /rustc/a.rs:1:2\n\
                    thread 'a' panicked at b.rs:\naborting.\n";
        let expected = "thread 'a' panicked at src/a.rs:1:2:\nCausality violation\n\
                        thread 'a' panicked at b.rs:\naborting.";
        assert_eq!(crash(text), expected);
        let lines: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        assert_eq!(crash(&lines.join("\n")).lines().next(), Some("30"));
    }
}
