//! Retries, seen from outside: what stands on standard error while the disk is full.
//!
//! A limit on the size of files is a full disk here. No test looks at a clock: what is waited for
//! stands in the lines.

use std::process::Command;

use testkit::{DataFolder, Server, post_json, wait_until};
#[cfg(target_os = "linux")]
use testkit::{file_size, get_json};

/// A server whose disk is full before its first line.
fn start(folder: &DataFolder, options: &[&str]) -> Server {
    // What stands in the shell's place does not die of SIGXFSZ. The soft limit alone can be lifted.
    let script = r#"trap "" XFSZ; ulimit -S -f 0; exec "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_phase0"), "--port", "0"]);
    command.args(["--no-self-monitor", "--data-file"]).arg(folder.data_file());
    Server::start(command.args(options))
}

fn post(server: &Server) {
    let response = post_json(server.address(), "/metrics", r#"{"name":"m","value":1}"#);
    assert_eq!(response.status, 202, "POST /metrics: {}", response.text());
}

/// The waits that were said so far.
fn waits(server: &Server) -> Vec<String> {
    let failures = server.stderr().into_iter().filter(|line| line.starts_with("cannot write"));
    let wait = |line: String| match line.split_once("; next try in ") {
        Some((_, wait)) => wait.to_owned(),
        None => panic!("expected `; next try in DURATION` at the end of {line:?}"),
    };
    failures.map(wait).collect()
}

fn wait_for_failures(server: &Server, count: usize) {
    wait_until("`cannot write …; next try in …` on standard error", || {
        waits(server).len() >= count
    });
}

#[test]
fn each_wait_is_twice_the_one_before_up_to_the_limit() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--retry-min", "10ms", "--retry-max", "50ms"]);
    post(&server);
    wait_for_failures(&server, 6);
    let expected = ["10ms", "20ms", "40ms", "50ms", "50ms", "50ms"];
    assert_eq!(waits(&server)[..6], expected, "with --retry-min 10ms --retry-max 50ms");
}

#[cfg(target_os = "linux")]
#[test]
fn after_a_success_it_starts_again_from_the_shortest_wait() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--retry-min", "10ms", "--retry-max", "40ms"]);
    post(&server);
    wait_for_failures(&server, 4);
    file_size::limit(&server, None);
    wait_until("the first is stored", || get_json(server.address(), "/health")["stored"] == 1);
    file_size::limit(&server, Some(0));
    let before = waits(&server).len();
    post(&server);
    wait_for_failures(&server, before + 3);
    let waits = &waits(&server)[before..before + 3];
    assert_eq!(waits, ["10ms", "20ms", "40ms"], "failed, went well, failed again");
}

#[cfg(not(target_os = "linux"))]
#[test]
fn after_a_success_it_starts_again_from_the_shortest_wait() {
    println!("skipped: only Linux lifts a limit of a process that runs");
}

#[test]
fn a_signal_ends_the_wait() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--retry-min", "1h", "--retry-max", "1h"]);
    post(&server);
    server.wait_for_error("; next try in 1h");
    let exit = server.stop();
    assert_eq!(exit.status.code(), Some(1), "one metric is lost: {:?}", exit.stderr);
    let errors = exit.stderr.join("\n");
    assert!(errors.contains("1 accepted metrics could not be written"), "it said: {errors}");
}

#[test]
fn without_options_it_begins_with_100ms() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    post(&server);
    server.wait_for_error("cannot write");
    wait_for_failures(&server, 2);
    assert_eq!(waits(&server)[..2], ["100ms", "200ms"], "with neither --retry-min nor --retry-max");
}
