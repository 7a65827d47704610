//! Lab tests: with tokens, only who has one sends, under its name; without them, only this machine.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use testkit::client::exchange;
use testkit::{DataFolder, Response, Server, get, wait_until};

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");

const WEB: &str = "0123456789abcdef0123456789abcdef";
const DB: &str = "fedcba9876543210fedcba9876543210";
const OTHER: &str = "00000000000000000000000000000000";

fn write_tokens(path: &Path, text: &str) {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A server that knows two clients.
fn start(folder: &DataFolder, options: &[&str]) -> Server {
    let tokens = folder.path().join("tokens");
    write_tokens(&tokens, &format!("# clients\nweb-1:{WEB}\ndb {DB}\n"));
    let mut command = folder.command(FINAL, options);
    Server::start(command.arg("--token-file").arg(tokens))
}

/// A request with these fields between Host and the body.
fn ask(address: SocketAddr, method: &str, path: &str, fields: &str) -> Response {
    let body = if method == "POST" { r#"{"name":"m","value":1}"# } else { "" };
    let len = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{fields}\
         Content-Length: {len}\r\n\r\n{body}"
    );
    exchange(address, request.as_bytes())
}

fn post(address: SocketAddr, token: &str) -> Response {
    ask(address, "POST", "/metrics", &format!("Authorization: Bearer {token}\r\n"))
}

#[test]
fn who_has_a_token_sends_under_its_name() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let authorization = format!("Authorization: bEARER {DB}\r\nX-Client-Id: somebody-else\r\n");
    assert_eq!(post(server.address(), WEB).status, 202);
    assert_eq!(ask(server.address(), "POST", "/metrics", &authorization).status, 202);
    server.stop().assert_success();
    let clients: Vec<_> = folder.stored().iter().map(|line| line["client"].clone()).collect();
    assert_eq!(clients, ["web-1", "db"]);
}

#[test]
fn who_has_none_is_asked_for_it_and_nothing_is_stored() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let with_error = "Bearer realm=\"metrics\", error=\"invalid_token\"";
    for (fields, challenge) in [
        (String::new(), "Bearer realm=\"metrics\""),
        ("X-Client-Id: web-1\r\n".into(), "Bearer realm=\"metrics\""),
        (format!("Authorization: Basic {WEB}\r\n"), "Bearer realm=\"metrics\""),
        (format!("Authorization: {WEB}\r\n"), "Bearer realm=\"metrics\""),
        (format!("Authorization: Bearer {OTHER}\r\n"), with_error),
        (format!("Authorization: Bearer {}\r\n", &WEB[1..]), with_error),
        (format!("Authorization: Bearer {WEB}0\r\n"), with_error),
        ("Authorization: Bearer web-1\r\n".into(), with_error),
    ] {
        for path in ["/metrics", "/%6Detrics"] {
            let refusal = ask(server.address(), "POST", path, &fields);
            let found = (refusal.status, refusal.field("www-authenticate"));
            assert_eq!(found, (401, Some(challenge)), "{path} {fields}");
            assert_eq!(refusal.json()["error"], "unauthorized");
        }
    }
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 0);
}

#[test]
fn two_tokens_in_one_request_are_none() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let fields = format!("Authorization: Bearer {WEB}\r\nAuthorization: Bearer {DB}\r\n");
    assert_eq!(ask(server.address(), "POST", "/metrics", &fields).status, 400);
}

#[test]
fn only_a_probe_is_answered_without_a_token() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    for path in ["/health", "/ready"] {
        assert_eq!(get(server.address(), path).status, 200, "{path}");
    }
    for (method, path) in
        [("GET", "/metrics"), ("HEAD", "/metrics"), ("GET", "/nothing"), ("OPTIONS", "*")]
    {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
        let mut client = testkit::Client::connect(server.address()).unwrap();
        client.send(request.as_bytes()).unwrap();
        let expect = match method {
            "HEAD" => testkit::client::Expect::HeadOnly,
            _ => testkit::client::Expect::Body,
        };
        assert_eq!(client.read(expect).unwrap().status, 401, "{method} {path}");
    }
    let authorization = format!("Authorization: Bearer {WEB}\r\n");
    let telemetry = ask(server.address(), "GET", "/metrics", &authorization);
    assert_eq!(telemetry.status, 200);
    assert!(telemetry.text().contains("reason=\"unauthorized\"} 0"), "{}", telemetry.text());
}

#[test]
fn each_name_has_a_window_of_its_own() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--limit", "1/1h"]);
    for (token, status) in [(WEB, 202), (WEB, 429), (DB, 202), (DB, 429)] {
        assert_eq!(post(server.address(), token).status, status, "{token}");
    }
    let refused = post(server.address(), OTHER).status;
    assert_eq!(refused, 401, "a stranger uses up nobody's window");
}

#[test]
fn a_reload_takes_new_tokens_and_a_bad_file_changes_nothing() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let (address, tokens) = (server.address(), folder.path().join("tokens"));
    let hang_up = || {
        let pid = Pid::from_raw(server.pid().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::HUP).unwrap();
    };
    write_tokens(&tokens, "half a li");
    hang_up();
    // The next reload comes behind this one, so it is over when that one is seen.
    assert_eq!(post(address, WEB).status, 202);
    write_tokens(&tokens, &format!("web-1:{OTHER}\n"));
    hang_up();
    wait_until("the new token is known", || post(address, OTHER).status == 202);
    assert_eq!(post(address, WEB).status, 401, "the old one is not");
    server.stop().assert_success();
}

#[test]
fn a_hang_up_without_tokens_changes_nothing() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &[]);
    server.signal(Signal::HUP);
    assert_eq!(get(server.address(), "/health").status, 200);
    server.stop().assert_success();
}

#[test]
fn nothing_secret_is_logged_or_shown() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    for token in [WEB, DB, OTHER] {
        let answer = post(server.address(), token);
        assert!(!answer.text().contains(token), "{}", answer.text());
    }
    let authorization = format!("Authorization: Bearer {WEB}\r\n");
    let telemetry = ask(server.address(), "GET", "/metrics", &authorization).text();
    write_tokens(&folder.path().join("tokens"), &format!("{OTHER}\n"));
    server.signal(Signal::HUP);
    let exit = server.stop();
    exit.assert_success();
    let said = [exit.stdout.join("\n"), exit.stderr.join("\n"), telemetry].concat();
    for secret in [WEB, DB, OTHER, "web-1"] {
        assert!(!said.contains(secret), "{secret} is in\n{said}");
    }
}

/// How the server ends that cannot start.
fn refused(command: &mut Command) -> String {
    let exit = Server::run(command);
    assert_eq!(exit.status.code(), Some(1), "{:?}", exit.stderr);
    exit.stderr.join("\n")
}

#[test]
fn tokens_that_others_can_read_stop_the_start() {
    let folder = DataFolder::new();
    let tokens = folder.path().join("tokens");
    write_tokens(&tokens, &format!("web-1:{WEB}\n"));
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&tokens, Permissions::from_mode(mode)).unwrap();
        let error = refused(folder.command(FINAL, &[]).arg("--token-file").arg(&tokens));
        assert!(error.contains("chmod 600") && error.contains("tokens"), "{error}");
        assert!(!error.contains(WEB), "{error}");
    }
}

#[test]
fn tokens_that_are_too_short_stop_the_start() {
    let folder = DataFolder::new();
    let tokens = folder.path().join("tokens");
    write_tokens(&tokens, "web-1:hunter2\n");
    let error = refused(folder.command(FINAL, &[]).arg("--token-file").arg(&tokens));
    assert!(error.contains("line 1: expected a token of 32 to 1024 bytes"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn an_address_that_others_reach_needs_tokens_or_a_word() {
    let folder = DataFolder::new();
    for bind in ["0.0.0.0", "::"] {
        let error = refused(&mut folder.command(FINAL, &["--bind", bind]));
        assert!(error.contains("--token-file") && error.contains("--insecure"), "{error}");
    }
    assert!(!folder.data_file().exists(), "it has not begun");
    folder.start(FINAL, &["--bind", "0.0.0.0", "--insecure"]).stop().assert_success();
    start(&folder, &["--bind", "0.0.0.0"]).stop().assert_success();
}
