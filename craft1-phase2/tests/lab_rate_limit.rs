//! Lab tests: the rate limit, seen by its clients.
//!
//! Where a test counts answers its window is a minute or an hour, so that no machine is too slow
//! for it.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use testkit::client::exchange;
use testkit::{DataFolder, Response, Server, get, get_json, post_json, wait_until};

const PHASE2: &str = env!("CARGO_BIN_EXE_craft1-phase2");
const BODY: &str = r#"{"name":"m","value":1}"#;

/// A POST that says whose it is.
fn post_as(address: SocketAddr, client: &str) -> Response {
    let body_len = BODY.len();
    let request = format!(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nX-Client-Id: {client}\r\n\
         Content-Type: application/json\r\nContent-Length: {body_len}\r\n\r\n{BODY}"
    );
    exchange(address, request.as_bytes())
}

/// A POST that is known by its address.
fn post(address: SocketAddr) -> Response {
    post_json(address, "/metrics", BODY)
}

/// How many of ten are taken.
fn taken_of_ten(mut post: impl FnMut() -> Response) -> usize {
    let statuses: Vec<_> = (0..10).map(|_| post().status).collect();
    assert!(statuses.iter().all(|status| [202, 429].contains(status)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 202).count()
}

#[test]
fn answers_429_when_the_window_is_full() {
    for limiter in ["log", "counter"] {
        let folder = DataFolder::new();
        let server = folder.start(PHASE2, &["--limit", "5/1h", "--limiter", limiter]);
        assert_eq!(taken_of_ten(|| post_as(server.address(), "a")), 5, "{limiter}");
        let refusal = post_as(server.address(), "a");
        assert_eq!(refusal.status, 429, "{limiter}");
        assert_eq!(refusal.json()["error"], "too_many_requests", "{limiter}");
        let retry_after_s: u64 = refusal.field("retry-after").unwrap().parse().unwrap();
        assert!((1..=3_600).contains(&retry_after_s), "{limiter}: {retry_after_s}");
        server.stop().assert_success();
        assert_eq!(folder.stored().len(), 5, "what was refused is not stored");
    }
}

#[test]
fn other_clients_are_not_touched() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE2, &["--limit", "5/1h"]);
    for client in ["a", "b", "A"] {
        assert_eq!(taken_of_ten(|| post_as(server.address(), client)), 5, "{client}");
    }
    assert_eq!(taken_of_ten(|| post(server.address())), 5, "nor is who does not say its name");
}

#[test]
fn a_client_that_names_itself_after_an_address_is_not_that_address() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE2, &["--limit", "5/1h"]);
    assert_eq!(taken_of_ten(|| post_as(server.address(), "127.0.0.1")), 5);
    assert_eq!(taken_of_ten(|| post(server.address())), 5);
}

#[test]
fn all_connections_of_an_address_share_its_window() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE2, &["--limit", "50/1h"]);
    let taken: usize = thread::scope(|scope| {
        let ten = || taken_of_ten(|| post(server.address()));
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ten)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(taken, 50);
}

#[test]
fn who_waits_as_long_as_it_is_told_is_taken_again() {
    for limiter in ["log", "counter"] {
        let folder = DataFolder::new();
        let server = folder.start(PHASE2, &["--limit", "1/2s", "--limiter", limiter]);
        // A machine may be so slow that the first one leaves the window before the next one comes.
        let mut refusal = None;
        wait_until("a refusal", || {
            refusal = Some(post(server.address())).filter(|response| response.status == 429);
            refusal.is_some()
        });
        let wait_s = refusal.unwrap().field("retry-after").unwrap().parse().unwrap();
        thread::sleep(Duration::from_secs(wait_s));
        assert_eq!(post(server.address()).status, 202, "{limiter}");
    }
}

#[test]
fn without_a_limit_everything_is_taken() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE2, &["--limit", "1/1h", "--limiter", "off"]);
    assert_eq!(taken_of_ten(|| post_as(server.address(), "a")), 10);
}

#[test]
fn whoever_watches_the_server_is_not_limited() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE2, &["--limit", "1/1h"]);
    assert_eq!(taken_of_ten(|| post(server.address())), 1);
    for path in ["/metrics", "/health", "/ready"] {
        assert_eq!(get(server.address(), path).status, 200, "{path}");
    }
}

#[test]
fn the_limit_is_seen_from_outside() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE2, &["--limit", "1/1h"]);
    for client in ["a", "a", "a", "b"] {
        post_as(server.address(), client);
    }
    assert_eq!(get_json(server.address(), "/health")["stored"], 2);
    let telemetry = get(server.address(), "/metrics").text();
    for line in [
        "ingest_requests_total{status=\"202\"} 2",
        "ingest_requests_total{status=\"429\"} 2",
        "ingest_rate_limit_clients 2",
        "ingest_rate_limit_evicted_total 0",
        "ingest_rate_limit_forgotten_total 0",
    ] {
        assert!(telemetry.lines().any(|it| it == line), "{line} is not in\n{telemetry}");
    }
}

#[test]
fn a_limit_that_is_none_is_refused_at_the_start() {
    for (options, expected) in [
        (["--limit", "5"], "expected requests and a window, as in 1000/1s"),
        (["--limit", "0/1s"], "expected 1 to 100000 requests"),
        (["--limit", "5/2h"], "expected a window from 1ms to 1h"),
        (["--limit", "5/s"], "expected a window with its unit, as in 1s or 250ms"),
        (["--limiter", "tower"], "possible values: log, counter, off"),
    ] {
        let exit = Server::run(&mut DataFolder::new().command(PHASE2, &options));
        assert_eq!(exit.status.code(), Some(2), "{options:?}");
        let error = exit.stderr.join("\n");
        assert!(error.contains(expected), "{options:?}: {error}");
    }
}
