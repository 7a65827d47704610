//! Lab tests: the rate limit, seen by its clients: phase 2's, over connections that stay open and in
//! several event loops.
//!
//! Where a test counts answers its window is an hour, so that no machine is too slow for it.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use testkit::client::exchange;
use testkit::{Client, DataFolder, Response, Server, get, get_json, post_json, wait_until};

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");
const BODY: &str = r#"{"name":"m","value":1}"#;

/// A POST that says whose it is.
fn posted_by(client: &str) -> Vec<u8> {
    let body_len = BODY.len();
    format!(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nX-Client-Id: {client}\r\n\
         Content-Type: application/json\r\nContent-Length: {body_len}\r\n\r\n{BODY}"
    )
    .into_bytes()
}

fn post_as(address: SocketAddr, client: &str) -> Response {
    exchange(address, &posted_by(client))
}

/// How many of ten are taken.
fn taken_of_ten(mut post: impl FnMut() -> Response) -> usize {
    let statuses: Vec<_> = (0..10).map(|_| post().status).collect();
    assert!(statuses.iter().all(|status| [202, 429].contains(status)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 202).count()
}

#[test]
fn answers_429_when_the_window_is_full() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--limit", "5/1h"]);
    assert_eq!(taken_of_ten(|| post_as(server.address(), "a")), 5);
    let refusal = post_as(server.address(), "a");
    assert_eq!((refusal.status, &refusal.json()["error"]), (429, &"too_many_requests".into()));
    let retry_after_s: u64 = refusal.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=7_200).contains(&retry_after_s), "{retry_after_s}");
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 5, "what was refused is not stored");
}

#[test]
fn other_clients_are_not_touched() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--limit", "5/1h"]);
    let address = server.address();
    for client in ["a", "b", "A", "127.0.0.1"] {
        assert_eq!(taken_of_ten(|| post_as(address, client)), 5, "{client}");
    }
    assert_eq!(taken_of_ten(|| post_json(address, "/metrics", BODY)), 5, "nor who has no name");
}

#[test]
fn all_connections_of_a_client_share_its_window_in_whichever_loop() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--limit", "50/1h", "--loops", "4"]);
    let taken: usize = thread::scope(|scope| {
        let ten = || taken_of_ten(|| post_as(server.address(), "a"));
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ten)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // The first of four loops to bring a newcomer may each let one more in.
    assert!((50..54).contains(&taken), "{taken}");
}

#[test]
fn a_refusal_leaves_the_connection_open_for_who_waits() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--limit", "1/1h"]);
    let mut client = Client::connect(server.address()).unwrap();
    for (id, status) in [("a", 202), ("a", 429), ("b", 202), ("b", 429)] {
        client.send(&posted_by(id)).unwrap();
        assert_eq!(client.read_response().unwrap().status, status, "{id}");
    }
}

#[test]
fn a_path_in_other_letters_has_the_same_limit() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--limit", "5/1h"]);
    let post = || post_json(server.address(), "/%6D%65trics", BODY);
    assert_eq!(taken_of_ten(post), 5);
    assert_eq!(post_json(server.address(), "/metrics", BODY).status, 429);
}

#[test]
fn who_waits_as_long_as_it_is_told_is_taken_again() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--limit", "1/2s"]);
    let post = || post_json(server.address(), "/metrics", BODY);
    // A machine may be so slow that the first one leaves the window before the next one comes.
    let mut refusal = None;
    wait_until("a refusal", || {
        refusal = Some(post()).filter(|response| response.status == 429);
        refusal.is_some()
    });
    let wait_s = refusal.unwrap().field("retry-after").unwrap().parse().unwrap();
    thread::sleep(Duration::from_secs(wait_s));
    assert_eq!(post().status, 202);
}

#[test]
fn without_a_limit_everything_is_taken() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--limit", "1/1h", "--limiter", "off"]);
    assert_eq!(taken_of_ten(|| post_as(server.address(), "a")), 10);
}

#[test]
fn whoever_watches_the_server_is_not_limited() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--limit", "1/1h"]);
    assert_eq!(taken_of_ten(|| post_as(server.address(), "a")), 1);
    for path in ["/metrics", "/health", "/ready"] {
        assert_eq!(get(server.address(), path).status, 200, "{path}");
    }
}

#[test]
fn the_limit_is_seen_from_outside() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--limit", "1/1h", "--limit-clients", "8"]);
    for client in ["a", "a", "a", "b"] {
        post_as(server.address(), client);
    }
    assert_eq!(get_json(server.address(), "/health")["accepted"], 2);
    let lines = |wanted: [&str; 5]| {
        let telemetry = get(server.address(), "/metrics").text();
        for line in wanted {
            assert!(telemetry.lines().any(|it| it == line), "{line} is not in\n{telemetry}");
        }
    };
    lines([
        "ingest_requests_total{status=\"202\"} 2",
        "ingest_requests_total{status=\"429\"} 2",
        "ingest_dropped_requests_total{reason=\"rate_limited\"} 2",
        "ingest_rate_limit_clients 2",
        "ingest_rate_limit_forgotten_total 0",
    ]);
    for client in 0..8 {
        post_as(server.address(), &client.to_string());
    }
    lines([
        "ingest_requests_total{status=\"202\"} 10",
        "ingest_requests_total{status=\"429\"} 2",
        "ingest_rate_limit_clients 8",
        "ingest_rate_limit_evicted_total 0",
        "ingest_rate_limit_forgotten_total 2",
    ]);
}

#[test]
fn a_limit_that_is_none_is_refused_at_the_start() {
    for (options, expected) in [
        (["--limit", "5"], "expected requests and a window, as in 1000/1s"),
        (["--limit", "0/1s"], "expected 1 to 100000 requests"),
        (["--limit", "5/2h"], "expected a window from 1ms to 1h"),
        (["--limiter", "log"], "possible values: counter, off"),
        (["--limit-clients", "0"], "invalid value '0'"),
    ] {
        let exit = Server::run(&mut DataFolder::new().command(FINAL, &options));
        assert_eq!(exit.status.code(), Some(2), "{options:?}");
        let error = exit.stderr.join("\n");
        assert!(error.contains(expected), "{options:?}: {error}");
    }
}
