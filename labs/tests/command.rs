//! `cargo lab` as a program: what it says, what it refuses, and how it exits.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use labs::course::Course;
use serde_json::Value;

fn lab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments);
    command
}

fn output(arguments: &[&str]) -> Output {
    lab(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn snapshot_into(folder: &Path, more: &[&str]) -> Output {
    lab(&["snapshot", "1", "--to"]).arg(folder).args(more).output().unwrap()
}

#[test]
fn a_wrong_command_line_exits_with_2_and_says_why() {
    for (arguments, expected) in [
        (&["snapshot", "9"][..], "there is no phase \"9\"; there are 1"),
        (&["diff", "1", "phase2"], "there is no phase \"phase2\"; there are 1"),
        (&["diff", "1", "1", "nowhere.rs"], "neither phase has nowhere.rs"),
        (&["diff", "1"], "two phases are compared: cargo lab diff 1 <M>"),
        (&["snapshots"], "similar subcommand"),
        (&["check", "--exec", "a", "--url", "b"], "cannot be used with"),
        (&["check", "c1f-spsc", "--url", "b"], "cannot be used with"),
        (&["check", "--watch", "--json"], "cannot be used with"),
        (&["hint", "--level", "4"], "is not in 1..=3"),
        (&["predict", "3"], "--because"),
        (&["bench", "--vs", "all"], "reference, or phase:X"),
    ] {
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
}

#[test]
fn a_snapshot_is_written_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let output = snapshot_into(folder.path(), &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let place = folder.path().display().to_string();
    assert!(stdout(&output).starts_with(&format!("craft1-phase1, complete, in {place}\n")));
    for file in ["Cargo.toml", "Cargo.lock", "README.md", "src/lib.rs", "src/http/head.rs"] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
    let again = stdout(&snapshot_into(folder.path(), &[]));
    assert!(again.contains("\n0 files written, "), "{again}");
}

#[test]
fn a_snapshot_has_the_versions_of_the_workspace_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    snapshot_into(folder.path(), &[]);
    let course = Course::of_workspace().unwrap();
    let checksums = |folder: &Path| {
        let lock = fs::read_to_string(folder.join("Cargo.lock")).unwrap();
        let lines = lock.lines().filter(|line| line.starts_with("checksum = "));
        lines.map(String::from).collect::<BTreeSet<String>>()
    };
    let (ours, theirs) = (checksums(folder.path()), checksums(&course.root));
    assert!(ours.is_subset(&theirs), "{:?}", ours.difference(&theirs));
    assert!(!ours.is_empty() && ours.len() < theirs.len());
}

#[test]
fn your_changes_are_kept_until_you_say_force() {
    let folder = tempfile::tempdir().unwrap();
    snapshot_into(folder.path(), &[]);
    let file = folder.path().join("src/server.rs");
    fs::write(&file, "//! Mine.\n").unwrap();
    let refused = snapshot_into(folder.path(), &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("has changes in src/server.rs: add --force"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "//! Mine.\n");
    assert!(snapshot_into(folder.path(), &["--force"]).status.success());
    assert_ne!(fs::read_to_string(&file).unwrap(), "//! Mine.\n");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    let refused = snapshot_into(folder.path(), &["--force"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("is not empty and not a snapshot"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_phase_and_itself_are_the_same() {
    let output = output(&["diff", "1", "1"]);
    assert!(output.status.success());
    assert_eq!(stdout(&output), "craft1-phase1 and craft1-phase1 are the same\n");
}

#[test]
fn the_counts_of_every_step_of_the_course_are_those_of_its_lines() {
    let course = Course::of_workspace().unwrap();
    for pair in course.phases().windows(2) {
        let [from, to] = pair else { unreachable!("windows of two") };
        let output = output(&["diff", &from.id, &to.id, "--json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let diff: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(ends(&diff), (from.package.name.as_str(), to.package.name.as_str()));
        let files = diff["files"].as_array().unwrap();
        for file in files {
            let lines = file["unified"].as_str().unwrap().lines().skip(2);
            let added = lines.filter(|line| line.starts_with('+')).count();
            assert_eq!(file["added"], added, "{}", file["path"]);
        }
        assert!(files.iter().any(|file| file["path"] == "src/main.rs"), "it is put together anew");
    }
}

fn ends(diff: &Value) -> (&str, &str) {
    (diff["from"].as_str().unwrap(), diff["to"].as_str().unwrap())
}

#[test]
fn a_diff_of_one_file_shows_that_file_and_no_colour_to_a_program() {
    let output = output(&["diff", "1", "2", "server.rs"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("\n--- craft1-phase1/src/server.rs\n+++ craft1-phase2/src/server.rs\n"));
    assert_eq!(text.matches("\n+++ ").count(), 1);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn only_the_counts_are_shown_where_only_they_are_wanted() {
    let text = stdout(&output(&["diff", "1", "2", "--stat"]));
    assert!(text.contains("\nA src/pool.rs ") && text.contains("\nM src/server.rs "), "{text}");
    assert!(!text.contains("\n+++ "), "{text}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut process =
        lab(&["diff", "1", "2"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(process.stdout.take());
    let output = process.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[test]
fn nothing_can_be_done_without_cargo() {
    let output = lab(&["diff", "1", "1"]).env("CARGO", "/no/such/cargo").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).starts_with("lab: cannot ask cargo about the workspace: "));
}

#[test]
fn help_is_for_a_newcomer() {
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help_snapshot", &["snapshot", "--help"]),
        ("help_diff", &["diff", "--help"]),
        ("help_start", &["start", "--help"]),
        ("help_check", &["check", "--help"]),
        ("help_predict", &["predict", "--help"]),
        ("help_bench", &["bench", "--help"]),
    ] {
        insta::assert_snapshot!(name, stdout(&output(arguments)));
    }
}

#[test]
fn labs_are_listed_and_shown_to_people_and_to_programs() {
    let list = stdout(&output(&["list"]));
    assert!(list.contains("c1f-spsc") && list.contains("build"), "{list}");
    let labs: Value = serde_json::from_slice(&output(&["list", "--json"]).stdout).unwrap();
    for lab in labs.as_array().unwrap() {
        let id = lab["id"].as_str().unwrap();
        let shown: Value = serde_json::from_slice(&output(&["show", id, "--json"]).stdout).unwrap();
        assert_eq!((&shown["id"], &shown["kind"]), (&lab["id"], &lab["kind"]));
        assert!(stdout(&output(&["show", id])).starts_with(&format!("{id}: ")), "{id}");
    }
}

#[test]
fn alone_it_says_where_the_learner_is_and_what_comes_next() {
    let output = output(&[]);
    assert!(output.status.success());
    let text = stdout(&output);
    assert!(text.contains(" labs passed\n") && text.contains("cargo lab list"), "{text}");
}

#[test]
fn a_mistyped_lab_is_recognised() {
    for command in ["show", "start", "hint", "check", "solution", "verify"] {
        let output = output(&[command, "c1f-spcs"]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(stderr(&output).contains("is it c1f-spsc?"), "{command}: {}", stderr(&output));
    }
}
