//! The request log, seen from outside: what stands on standard error.

use testkit::client::exchange;
use testkit::{DataFolder, Server, get, post_json};

fn start(folder: &DataFolder, options: &[&str]) -> Server {
    let program = env!("CARGO_BIN_EXE_phase0");
    folder.start(program, &[&["--no-self-monitor"], options].concat())
}

/// Stops the server and returns what it logged.
#[track_caller]
fn logged(server: Server) -> Vec<String> {
    let exit = server.stop();
    exit.assert_success();
    exit.stderr
}

#[test]
fn a_request_has_a_line() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--log-requests"]);
    post_json(server.address(), "/metrics", r#"{"name":"m","value":1}"#);
    post_json(server.address(), "/metrics", "{");
    get(server.address(), "/query?name=m");
    let expected = ["POST /metrics 202", "POST /metrics 400", "GET /query?name=m 200"];
    assert_eq!(logged(server), expected);
}

#[test]
fn what_was_not_understood_has_a_line() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--log-requests"]);
    exchange(server.address(), b"GET /health HTTP/1.1\nHost: t\n\n");
    assert_eq!(logged(server), ["- - 400"]);
}

#[test]
fn a_target_breaks_no_line_and_is_cut() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--log-requests"]);
    exchange(server.address(), "GET /ü\u{85}\u{2028} HTTP/1.1\r\nHost: t\r\n\r\n".as_bytes());
    get(server.address(), &format!("/{}", "a".repeat(5000)));
    let lines = logged(server);
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in &lines {
        let is_visible = |it: char| it == ' ' || !it.is_control() && !it.is_whitespace();
        assert!(line.chars().all(is_visible), "{line:?}");
        assert!(line.chars().count() <= "GET  404".len() + 200, "{} characters", line.len());
    }
}

#[test]
fn without_the_option_nothing_is_logged() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    get(server.address(), "/health");
    assert_eq!(logged(server), [""; 0]);
}
