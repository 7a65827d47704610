//! Lab tests: no client holds a connection longer than the deadlines let it, however slowly it sends
//! or reads, and none of them delays another.
//!
//! The deadlines are short where the test waits for them to pass and far away where it must not
//! meet them, so nothing here depends on how fast the machine is.

use std::time::{Duration, Instant};

use testkit::{Client, DEADLINE, DataFolder, Response, Server, get, wait_until};

const PHASE4: &str = env!("CARGO_BIN_EXE_craft1-phase4");

/// Time enough for a client of this test to send its first bytes on a busy machine.
const SHORT: Duration = Duration::from_secs(1);
const SHORT_TEXT: &str = "1s";

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &[u8] = b"POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 22\r\n\r\n\
                      {\"name\":\"m\",\"value\":1}";

fn connect(server: &Server) -> Client {
    Client::connect(server.address()).unwrap()
}

/// A client that has sent the beginning of `request`, and what is left of it.
fn half_sent<'r>(server: &Server, request: &'r [u8]) -> (Client, &'r [u8]) {
    let (begun, rest) = request.split_at(request.len() - 10);
    let mut client = connect(server);
    client.send(begun).unwrap();
    (client, rest)
}

fn finish((mut client, rest): (Client, &[u8])) -> Response {
    client.send(rest).unwrap();
    client.read_response().unwrap()
}

/// Asserts that the client is told that it is too slow, and no sooner than it may be.
#[track_caller]
fn assert_too_slow(client: &mut Client, since: Instant) {
    let response = client.read_response().unwrap();
    assert_eq!((response.status, response.field("connection")), (408, Some("close")));
    assert_eq!(response.json()["detail"], "the request is too slow");
    assert!(since.elapsed() >= SHORT);
    client.assert_closed();
}

#[test]
fn a_head_that_does_not_end_gets_408_at_its_deadline() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &["--header-timeout", SHORT_TEXT]);
    let started = Instant::now();
    let (mut client, _) = half_sent(&server, REQUEST);
    assert_too_slow(&mut client, started);
}

#[test]
fn the_head_of_a_later_request_has_a_deadline_as_well() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &["--header-timeout", SHORT_TEXT]);
    let mut client = connect(&server);
    client.send(REQUEST).unwrap();
    assert_eq!(client.read_response().unwrap().status, 200);
    let started = Instant::now();
    client.send(&REQUEST[..10]).unwrap();
    assert_too_slow(&mut client, started);
}

#[test]
fn a_body_that_does_not_end_gets_408_at_its_deadline() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &["--body-timeout", SHORT_TEXT, "--header-timeout", "60s"]);
    let started = Instant::now();
    let (mut client, _) = half_sent(&server, POST);
    assert_too_slow(&mut client, started);
}

#[test]
fn what_comes_before_a_slow_request_is_answered() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &["--body-timeout", SHORT_TEXT]);
    let started = Instant::now();
    let mut client = connect(&server);
    client.send(&[REQUEST, POST, &POST[..POST.len() - 1]].concat()).unwrap();
    assert_eq!(client.read_response().unwrap().status, 200);
    assert_eq!(client.read_response().unwrap().status, 202);
    assert_too_slow(&mut client, started);
}

/// Each byte comes long before a time limit for a single read would end: the attack that is called
/// slow loris (Hansen, 2009).
#[test]
fn a_client_that_drips_bytes_is_cut_off_at_the_deadline() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &["--header-timeout", SHORT_TEXT]);
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
    let server = folder.start(PHASE4, &["--header-timeout", SHORT_TEXT]);
    let started = Instant::now();
    connect(&server).assert_closed();
    assert!(started.elapsed() >= SHORT);
    let telemetry = get(server.address(), "/metrics").text();
    assert!(!telemetry.contains("status=\"408\""), "{telemetry}");
}

#[test]
fn a_connection_that_is_idle_for_too_long_is_closed_without_a_word() {
    let folder = DataFolder::new();
    let options = ["--idle-timeout", SHORT_TEXT, "--header-timeout", "60s"];
    let server = folder.start(PHASE4, &options);
    let mut client = connect(&server);
    client.send(&REQUEST.repeat(2)).unwrap();
    for _ in 0..2 {
        assert_eq!(client.read_response().unwrap().status, 200);
    }
    let started = Instant::now();
    client.assert_closed();
    // It began to wait before we had read its answer.
    assert!(started.elapsed() >= SHORT / 2);
    let telemetry = get(server.address(), "/metrics").text();
    assert!(!telemetry.contains("status=\"408\""), "{telemetry}");
}

/// Three requests over twice the time that a connection may be idle.
#[test]
fn a_connection_in_use_is_not_idle() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &["--idle-timeout", "2s"]);
    let mut client = connect(&server);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(4) {
        client.send(REQUEST).unwrap();
        assert_eq!(client.read_response().unwrap().status, 200);
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// Its answers fill every buffer on the way, and then the server waits for it.
#[test]
fn a_client_that_does_not_read_is_cut_off_at_the_deadline() {
    let folder = DataFolder::new();
    let options = ["--write-timeout", SHORT_TEXT, "--idle-timeout", "60s"];
    let server = folder.start(PHASE4, &options);
    let mut client = connect(&server);
    let request = b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n".repeat(100);
    let started = Instant::now();
    while client.send(&request).is_ok() {
        assert!(started.elapsed() < DEADLINE, "it is served for ever");
    }
    assert!(started.elapsed() >= SHORT);
    let is_gone = || {
        let telemetry = get(server.address(), "/metrics").text();
        telemetry.contains("\ningest_open_connections 1\n")
    };
    wait_until("its connection is closed", is_gone);
}

#[test]
fn slow_clients_do_not_delay_the_others() {
    let folder = DataFolder::new();
    let options = ["--threads", "1", "--header-timeout", "60s", "--body-timeout", "60s"];
    let server = folder.start(PHASE4, &options);
    let slow: Vec<_> = (0..500)
        .map(|number| half_sent(&server, if number % 2 == 0 { REQUEST } else { POST }))
        .collect();
    assert_eq!(get(server.address(), "/health").status, 200);
    for (number, client) in slow.into_iter().enumerate() {
        assert_eq!(finish(client).status, if number % 2 == 0 { 200 } else { 202 });
    }
}
