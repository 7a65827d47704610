//! `cargo compare` as a program: exit codes, and one whole comparison in seconds.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
};

use benches::record::{Integrity, Record, Series};
use rustix::process::{Pid, Signal, kill_process};

fn compare(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.args(line.split_whitespace());
    command
}

fn output(line: &str) -> Output {
    compare(line).output().unwrap()
}

#[test]
fn a_wrong_command_line_exits_with_2_and_says_why() {
    for (line, expected) in [
        ("phase9", "nothing here is called \"phase9\""),
        ("--toggle colour", "there is no toggle \"colour\""),
        ("--workload huge", "there is no workload \"huge\""),
        ("phase0 --baseline limit", "is not among what is compared"),
        ("budget phase9", "nothing here is called \"phase9\""),
        ("--quick --full", "cannot be used with"),
    ] {
        let output = output(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(output.stdout.is_empty(), "{line}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(expected), "{line}: {said}");
    }
}

#[test]
fn the_list_names_everything_that_can_be_named() {
    let output = output("list");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for name in ["phase0", "nginx", "slow-clients", "framework"] {
        assert!(text.contains(&format!("\n  {name} ")), "{name}: {text}");
    }
}

#[test]
fn nothing_can_be_built_without_cargo() {
    let output = compare("limit --quick").env("CARGO", "/no/such/cargo").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot run cargo"));
}

#[test]
fn a_load_that_cannot_be_measured_does_not_end_the_others() {
    let output = compare("limit --workload single,close --quick --rounds 1 --no-costs")
        .env("CARGO", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cargo_of_no_server.sh"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty(), "a record without a load says nothing");
    let said = String::from_utf8(output.stderr).unwrap();
    for workload in ["single", "close"] {
        let expected = format!("compare: {workload} could not be measured");
        assert!(said.contains(&expected), "{workload}: {said}");
    }
}

#[test]
#[ignore = "builds two servers in release mode and loads them for seconds"]
fn a_comparison_finds_who_is_faster_and_that_nothing_was_lost() {
    let output = output("phase0 limit --quick --rounds 2 --no-costs --json");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let record: Record = serde_json::from_slice(&output.stdout).unwrap();
    let runs: Vec<(u32, &str, Series)> =
        record.runs().map(|run| (run.round, &*run.subject, run.series)).collect();
    let round = |round| {
        [
            (round, "phase0", Series::First),
            (round, "limit", Series::First),
            (round, "phase0", Series::Again),
        ]
    };
    assert_eq!(runs, [round(1), round(2)].concat());
    for run in record.runs() {
        let accepted = run.load.requests.succeeded;
        match run.integrity {
            Integrity::StoresNothing => assert_eq!(run.subject, "limit"),
            // The warm-up's metrics are in the file, too.
            Integrity::Kept { stored } => assert!(stored > accepted && accepted > 0),
            ref other => panic!("{other:?}"),
        }
        if cfg!(target_os = "linux") {
            assert!(run.server.cpu_us.is_some_and(|cpu_us| cpu_us > 0.0));
        }
    }
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains(env!("CARGO_MANIFEST_DIR")), "a record names no path");
}

#[test]
#[ignore = "builds a server in release mode and loads it for seconds"]
fn ctrl_c_ends_the_comparison_and_prints_what_there_is() {
    let mut process = compare("limit --quick --rounds 30 --no-costs")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    // Kept to the end: a program that writes to nobody fails.
    let mut lines = lines.skip_while(|line| !line.starts_with("single, round 1 of 30"));
    lines.next().expect("a first run");
    kill_process(Pid::from_child(&process), Signal::INT).unwrap();
    lines.for_each(drop);
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\n  limit  ") && text.contains("nothing is known about"), "{text}");
}
