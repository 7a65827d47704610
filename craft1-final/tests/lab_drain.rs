//! Lab tests: a stop answers everybody who has begun, waits for nobody else, and has an end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use testkit::{Client, DEADLINE, DataFolder, Response, Server, get, wait_until};

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &[u8] = b"POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 22\r\n\r\n\
                      {\"name\":\"m\",\"value\":1}";

fn half_sent<'r>(server: &Server, request: &'r [u8]) -> (Client, &'r [u8]) {
    let (begun, rest) = request.split_at(request.len() - 10);
    let mut client = Client::connect(server.address()).unwrap();
    client.send(begun).unwrap();
    (client, rest)
}

fn finish((mut client, rest): (Client, &[u8])) -> Response {
    client.send(rest).unwrap();
    let response = client.read_response().unwrap();
    client.assert_closed();
    response
}

fn wait_until_nobody_is_let_in(server: &Server) {
    wait_until("nobody is let in", || TcpStream::connect(server.address()).is_err());
}

#[test]
fn a_request_that_has_begun_is_answered_and_the_answer_says_that_it_is_the_last() {
    for loops in ["1", "2"] {
        let folder = DataFolder::new();
        let server = folder.start(FINAL, &["--loops", loops]);
        let (health, metrics) = (half_sent(&server, REQUEST), half_sent(&server, POST));
        // Behind both, so both are inside.
        assert_eq!(get(server.address(), "/health").status, 200);
        server.signal(Signal::TERM);
        wait_until_nobody_is_let_in(&server);
        let (health, metrics) = (finish(health), finish(metrics));
        assert_eq!((health.status, health.field("connection")), (200, Some("close")));
        assert_eq!((metrics.status, metrics.field("connection")), (202, Some("close")));
        let exit = server.wait();
        exit.assert_success();
        assert!(exit.stdout.last().unwrap().starts_with("stopped: wrote 1 metrics to "));
        assert_eq!(folder.stored().len(), 1);
    }
}

#[test]
fn a_connection_between_two_requests_is_closed() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &[]);
    let mut new = Client::connect(server.address()).unwrap();
    let mut used = Client::connect(server.address()).unwrap();
    used.send(REQUEST).unwrap();
    assert_eq!(used.read_response().unwrap().status, 200);
    server.signal(Signal::TERM);
    new.assert_closed();
    used.assert_closed();
    server.wait().assert_success();
}

#[test]
fn every_request_that_has_come_is_answered() {
    for _ in 0..10 {
        let folder = DataFolder::new();
        let server = folder.start(FINAL, &["--loops", "1", "--limit", "100000/1s"]);
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(&POST.repeat(1_000)).unwrap();
        server.signal(Signal::TERM);
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        server.wait().assert_success();
        assert_eq!(answers.matches(" 202 ").count(), 1_000);
        assert_eq!(folder.stored().len(), 1_000);
    }
}

#[test]
fn of_several_requests_the_last_is_told_that_it_is_the_last() {
    for ack in ["accepted", "stored"] {
        let folder = DataFolder::new();
        let server = folder.start(FINAL, &["--loops", "1", "--ack", ack]);
        let (mut client, rest) = half_sent(&server, POST);
        assert_eq!(get(server.address(), "/health").status, 200);
        server.signal(Signal::TERM);
        wait_until_nobody_is_let_in(&server);
        client.send(&[rest, POST, POST].concat()).unwrap();
        for connection in [None, None, Some("close")] {
            let response = client.read_response().unwrap();
            assert_eq!((response.status, response.field("connection")), (202, connection));
        }
        client.assert_closed();
        server.wait().assert_success();
        assert_eq!(folder.stored().len(), 3);
    }
}

#[test]
fn a_request_that_never_ends_holds_the_end_up_to_its_deadline_only() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--header-timeout", "1s"]);
    let (mut client, _) = half_sent(&server, REQUEST);
    assert_eq!(get(server.address(), "/health").status, 200);
    server.signal(Signal::TERM);
    assert_eq!(client.read_response().unwrap().status, 408);
    drop(client);
    server.wait().assert_success();
}

/// Each of its requests ends in time, and behind each the next one has begun.
#[test]
fn a_client_that_goes_on_and_on_is_cut_off() {
    let folder = DataFolder::new();
    let timeouts = ["--header-timeout", "1s", "--body-timeout", "1s", "--write-timeout", "1s"];
    let server = folder.start(FINAL, &[&["--loops", "1"], &timeouts[..]].concat());
    let mut client = Client::connect(server.address()).unwrap();
    let (first, rest) = REQUEST.split_at(5);
    client.send(first).unwrap();
    assert_eq!(get(server.address(), "/health").status, 200);
    server.signal(Signal::TERM);
    let stopped = Instant::now();
    while client.send(&[rest, first].concat()).is_ok() {
        assert!(stopped.elapsed() < DEADLINE, "it is still waited for");
        thread::sleep(Duration::from_millis(50));
    }
    server.wait().assert_success();
}

#[test]
fn a_crowd_that_goes_on_coming_does_not_put_off_the_end() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--max-connections", "16"]);
    let address = server.address();
    thread::scope(|scope| {
        for _ in 0..8 {
            // Until nobody listens any more. Some are served, some refused, some reset at the end.
            scope.spawn(move || {
                while let Ok(mut client) = Client::connect(address) {
                    let _ = client.send(REQUEST).and_then(|()| client.read_response());
                }
            });
        }
        wait_until("the crowd is there", || {
            get(address, "/metrics").text().contains("ingest_requests_total{status=\"200\"} ")
        });
        server.stop().assert_success();
    });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = DataFolder::new();
        let server = folder.start(FINAL, &["--header-timeout", "60s"]);
        let _holding = half_sent(&server, REQUEST);
        assert_eq!(get(server.address(), "/health").status, 200);
        server.signal(Signal::TERM);
        wait_until_nobody_is_let_in(&server);
        server.signal(signal);
        assert_eq!(server.wait().status.code(), Some(code));
    }
}
