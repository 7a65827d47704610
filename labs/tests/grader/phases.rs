//! Good servers pass: one in Python as phase 0, and the phases of the course as themselves.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{exec, graded, has_python, output, with_outcome};

#[track_caller]
fn assert_passes(options: &[&str]) {
    let (report, code) = graded(options);
    assert_eq!((with_outcome(&report, "failed"), code), (vec![], Some(0)));
    assert!(with_outcome(&report, "passed").len() > 150, "{report:#}");
    for check in with_outcome(&report, "not_run") {
        // The suites of others are data that need not be there.
        assert_eq!(
            check["name"].as_str().unwrap().split('/').next(),
            Some("conformance"),
            "{check}"
        );
        println!("{check}");
    }
}

#[test]
fn a_server_in_python_reaches_phase_0() {
    if has_python() {
        assert_passes(&["--exec", &exec("good")]);
    }
}

#[test]
fn a_server_that_picks_its_port_is_found_by_what_it_says() {
    if has_python() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grader/servers/says_where.py");
        let (report, code) =
            graded(&["--exec", &format!("python3 '{file}'"), "--only", "load/answers"]);
        assert_eq!((with_outcome(&report, "passed").len(), code), (2, Some(0)), "{report:#}");
    }
}

#[test]
fn what_another_seed_decides_passes_too() {
    if has_python() {
        let options = ["--exec", &exec("good"), "--only", "framing/", "--seed", "77"];
        let (report, code) = graded(&options);
        assert_eq!((report["seed"].as_u64(), code), (Some(77), Some(0)), "{report:#}");
    }
}

#[test]
fn what_cannot_be_tried_is_said_and_does_not_count_as_passed() {
    if !has_python() {
        return;
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grader/servers/says_where.py");
    let exec = format!("python3 '{file}'");
    let output = output(&["--exec", &exec, "--only", "storage/"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("not run: 5 checks: its data file is not known: the command has no {data}"),
        "{text}"
    );
    assert!(text.contains("5 checks were not run"), "{text}");
}

/// The programs of the phases, compiled now.
fn programs() -> PathBuf {
    let packages = [
        "phase0",
        "craft1-phase1",
        "craft1-phase2",
        "craft1-phase3",
        "craft1-phase4",
        "craft1-final",
    ];
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--quiet", "--bins"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    build.args(packages.iter().flat_map(|package| ["--package", package]));
    assert!(build.status().unwrap().success());
    Path::new(env!("CARGO_BIN_EXE_lab")).parent().unwrap().to_owned()
}

#[test]
#[ignore = "slow lane: compiles every phase and grades each as itself, a quarter of a minute each"]
fn every_phase_of_the_course_passes_as_itself() {
    let programs = programs();
    let timeouts = "--header-timeout {timeout} --body-timeout {timeout}";
    let bounded =
        format!("{timeouts} --limit {{limit}} --workers {{workers}} --backlog {{backlog}}");
    let connections = format!("{timeouts} --limit {{limit}} --max-connections {{connections}}");
    for (phase, program, options) in [
        ("0", "phase0", "--no-self-monitor --request-timeout {timeout}"),
        ("1", "craft1-phase1", timeouts),
        ("2", "craft1-phase2", &bounded),
        ("3", "craft1-phase3", &bounded),
        ("4", "craft1-phase4", &connections),
        ("final", "craft1-final", &connections),
    ] {
        let program = programs.join(program);
        let exec =
            format!("'{}' --port {{port}} --data-file {{data}} {options}", program.display());
        println!("{exec}");
        assert_passes(&["--exec", &exec, "--phase", phase]);
    }
}
