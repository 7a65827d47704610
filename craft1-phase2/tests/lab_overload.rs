//! Lab tests: four times as many clients as there is room for. Those who are let in are served,
//! everybody else is told, and nothing grows.

mod held;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use held::Held;
use testkit::{Client, DataFolder, Server, get};

const PHASE2: &str = env!("CARGO_BIN_EXE_craft1-phase2");

/// Two workers and a backlog of four.
const ROOM: usize = 6;
const CLIENTS: usize = 4 * ROOM;

fn start(folder: &DataFolder, options: &[&str]) -> Server {
    let small = ["--workers", "2", "--backlog", "4", "--header-timeout", "60s"];
    folder.start(PHASE2, &[&small[..], options].concat())
}

/// All of them connect before the first one goes on, so how many are let in is known exactly.
#[test]
fn exactly_those_are_served_that_there_is_room_for() {
    for _ in 0..5 {
        let folder = DataFolder::new();
        let server = start(&folder, &[]);
        let mut inside: Vec<_> = (0..CLIENTS).map(|_| Held::begin(server.address())).collect();
        for outside in inside.split_off(ROOM) {
            assert_eq!(outside.answer().status, 503);
        }
        assert_eq!(get(server.address(), "/health").status, 200);
        for client in inside {
            assert_eq!(client.finish().status, 202);
        }
        server.stop().assert_success();
        assert_eq!(folder.stored().len(), ROOM);
    }
}

const REQUESTS_EACH: usize = 15;

/// Metrics in each request: its tree takes megabytes, so what is done at the same time shows.
const METRICS: usize = 1_000;

#[test]
fn under_a_storm_every_request_gets_one_answer_and_what_was_accepted_is_stored() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--limit", "100/1s"]);
    let (address, is_over) = (server.address(), AtomicBool::new(false));
    let accepted = thread::scope(|scope| {
        let watching = scope.spawn(|| {
            while !is_over.load(Relaxed) {
                assert_eq!(get(address, "/health").status, 200);
            }
        });
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || storm(address, client))).collect();
        let accepted: Vec<_> = clients.into_iter().map(thread::ScopedJoinHandle::join).collect();
        is_over.store(true, Relaxed);
        watching.join().unwrap();
        accepted.into_iter().flat_map(Result::unwrap).collect::<BTreeSet<_>>()
    });
    assert!(!accepted.is_empty(), "some get through");
    assert_memory_is_bounded(&server);
    server.stop().assert_success();
    let stored = folder.stored();
    assert_eq!(stored.len(), accepted.len() * METRICS);
    let names = stored.iter().map(|line| line["name"].as_str().unwrap().to_string());
    assert_eq!(names.collect::<BTreeSet<_>>(), accepted, "no more and no less");
}

/// Sends one request after the other and returns the names that were accepted.
fn storm(address: SocketAddr, client: usize) -> Vec<String> {
    let names = (0..REQUESTS_EACH).map(|request| format!("storm_{client}_{request}"));
    names.filter(|name| status(address, name) == 202).collect()
}

/// The status of the only answer, which is one that overload allows.
fn status(address: SocketAddr, name: &str) -> u16 {
    let mut client = Client::connect(address).unwrap();
    // A refusal comes before the body is read, and can cut our sending short.
    let _ = client.send(&request(name));
    let response = client.read_response().unwrap();
    assert!(client.read_to_end().unwrap().is_empty(), "one answer and no more");
    match response.status {
        202 => {}
        503 | 429 => assert!(response.field("retry-after").is_some(), "{response:?}"),
        other => panic!("{other}: {}", response.text()),
    }
    response.status
}

fn request(name: &str) -> Vec<u8> {
    let mut body = String::from(r#"{"metrics":["#);
    for index in 0..METRICS {
        let comma = if index == 0 { "" } else { "," };
        let tags = r#"{"host":"web-17","core":"3","datacenter":"eu-north-1","rack":"42"}"#;
        write!(body, r#"{comma}{{"name":"{name}","value":{index}.5,"tags":{tags}}}"#).unwrap();
    }
    body += "]}";
    let head = format!(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head, body].concat().into_bytes()
}

/// The program itself, and what two workers take for a body of this size, its tree and its lines,
/// each of them more than once while they grow. It does not depend on how many clients there are: a
/// thread for each of them takes twice as much and more.
const MEMORY_MAX_KIB: u64 = 24 * 1024;

/// The most memory that the server has had at any time, which Linux tells.
fn assert_memory_is_bounded(server: &Server) {
    let Ok(status) = fs::read_to_string(format!("/proc/{}/status", server.pid())) else {
        println!("memory was not looked at: there is no /proc here");
        return;
    };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("peak memory: {peak_kib} KiB of {MEMORY_MAX_KIB}");
    assert!(peak_kib <= MEMORY_MAX_KIB, "{peak_kib} KiB");
}
