//! Lab tests: whatever a client lets the server wait for has a deadline of its own, and waiting for
//! one client delays no other.
//!
//! The deadlines are short where the test waits for them to pass and far away where it must not
//! meet them, so nothing here depends on how fast the machine is.

use std::time::{Duration, Instant};

use testkit::{Client, DEADLINE, DataFolder, Response, Server, get};

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");

/// Time enough for a client of this test to send its first bytes on a busy machine.
const SHORT: Duration = Duration::from_secs(1);

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &[u8] = b"POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 22\r\n\r\n\
                      {\"name\":\"m\",\"value\":1}";

/// With the deadline `name` short and the others far away.
fn start(folder: &DataFolder, name: &str) -> Server {
    let mut options = vec!["--loops", "1"];
    for other in ["--header-timeout", "--body-timeout", "--idle-timeout", "--write-timeout"] {
        options.extend([other, if other == name { "1s" } else { "60s" }]);
    }
    folder.start(FINAL, &options)
}

/// A client that has sent the beginning of `request`, and what is left of it.
fn half_sent<'r>(server: &Server, request: &'r [u8]) -> (Client, &'r [u8]) {
    let (begun, rest) = request.split_at(request.len() - 10);
    let mut client = Client::connect(server.address()).unwrap();
    client.send(begun).unwrap();
    (client, rest)
}

fn finish((client, rest): &mut (Client, &[u8])) -> Response {
    client.send(rest).unwrap();
    client.read_response().unwrap()
}

fn answer(client: &mut Client, request: &[u8]) -> u16 {
    client.send(request).unwrap();
    client.read_response().unwrap().status
}

#[track_caller]
fn assert_too_slow(mut client: Client, since: Instant) {
    let response = client.read_response().unwrap();
    assert_eq!((response.status, response.field("connection")), (408, Some("close")));
    assert!(since.elapsed() >= SHORT);
    client.assert_closed();
}

#[test]
fn a_head_that_does_not_end_gets_408_at_its_deadline() {
    let folder = DataFolder::new();
    let server = start(&folder, "--header-timeout");
    let started = Instant::now();
    let (client, _) = half_sent(&server, REQUEST);
    assert_too_slow(client, started);
    let telemetry = get(server.address(), "/metrics").text();
    assert!(telemetry.contains("{status=\"408\"} 1\n"), "{telemetry}");
}

#[test]
fn every_head_has_the_deadline_of_a_head_and_not_only_the_first() {
    let folder = DataFolder::new();
    let server = start(&folder, "--header-timeout");
    let mut client = Client::connect(server.address()).unwrap();
    assert_eq!(answer(&mut client, REQUEST), 200);
    let started = Instant::now();
    client.send(&REQUEST[..10]).unwrap();
    assert_too_slow(client, started);
}

#[test]
fn a_body_that_does_not_end_gets_408_at_its_deadline() {
    let folder = DataFolder::new();
    let server = start(&folder, "--body-timeout");
    let started = Instant::now();
    let (client, _) = half_sent(&server, POST);
    assert_too_slow(client, started);
}

#[test]
fn a_body_has_more_time_than_a_head() {
    let folder = DataFolder::new();
    let server = start(&folder, "--header-timeout");
    let mut client = half_sent(&server, POST);
    std::thread::sleep(SHORT + SHORT / 2);
    assert_eq!(finish(&mut client).status, 202);
}

/// Each byte comes long before a time limit for a single read would end: the attack that is called
/// slow loris.
#[test]
fn a_client_that_drips_bytes_is_cut_off_at_the_deadline() {
    let folder = DataFolder::new();
    let server = start(&folder, "--header-timeout");
    let pause = Duration::from_millis(20);
    let started = Instant::now();
    let mut client = Client::connect_with_deadline(server.address(), pause).unwrap();
    client.send(b"GET /").unwrap();
    let response = loop {
        client.send(b"x").expect("it is told why before it is cut off");
        match client.read_response() {
            Ok(response) => break response,
            Err(_) => assert!(started.elapsed() < DEADLINE, "it is still listened to"),
        }
    };
    assert_eq!(response.status, 408);
    assert!(started.elapsed() >= SHORT);
}

#[test]
fn a_client_that_sends_nothing_is_left_without_an_answer() {
    let folder = DataFolder::new();
    let server = start(&folder, "--header-timeout");
    let started = Instant::now();
    Client::connect(server.address()).unwrap().assert_closed();
    assert!(started.elapsed() >= SHORT);
    let telemetry = get(server.address(), "/metrics").text();
    assert!(!telemetry.contains("status=\"408\""), "{telemetry}");
}

#[test]
fn a_connection_that_is_not_used_is_closed_at_its_deadline_and_each_request_puts_it_off() {
    let folder = DataFolder::new();
    let server = start(&folder, "--idle-timeout");
    let mut client = Client::connect(server.address()).unwrap();
    let started = Instant::now();
    // Together longer than the deadline, and each wait a good deal shorter.
    while started.elapsed() < 2 * SHORT {
        assert_eq!(answer(&mut client, REQUEST), 200);
        std::thread::sleep(SHORT / 10);
    }
    assert_eq!(answer(&mut client, REQUEST), 200);
    let last = Instant::now();
    client.assert_closed();
    // The answer is older than its arrival.
    assert!(last.elapsed() >= SHORT / 2);
}

#[test]
fn a_client_that_was_refused_and_goes_on_sending_is_cut_off() {
    let folder = DataFolder::new();
    let server = start(&folder, "");
    let mut client = Client::connect(server.address()).unwrap();
    client.send(b"no request\r\n").unwrap();
    assert_eq!(client.read_response().unwrap().status, 400);
    let (started, more) = (Instant::now(), [b'x'; 16 * 1024]);
    while client.send(&more).is_ok() {
        assert!(started.elapsed() < DEADLINE, "it is still listened to");
    }
}

#[test]
fn slow_clients_do_not_delay_the_others() {
    let folder = DataFolder::new();
    let server = start(&folder, "");
    let mut slow: Vec<_> = (0..500).map(|_| half_sent(&server, POST)).collect();
    assert_eq!(get(server.address(), "/health").status, 200);
    assert!(slow.iter_mut().all(|client| finish(client).status == 202));
}
