//! `JSONTestSuite` as cases: a body for `POST /metrics` each, and whether it must be taken.
//!
//! What always holds: each file stands as the value of a field that nobody asks for, so the verdict
//! is about syntax and nothing else. The files are data beside the workspace, `../shared/suites`.
//! Where they are missing, it is printed how many cases are skipped, and none counts as passed.
//!
//! The suite is nst/JSONTestSuite by Nicolas Seriot ("Parsing JSON is a Minefield", 2016). A name
//! that begins with `y_` must be taken, with `n_` refused; `i_` is what the RFC leaves open.

use std::fs;
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/suites/JSONTestSuite");

/// How many cases there are of each kind. Another number is another suite.
const COUNTS: [(&str, usize); 3] = [("y_", 95), ("n_", 188), ("i_", 35)];

/// What we take of that which is left open: numbers that lose digits or become zero, as a measured
/// number may. The other thirty lose more than that: a number overflows, a text is not Unicode, an
/// array is nested 500 deep, or the file begins with a byte order mark.
const OPEN_BUT_TAKEN: [&str; 5] = [
    "i_number_double_huge_neg_exp",
    "i_number_real_underflow",
    "i_number_too_big_neg_int",
    "i_number_too_big_pos_int",
    "i_number_very_big_negative_int",
];

/// One file of the suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The file's name without its extension.
    pub name: String,
    /// The body that it stands in.
    pub body: Vec<u8>,
    /// What must become of it.
    pub verdict: Verdict,
}

impl Case {
    /// Whether the RFC leaves it open, so that the verdict is ours alone.
    pub fn is_open(&self) -> bool {
        self.name.starts_with("i_")
    }
}

/// What must become of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 202.
    Taken,
    /// 400.
    Refused,
}

/// Asks `takes` about every case and prints the score.
///
/// # Panics
/// If a verdict is wrong: each of them is named.
#[track_caller]
pub fn check(takes: impl FnMut(&Case) -> bool) {
    if let Some(cases) = cases() {
        check_all(&cases, takes);
    }
}

/// Every case, by name; `None` where the suite is missing, which is printed.
///
/// # Panics
/// If the folder holds something else.
#[track_caller]
pub fn cases() -> Option<Vec<Case>> {
    let cases = find();
    if cases.is_none() {
        println!("{} cases skipped: suite not present at {FOLDER}", count());
    }
    cases
}

/// As [`cases`], without a word where the suite is missing.
///
/// # Panics
/// If the folder holds something else.
#[track_caller]
pub fn find() -> Option<Vec<Case>> {
    cases_of(Path::new(FOLDER))
}

/// How many cases there are.
pub fn count() -> usize {
    COUNTS.iter().map(|(_, count)| count).sum()
}

#[track_caller]
fn cases_of(folder: &Path) -> Option<Vec<Case>> {
    let files = fs::read_dir(folder).ok()?;
    let mut cases: Vec<_> =
        files.map(|file| case(&file.expect("a readable folder").path())).collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    for (kind, count) in COUNTS {
        let found = cases.iter().filter(|case| case.name.starts_with(kind)).count();
        assert_eq!(found, count, "cases of kind {kind} in {}", folder.display());
    }
    Some(cases)
}

fn case(file: &Path) -> Case {
    let name = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    let value = fs::read(file).expect("a readable file");
    let body = [&br#"{"metrics":[{"name":"m","value":1,"extra":"#[..], &value, b"}]}"].concat();
    let is_taken = name.starts_with("y_") || OPEN_BUT_TAKEN.contains(&&*name);
    Case { name, body, verdict: if is_taken { Verdict::Taken } else { Verdict::Refused } }
}

#[track_caller]
fn check_all(cases: &[Case], mut takes: impl FnMut(&Case) -> bool) {
    let mut wrong = Vec::new();
    for case in cases {
        let verdict = if takes(case) { Verdict::Taken } else { Verdict::Refused };
        if verdict != case.verdict {
            wrong.push(format!("{} must be {:?}", case.name, case.verdict));
        }
    }
    println!("JSONTestSuite: {} of {} as they must be", cases.len() - wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{} wrong verdicts:\n{}", wrong.len(), wrong.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stands_as_the_value_of_a_field_that_nobody_asks_for() {
        let Some(cases) = cases() else { return };
        let find = |name| cases.iter().find(|case| case.name == name).unwrap();
        let null = find("y_structure_lonely_null");
        let body = r#"{"metrics":[{"name":"m","value":1,"extra":null}]}"#;
        assert_eq!((null.body.as_slice(), null.verdict), (body.as_bytes(), Verdict::Taken));
        assert_eq!(find("n_structure_no_data").verdict, Verdict::Refused);
        let open = cases.iter().filter(|case| case.is_open());
        let open_but_taken = open.filter(|it| it.verdict == Verdict::Taken);
        assert_eq!(open_but_taken.count(), OPEN_BUT_TAKEN.len());
    }

    #[test]
    fn a_suite_that_is_missing_has_no_cases() {
        assert_eq!(cases_of(Path::new("/no-such-folder")), None);
    }

    #[test]
    #[should_panic(expected = "cases of kind y_")]
    fn another_folder_is_not_taken_for_the_suite() {
        cases_of(tempfile::tempdir().unwrap().path());
    }

    #[test]
    #[should_panic(expected = "1 wrong verdicts:\ny_object must be Taken")]
    fn a_wrong_verdict_is_named() {
        let case = |name: &str, verdict| Case { name: name.into(), body: Vec::new(), verdict };
        let cases = [case("y_object", Verdict::Taken), case("n_object", Verdict::Refused)];
        check_all(&cases, |_| false);
    }
}
