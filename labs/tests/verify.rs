//! `cargo lab verify` complains about labs that do not keep what they promise.

use std::fs;

use labs::catalog::{AtFirst, Catalog, Lab};
use labs::course::Course;
use labs::tree::Tree;
use labs::verify::verify;

fn lab(course: &Course, id: &str) -> Lab {
    Catalog::read(&course.root.join("labs/catalog")).unwrap().find(id).unwrap().clone()
}

fn complaints(course: &Course, lab: &Lab) -> anyhow::Result<Vec<String>> {
    let package = course.packages().find(|package| *package.name == lab.page.package).unwrap();
    verify(course, lab, package)
}

/// A copy of the lab's folder with one text replaced in one file.
fn edited(lab: &Lab, folder: &tempfile::TempDir, file: &str, (from, to): (&str, &str)) -> Lab {
    for (path, text) in Tree::read(&lab.folder).unwrap().iter() {
        let place = folder.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        assert!(path != file || text.contains(from), "{file} has no {from}");
        let text = if path == file { text.replace(from, to) } else { text.to_owned() };
        fs::write(place, text).unwrap();
    }
    Lab { folder: folder.path().to_owned(), ..lab.clone() }
}

/// Each expectation is met by one complaint, and there is no other.
#[track_caller]
fn assert_complaints(found: &[String], expected: &[&str]) {
    for it in expected {
        assert!(found.iter().any(|found| found.starts_with(it)), "no {it:?} in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
#[ignore = "slow lane: compiles phases 0 and 1 in several forms"]
fn labs_that_do_not_keep_their_promises_are_found() {
    let course = Course::of_workspace().unwrap();
    let right = lab(&course, "p0-request-log");

    let mut announced = right.clone();
    announced.page.checks[0].at_first = AtFirst::Green;
    announced.page.checks[3].at_first = AtFirst::Red;
    announced.page.checks[4].names.push("no_such_test".into());
    assert_complaints(
        &complaints(&course, &announced).unwrap(),
        &[
            "check lines is red at first",
            "check silent is green at first, and not red",
            "check contract: no tests no_such_test",
            "check contract fails on the solution",
        ],
    );

    let folder = tempfile::tempdir().unwrap();
    let wrong = edited(&right, &folder, "solution.patch", ("\"- -\"", "\"? ?\""));
    let found = complaints(&course, &wrong).unwrap();
    assert_complaints(&found, &["check refused fails on the solution"]);

    let folder = tempfile::tempdir().unwrap();
    let context = "     /// Do not sample this machine\n";
    let old = edited(&right, &folder, "solution.patch", (context, "     /// Another phase\n"));
    let error = complaints(&course, &old).unwrap_err().to_string();
    assert!(error.contains("solution.patch does not apply"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let unused = ("\"- -\");", "\"- -\");\n+    let unused = 1;");
    let mut lines = edited(&right, &folder, "solution.patch", unused);
    let patch = fs::read_to_string(folder.path().join("solution.patch")).unwrap();
    let hunk = patch.replace("@@ -359,11 +362,19 @@", "@@ -359,11 +362,20 @@");
    fs::write(folder.path().join("solution.patch"), hunk).unwrap();
    lines.page.checks.truncate(1);
    let found = complaints(&course, &lines).unwrap();
    assert_complaints(&found, &["the solution compiles with a warning"]);
}

#[test]
#[ignore = "slow lane: compiles phase 1 with each mutant"]
fn a_mutant_that_its_check_does_not_catch_is_found() {
    let course = Course::of_workspace().unwrap();
    let right = lab(&course, "c1p1-smuggling");
    let mut wrong = right.clone();
    let labs::catalog::Work::Break(breaking) = &mut wrong.page.work else { unreachable!() };
    breaking.mutant.truncate(2);
    breaking.mutant[1].caught_by = "chunks".into();
    let folder = tempfile::tempdir().unwrap();
    let sign = ("Content-Length: +22", "Content-Length: x22");
    let wrong = edited(&wrong, &folder, "solution/tests/mine.rs", sign);
    assert_complaints(
        &complaints(&course, &wrong).unwrap(),
        &[
            "mutant a-sign-counts-for-nothing is not caught by chunks",
            "tests of the solution do not find [\"a-sign-counts-for-nothing\"]",
        ],
    );
}
