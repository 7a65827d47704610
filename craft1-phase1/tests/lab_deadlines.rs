//! Lab tests: no client holds the server, however slowly it sends, however many come, and the end
//! waits for those who have begun and for nobody else.
//!
//! The deadlines are short where the test waits for them to pass and far away where it must not
//! meet them, so nothing here depends on how fast the machine is.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::Signal;
use testkit::{Client, DEADLINE, DataFolder, Response, Server, get, wait_until};

const PHASE1: &str = env!("CARGO_BIN_EXE_craft1-phase1");

/// Time enough for a client of this test to send its first bytes on a busy machine.
const SHORT: Duration = Duration::from_secs(1);
const SHORT_TEXT: &str = "1s";

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &[u8] = b"POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 22\r\n\r\n\
                      {\"name\":\"m\",\"value\":1}";

/// A client that has sent the beginning of `request`, and what is left of it.
fn half_sent<'r>(server: &Server, request: &'r [u8]) -> (Client, &'r [u8]) {
    let (begun, rest) = request.split_at(request.len() - 10);
    let mut client = Client::connect(server.address()).unwrap();
    client.send(begun).unwrap();
    (client, rest)
}

fn finish((mut client, rest): (Client, &[u8])) -> Response {
    client.send(rest).unwrap();
    client.read_response().unwrap()
}

#[test]
fn a_head_that_does_not_end_gets_408_at_its_deadline() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &["--header-timeout", SHORT_TEXT]);
    let started = Instant::now();
    let (mut client, _) = half_sent(&server, REQUEST);
    assert_eq!(client.read_response().unwrap().status, 408);
    assert!(started.elapsed() >= SHORT);
    client.assert_closed();
}

#[test]
fn a_body_that_does_not_end_gets_408_at_its_deadline() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &["--body-timeout", SHORT_TEXT, "--header-timeout", "60s"]);
    let started = Instant::now();
    let (mut client, _) = half_sent(&server, POST);
    assert_eq!(client.read_response().unwrap().status, 408);
    assert!(started.elapsed() >= SHORT);
    client.assert_closed();
}

/// Each byte comes long before a time limit for a single read would end: the attack that is called
/// slow loris.
#[test]
fn a_client_that_drips_bytes_is_cut_off_at_the_deadline() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &["--header-timeout", SHORT_TEXT]);
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
    let server = folder.start(PHASE1, &["--header-timeout", SHORT_TEXT]);
    let started = Instant::now();
    Client::connect(server.address()).unwrap().assert_closed();
    assert!(started.elapsed() >= SHORT);
    let telemetry = get(server.address(), "/metrics").text();
    assert!(!telemetry.contains("status=\"408\""), "{telemetry}");
}

#[test]
fn slow_clients_do_not_delay_the_others() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &["--header-timeout", "60s"]);
    let slow: Vec<_> = (0..100).map(|_| half_sent(&server, REQUEST)).collect();
    assert_eq!(get(server.address(), "/health").status, 200);
    assert!(slow.into_iter().all(|client| finish(client).status == 200));
}

#[test]
fn one_connection_too_many_gets_503_until_a_place_is_free() {
    let folder = DataFolder::new();
    let options = ["--max-connections", "2", "--header-timeout", "60s"];
    let server = folder.start(PHASE1, &options);
    let (first, second) = (half_sent(&server, REQUEST), half_sent(&server, REQUEST));
    let mut third = Client::connect(server.address()).unwrap();
    let refusal = third.read_response().unwrap();
    assert_eq!((refusal.status, refusal.field("Retry-After")), (503, Some("1")));
    third.assert_closed();
    assert_eq!(finish(first).status, 200, "who was inside is not disturbed");
    wait_until("a place is free", || get(server.address(), "/health").status == 200);
    assert_eq!(finish(second).status, 200);
    let telemetry = get(server.address(), "/metrics").text();
    assert!(!telemetry.contains("ingest_refused_connections_total 0\n"), "{telemetry}");
}

#[test]
fn a_request_that_has_begun_when_the_server_stops_is_answered() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &["--header-timeout", "60s", "--body-timeout", "60s"]);
    let (get, post) = (half_sent(&server, REQUEST), half_sent(&server, POST));
    server.signal(Signal::TERM);
    wait_until("nobody is let in", || TcpStream::connect(server.address()).is_err());
    assert_eq!((finish(get).status, finish(post).status), (200, 202));
    let exit = server.wait();
    exit.assert_success();
    assert!(exit.stdout.last().unwrap().starts_with("stopped: wrote 1 metrics to "));
    assert_eq!(folder.stored().len(), 1);
}

#[test]
fn an_idle_connection_is_closed_when_the_server_stops() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &["--header-timeout", "60s"]);
    let mut idle = Client::connect(server.address()).unwrap();
    server.signal(Signal::TERM);
    idle.assert_closed();
    server.wait().assert_success();
}

#[test]
fn a_request_that_never_ends_holds_the_end_up_to_its_deadline_only() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &["--header-timeout", SHORT_TEXT]);
    let (mut client, _) = half_sent(&server, REQUEST);
    server.signal(Signal::TERM);
    assert_eq!(client.read_response().unwrap().status, 408);
    server.wait().assert_success();
}

#[test]
fn a_crowd_that_goes_on_coming_does_not_put_off_the_end() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &["--max-connections", "16"]);
    let address = server.address();
    // Until nobody listens any more. Some are served, some refused, some reset at the end.
    let crowd: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(move || {
                while let Ok(mut client) = Client::connect(address) {
                    let _ = client.send(REQUEST).and_then(|()| client.read_response());
                }
            })
        })
        .collect();
    wait_until("the crowd is there", || {
        let telemetry = get(address, "/metrics").text();
        telemetry.lines().any(|line| line.starts_with("ingest_requests_total{status=\"200\"} "))
    });
    server.stop().assert_success();
    for client in crowd {
        client.join().unwrap();
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = DataFolder::new();
        let server = folder.start(PHASE1, &["--header-timeout", "60s"]);
        let _holding = half_sent(&server, REQUEST);
        server.signal(Signal::TERM);
        wait_until("the first one is seen", || TcpStream::connect(server.address()).is_err());
        server.signal(signal);
        let exit = server.wait();
        assert_eq!(exit.status.code(), Some(code));
        assert_eq!(exit.stderr, ["stopped at once: 0 accepted metrics are lost"]);
    }
}

/// More clients than the system lets the server have descriptors. Those who wait are in the
/// kernel's backlog, and their turn comes.
#[test]
#[cfg(target_os = "linux")]
fn out_of_descriptors_it_serves_those_inside_and_recovers() {
    const DESCRIPTORS_MAX: usize = 32;
    let folder = DataFolder::new();
    let script = format!(r#"ulimit -n {DESCRIPTORS_MAX}; exec "$@""#);
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", PHASE1, "--header-timeout", "60s", "--port", "0"]);
    let server = Server::start(command.arg("--data-file").arg(folder.data_file()));
    let mut clients: Vec<_> = (0..DESCRIPTORS_MAX).map(|_| half_sent(&server, REQUEST)).collect();
    // The kernel gives the lowest number that is free, so the last one goes last.
    let last_descriptor = format!("/proc/{}/fd/{}", server.pid(), DESCRIPTORS_MAX - 1);
    wait_until("it is out of descriptors", || fs::read_link(&last_descriptor).is_ok());
    assert_eq!(finish(clients.remove(0)).status, 200, "who is inside is served");
    let last = clients.pop().unwrap();
    drop(clients);
    assert_eq!(finish(last).status, 200, "who had to wait is served");
    assert_eq!(get(server.address(), "/health").status, 200);
    server.stop().assert_success();
}
