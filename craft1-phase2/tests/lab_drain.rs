//! Lab tests: a stop answers everybody inside, and whoever comes meanwhile hears why it is too late.

mod held;

use std::net::SocketAddr;
use std::thread;

use held::Held;
use rustix::process::Signal;
use testkit::{Client, DataFolder, Server, get, get_json, post_json, wait_until};

const PHASE2: &str = env!("CARGO_BIN_EXE_craft1-phase2");
const METRIC: &str = r#"{"name":"m","value":1}"#;

/// One worker, so that somebody waits in the backlog as well.
fn start(folder: &DataFolder) -> Server {
    folder.start(PHASE2, &["--workers", "1", "--backlog", "3", "--header-timeout", "60s"])
}

fn wait_until_it_stops(address: SocketAddr) {
    wait_until("the server is stopping", || {
        let answer = get(address, "/ready");
        answer.status == 503 && answer.json()["detail"] == "the server is stopping"
    });
}

#[test]
fn everybody_inside_is_answered_and_whoever_comes_is_told() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let address = server.address();
    let inside: Vec<_> = (0..4).map(|_| Held::begin(address)).collect();
    assert_eq!(get(address, "/health").status, 200, "all of them are inside");
    server.signal(Signal::TERM);
    wait_until_it_stops(address);
    let refusal = post_json(address, "/metrics", METRIC);
    assert_eq!((refusal.status, refusal.field("retry-after")), (503, Some("1")));
    assert_eq!(refusal.json()["detail"], "the server is stopping");
    assert_eq!(get_json(address, "/health")["status"], "ok", "it is alive until the end");
    for client in inside {
        assert_eq!(client.finish().status, 202);
    }
    let exit = server.wait();
    exit.assert_success();
    assert!(exit.stdout.last().unwrap().starts_with("stopped: wrote 4 metrics to "));
    assert_eq!(folder.stored().len(), 4);
}

#[test]
fn clients_without_a_word_do_not_hold_it_up() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let silent: Vec<_> = (0..4).map(|_| Client::connect(server.address()).unwrap()).collect();
    assert_eq!(get(server.address(), "/health").status, 200, "all of them are inside");
    server.stop().assert_success();
    for mut client in silent {
        client.assert_closed();
    }
}

#[test]
fn a_stream_of_new_clients_does_not_hold_it_up() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE2, &[]);
    let address = server.address();
    thread::scope(|scope| {
        for _ in 0..8 {
            // Until nobody is there any more.
            scope.spawn(move || while Client::connect(address).is_ok() {});
        }
        wait_until("they come", || {
            get(address, "/metrics").text().contains("ingest_requests_total")
        });
        server.stop().assert_success();
    });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let _inside: Vec<_> = (0..4).map(|_| Held::begin(server.address())).collect();
    server.signal(Signal::TERM);
    wait_until_it_stops(server.address());
    server.signal(Signal::INT);
    let exit = server.wait();
    assert_eq!(exit.status.code(), Some(128 + 2));
    assert!(exit.stderr.iter().any(|line| line.contains("0 accepted metrics are lost")));
}
