//! Lab tests: how many connections there can be, what each of them costs, and that none of them
//! takes more than its turn.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use craft1_phase2::descriptors;
use testkit::{Client, DEADLINE, DataFolder, Server, get, wait_until};

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &[u8] = b"POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                      Content-Length: 22\r\n\r\n{\"name\":\"m\",\"value\":1}";

fn served(address: SocketAddr) -> Client {
    let mut client = Client::connect(address).unwrap();
    client.send(POST).unwrap();
    assert_eq!(client.read_response().unwrap().status, 202);
    client
}

#[test]
fn one_connection_too_many_gets_503_until_a_place_is_free() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--max-connections", "2", "--loops", "2"]);
    let (mut first, second) = (served(server.address()), served(server.address()));
    for _ in 0..20 {
        let mut third = Client::connect(server.address()).unwrap();
        third.send(REQUEST).unwrap();
        let refusal = third.read_response().unwrap();
        assert_eq!((refusal.status, refusal.field("Retry-After")), (503, Some("1")));
        assert_eq!(refusal.field("Connection"), Some("close"));
        third.assert_closed();
    }
    first.send(REQUEST).unwrap();
    assert_eq!(first.read_response().unwrap().status, 200, "who was inside is not disturbed");
    drop(second);
    wait_until("a place is free", || get(server.address(), "/health").status == 200);
    drop(first);
    // The place of the last one to ask may be taken for a moment longer.
    wait_until("it is told how many were refused", || {
        let telemetry = get(server.address(), "/metrics").text();
        let told =
            telemetry.lines().find_map(|it| it.strip_prefix("ingest_refused_connections_total "));
        told.is_some_and(|count| count.parse::<u64>().unwrap() >= 20)
    });
}

/// One client sends as fast as it can over one connection and reads all answers. The loop has only
/// one thread, so without turns nobody else would be answered while it lasts.
#[test]
fn a_client_that_always_has_more_does_not_starve_the_others() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--loops", "1"]);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut answers = stream.try_clone().unwrap();
        scope.spawn(move || {
            let mut buffer = vec![0; 1024 * 1024];
            while answers.read(&mut buffer).is_ok_and(|len| len > 0) {}
        });
        let flooding = scope.spawn(|| {
            let many = REQUEST.repeat(10_000);
            while !is_over.load(Relaxed) {
                stream.write_all(&many).unwrap();
            }
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut other = served(server.address());
        for _ in 0..10 {
            assert!(!flooding.is_finished());
            other.send(REQUEST).unwrap();
            assert_eq!(other.read_response().unwrap().status, 200);
        }
        is_over.store(true, Relaxed);
    });
}

/// What an idle connection may take, beside what the kernel takes for its socket.
const IDLE_BYTES_MAX: u64 = 4 * 1024;

/// As the project states it. Where the system allows fewer descriptors, as many as there are.
const CONNECTIONS: u64 = 10_000;

/// Those that are open before it is counted, so that what a first request needs is not.
const WARM: u64 = 100;

#[test]
#[cfg(target_os = "linux")]
fn ten_thousand_connections_are_served_and_cost_at_most_4_kib_each() {
    const OTHERS: u64 = 200;
    let allowed = match descriptors::allow(CONNECTIONS + OTHERS, "the connections of this test") {
        Ok(()) => CONNECTIONS,
        Err(too_few) => too_few.allowed - OTHERS,
    };
    let folder = DataFolder::new();
    let limits = ["--max-connections", "10000", "--idle-timeout", "10m", "--limit", "100000/1s"];
    let server = folder.start(FINAL, &limits);
    let mut clients = connect_and_ask(&server, WARM);
    let before = resident_bytes(&server);
    clients.extend(connect_and_ask(&server, allowed - WARM));
    let each = (resident_bytes(&server) - before) / (allowed - WARM);
    println!("{allowed} connections, {each} bytes each");
    assert!(each <= IDLE_BYTES_MAX, "{each} bytes for each of {allowed}");
    // All of them are still served, at the same time.
    for client in &mut clients {
        client.write_all(REQUEST).unwrap();
    }
    for client in &mut clients {
        assert!(answer(client).starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    drop(clients);
    wait_until("all are gone", || {
        get(server.address(), "/metrics").text().contains("\ningest_open_connections 1\n")
    });
}

/// Connections on which a request was answered.
fn connect_and_ask(server: &Server, count: u64) -> Vec<TcpStream> {
    let connect = |_| {
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        client.write_all(POST).unwrap();
        assert!(answer(&mut client).starts_with(b"HTTP/1.1 202 Accepted\r\n"));
        client
    };
    (0..count).map(connect).collect()
}

/// One that is short enough to come in one piece.
fn answer(client: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    let len = client.read(&mut bytes).unwrap();
    bytes.truncate(len);
    bytes
}

fn resident_bytes(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    resident.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// What clients have sent of requests that are not complete is theirs to keep us from forgetting,
/// and it goes when they go.
#[test]
#[cfg(target_os = "linux")]
fn what_was_kept_for_incomplete_requests_is_given_back() {
    const CLIENTS: usize = 200;
    const BODY_LEN: usize = 200_000;
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--loops", "1"]);
    let before = resident_bytes(&server);
    let head = "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 300000\r\n\r\n";
    let begun = format!("{head}{}", " ".repeat(BODY_LEN));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = TcpStream::connect(server.address()).unwrap();
            client.write_all(begun.as_bytes()).unwrap();
            client
        })
        .collect();
    wait_until("it has all of it", || {
        resident_bytes(&server) - before >= (CLIENTS * BODY_LEN) as u64
    });
    drop(clients);
    wait_until("it has given it back", || resident_bytes(&server) - before < 16 * 1024 * 1024);
}

#[test]
fn a_connection_that_is_reset_is_gone_at_once() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--loops", "1"]);
    for _ in 0..50 {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(&REQUEST.repeat(100)).unwrap();
        // Closed with answers unread, which resets the connection.
        let mut first = [0; 1];
        match stream.read(&mut first) {
            Ok(1) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("{other:?}"),
        }
    }
    wait_until("they are gone", || {
        get(server.address(), "/metrics").text().contains("\ningest_open_connections 1\n")
    });
}
