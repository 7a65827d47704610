//! The command as a user meets it: help, exit status, what goes to which stream, and signals.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";
const REFUSED: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

fn load_test() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load_test"));
    // The width of the help must not depend on the terminal of whoever runs the tests.
    command.env("COLUMNS", "100").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    load_test().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A server that gives the same answer to everything. Returns its port.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                // The requests are shorter than a segment and come one by one.
                while let Ok(1..) = stream.read(&mut buffer) {
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port.to_string()
}

#[test]
fn the_help_explains_itself() {
    insta::assert_snapshot!(text(&run(&["--help"]).stdout));
}

#[test]
fn success_is_zero_and_the_table_goes_to_standard_output() {
    let output = run(&[&server(ACCEPTED), "5", "10"]);
    assert_eq!(output.status.code(), Some(0));
    let table = text(&output.stdout);
    assert!(table.contains("50 succeeded, 0 failed"), "{table}");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn the_separator_of_the_cargo_alias_is_passed_over() {
    let port = server(ACCEPTED);
    for arguments in [vec![&port, "5", "10"], vec![&port, "--requests", "50"]] {
        let output = run(&[vec!["--"], arguments].concat());
        assert!(text(&output.stdout).contains("50 succeeded"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_failed_request_is_one_unless_it_is_allowed() {
    let port = server(REFUSED);
    let output = run(&[&port, "2", "3"]);
    assert_eq!(output.status.code(), Some(1));
    let table = text(&output.stdout);
    assert!(table.contains("status 503") && table.contains("no request succeeded"), "{table}");
    assert_eq!(run(&[&port, "2", "3", "--allow-errors"]).status.code(), Some(0));
}

#[test]
fn a_wrong_command_line_is_two() {
    for arguments in [
        vec![],
        vec!["8080", "--rate", "0"],
        vec!["8080", "--batch", "1001"],
        vec!["8080", "--for", "soon"],
        vec!["--url", "https://127.0.0.1/"],
        vec!["--url", "http://192.0.2.1/"],
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn another_machine_is_refused_with_the_option_that_allows_it() {
    let output = run(&["--url", "http://192.0.2.1/"]);
    assert!(text(&output.stderr).contains("--allow-remote"));
}

#[test]
fn nobody_listening_is_three() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = run(&[&port.to_string()]);
    assert_eq!(output.status.code(), Some(3));
    let message = text(&output.stderr);
    assert!(message.contains("is the server running?") && message.contains("refused"), "{message}");
}

#[test]
fn too_few_open_files_is_three_and_says_how_to_raise_them() {
    let port = server(ACCEPTED);
    let program = env!("CARGO_BIN_EXE_load_test");
    let script = format!("ulimit -n 100 && exec {program} {port} -c 500 --for 1s");
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("ulimit -n"), "{}", text(&output.stderr));
}

#[test]
fn a_soft_limit_of_open_files_is_raised() {
    let port = server(ACCEPTED);
    let program = env!("CARGO_BIN_EXE_load_test");
    let script = format!("ulimit -Sn 100 && exec {program} {port} -c 300 -n 600");
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn json_goes_to_a_file_or_instead_of_the_table() {
    let port = server(ACCEPTED);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result.json");
    let output = run(&[&port, "2", "5", "--json", path.to_str().unwrap()]);
    assert!(text(&output.stdout).contains("10 succeeded"));
    let summary: load_gen::Summary =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((summary.requests.succeeded, summary.latency.count), (10, 10));

    let output = run(&[&port, "2", "5", "--json", "-"]);
    let summary: load_gen::Summary = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary.requests.succeeded, 10);
    assert!(text(&output.stderr).contains("10 succeeded"));
}

#[test]
fn json_that_cannot_be_written_is_three_and_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no such folder").join("result.json");
    let output = run(&[&server(ACCEPTED), "1", "1", "--json", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("cannot write"));
}

#[test]
fn progress_outside_a_terminal_is_a_line_now_and_then() {
    let output = run(&[&server(ACCEPTED), "--rate", "100", "--for", "4s"]);
    let lines = text(&output.stderr);
    assert!(lines.lines().count() >= 1 && lines.contains("requests/s, p99"), "{lines}");
    let quiet = run(&[&server(ACCEPTED), "--rate", "100", "--for", "4s", "--quiet"]);
    assert_eq!(text(&quiet.stderr), "");
}

#[test]
fn an_interrupt_ends_the_run_and_prints_what_was_measured() {
    let child = load_test()
        .args([&server(ACCEPTED), "--rate", "200", "--for", "60s", "--quiet"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(800));
    let begin = Instant::now();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert_eq!(output.status.code(), Some(0));
    let table = text(&output.stdout);
    assert!(table.contains("interrupted") && table.contains("p99.99"), "{table}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_core_that_is_not_there_is_three() {
    let output = run(&[&server(ACCEPTED), "1", "1", "--pin", "5000"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("no such core"));
}
