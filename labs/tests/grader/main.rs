//! The grader grades: a good server passes, broken ones fail at the right check with the right
//! words, and whatever a server does, the grader ends and leaves nothing behind.
//!
//! The servers are Python and its standard library, because a grader for any language must not be
//! tried with ours alone. Where python3 is missing, each test says that it is skipped.

mod broken;
mod command;
mod phases;

use std::process::{Command, Output};

use serde_json::Value;

/// What a server by this name is started with.
fn exec(server: &str) -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grader/servers");
    format!(
        "python3 '{file}/{server}.py' --port {{port}} --data-file {{data}} --timeout {{timeout}}"
    )
}

/// `lab check` with these options.
fn check(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.arg("check").args(options);
    // Nothing that servers write beside their sources.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn output(options: &[&str]) -> Output {
    check(options).output().unwrap()
}

/// Its JSON and its exit code.
#[track_caller]
fn graded(options: &[&str]) -> (Value, Option<i32>) {
    let output = output(&[options, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    let json = serde_json::from_slice(&output.stdout);
    (json.unwrap_or_else(|error| panic!("{error}: {errors}")), output.status.code())
}

/// The results of the checks that came out like this.
fn with_outcome<'r>(report: &'r Value, outcome: &str) -> Vec<&'r Value> {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().filter(|check| check["outcome"] == outcome).collect()
}

/// Whether python3 is there. It is said where it is not.
fn has_python() -> bool {
    let has = Command::new("python3").arg("--version").output().is_ok_and(|it| it.status.success());
    if !has {
        println!("SKIPPED: there is no python3, so no server in another language was graded");
    }
    has
}
