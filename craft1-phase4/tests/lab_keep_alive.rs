//! Lab tests: a connection is used again, and requests that come together are answered together, in
//! order, each of them, whatever comes behind them.

use std::net::SocketAddr;
use std::time::Duration;

use testkit::client::Expect;
use testkit::{Client, DataFolder, Server, get, post_json, wait_until};

const PHASE4: &str = env!("CARGO_BIN_EXE_craft1-phase4");

const METRIC: &str = r#"{"name":"m","value":1}"#;

/// No client here is meant to meet its rate limit or a deadline.
const PATIENT: [&str; 6] = ["--limiter", "off", "--header-timeout", "60s", "--body-timeout", "60s"];

fn start(folder: &DataFolder) -> Server {
    folder.start(PHASE4, &PATIENT)
}

fn request(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: test\r\n{fields}\r\n")
}

fn post(body: &str) -> String {
    let head = request("POST /metrics", &format!("Content-Length: {}\r\n", body.len()));
    head + body
}

fn connect(server: &Server) -> Client {
    Client::connect(server.address()).unwrap()
}

fn statuses(client: &mut Client, count: usize) -> Vec<u16> {
    (0..count).map(|_| client.read_response().unwrap().status).collect()
}

/// The value of a line of the server's telemetry.
fn telemetry(address: SocketAddr, name: &str) -> u64 {
    let text = get(address, "/metrics").text();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    lines.next().unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

#[test]
fn a_connection_is_used_again() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let mut client = connect(&server);
    for _ in 0..3 {
        client.send(post(METRIC).as_bytes()).unwrap();
        let response = client.read_response().unwrap();
        assert_eq!((response.status, response.field("connection")), (202, None));
        client.send(request("GET /health", "").as_bytes()).unwrap();
        assert_eq!(client.read_response().unwrap().status, 200);
    }
    assert_eq!(
        telemetry(server.address(), "ingest_open_connections"),
        2,
        "it and the one that asks"
    );
    drop(client);
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 3);
}

#[test]
fn an_error_does_not_cost_the_connection() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let mut client = connect(&server);
    for (request, status) in [
        (post("nonsense"), 400),
        (request("GET /nothing-here", ""), 404),
        (request("DELETE /metrics", ""), 405),
        (request("BREW /metrics", ""), 501),
        (post(METRIC), 202),
    ] {
        client.send(request.as_bytes()).unwrap();
        assert_eq!(client.read_response().unwrap().status, status, "{request}");
    }
}

#[test]
fn the_answer_to_head_leaves_the_connection_in_step() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let mut client = connect(&server);
    let both = request("HEAD /health", "") + &request("GET /health", "");
    client.send(both.as_bytes()).unwrap();
    let head = client.read(Expect::HeadOnly).unwrap();
    let get = client.read_response().unwrap();
    assert_eq!(head.field("content-length"), Some(get.body.len().to_string().as_str()));
}

#[test]
fn requests_that_come_together_are_answered_in_order() {
    const COUNT: usize = 2_000;
    let folder = DataFolder::new();
    let server = start(&folder);
    let mut client = connect(&server);
    // Several times what is read at once.
    let requests: String = (0..COUNT)
        .map(|number| match number % 4 {
            0 => request(&format!("GET /nothing-{number}"), ""),
            1 => request("PUT /health", ""),
            2 => post(&format!(r#"{{"name":"m{number}","value":1}}"#)),
            _ => request("GET /health", &format!("X-Padding: {}\r\n", "x".repeat(number))),
        })
        .collect();
    client.send(requests.as_bytes()).unwrap();
    let expected: Vec<u16> = [404, 405, 202, 200].into_iter().cycle().take(COUNT).collect();
    assert_eq!(statuses(&mut client, COUNT), expected);
    server.stop().assert_success();
    let names: Vec<_> = folder.stored().iter().map(|line| line["name"].to_string()).collect();
    let expected: Vec<_> = (2..COUNT).step_by(4).map(|number| format!("\"m{number}\"")).collect();
    assert_eq!(names, expected);
}

/// A client may wait for the first answer before it goes on with the second request. A server that
/// keeps it back until it has read that one keeps both waiting.
#[test]
fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let first = request("GET /health", "");
    let second = post(METRIC);
    for begun_len in 1..second.len() {
        let mut client = connect(&server);
        let (begun, rest) = second.split_at(begun_len);
        client.send([&first, begun].concat().as_bytes()).unwrap();
        assert_eq!(client.read_response().unwrap().status, 200, "{begun:?}");
        client.send(rest.as_bytes()).unwrap();
        assert_eq!(client.read_response().unwrap().status, 202, "{begun:?}");
    }
}

#[test]
fn what_comes_before_a_broken_request_is_answered_and_stored() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let broken = [
        request("GET /health", "X-A : b\r\n"),
        "GET /health HTTP/1.1\nHost: test\n\n".to_string(),
        request("POST /metrics", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n") + "x",
        request("POST /metrics", "Transfer-Encoding: chunked\r\n") + "x\r\n",
        request("POST /metrics", "Transfer-Encoding: chunked\r\n") + "1\r\nxx\r\n",
    ];
    for broken in &broken {
        for piece_len in [1, 64, 64 * 1024] {
            let mut client = connect(&server);
            let all = post(METRIC).repeat(2) + broken + &post(METRIC);
            // The refusal can come before everything is sent.
            let _ = client.send_in_pieces(all.as_bytes(), piece_len, Duration::ZERO);
            assert_eq!(statuses(&mut client, 2), [202, 202], "{broken:?}");
            let refusal = client.read_response().unwrap();
            assert_eq!((refusal.status, refusal.field("connection")), (400, Some("close")));
            client.assert_closed();
        }
    }
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), broken.len() * 3 * 2, "and nothing behind it");
}

#[test]
fn a_request_that_says_close_is_the_last() {
    let folder = DataFolder::new();
    let server = start(&folder);
    for fields in ["Connection: close\r\n", "connection: keep-alive , CLOSE\r\n"] {
        let mut client = connect(&server);
        let both = request("GET /health", fields) + &post(METRIC);
        client.send(both.as_bytes()).unwrap();
        let response = client.read_response().unwrap();
        assert_eq!((response.status, response.field("connection")), (200, Some("close")));
        client.assert_closed();
    }
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 0);
}

#[test]
fn a_request_of_http_1_0_is_the_last_and_expects_nothing() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let mut client = connect(&server);
    let fields = "Connection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 22\r\n\r\n";
    let request = format!("POST /metrics HTTP/1.0\r\n{fields}{METRIC}");
    client.send(request.repeat(2).as_bytes()).unwrap();
    let response = client.read_response().unwrap();
    assert_eq!((response.status, response.field("connection")), (202, Some("close")));
    client.assert_closed();
}

/// What seems to have no body has one most of the time, and it must not be taken for a request.
#[test]
fn a_post_without_a_length_ends_the_connection() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let mut client = connect(&server);
    client.send(request("POST /metrics", "").as_bytes()).unwrap();
    let response = client.read_response().unwrap();
    assert_eq!((response.status, response.field("connection")), (411, Some("close")));
    client.assert_closed();
}

#[test]
fn an_empty_line_behind_a_body_is_forgiven_and_is_no_request() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let mut client = connect(&server);
    client.send((post(METRIC) + "\r\n").repeat(2).as_bytes()).unwrap();
    client.finish_sending().unwrap();
    assert_eq!(statuses(&mut client, 2), [202, 202]);
    client.assert_closed();
}

#[test]
fn a_client_that_waits_for_100_gets_it_and_may_go_on() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let mut client = connect(&server);
    let head = request("POST /metrics", "Expect: 100-continue\r\nContent-Length: 22\r\n");
    for _ in 0..2 {
        client.send(head.as_bytes()).unwrap();
        assert_eq!(client.read(Expect::HeadOnly).unwrap().status, 100);
        client.send(METRIC.as_bytes()).unwrap();
        assert_eq!(client.read_response().unwrap().status, 202);
    }
}

#[test]
fn a_body_in_chunks_may_have_extensions_and_trailers_and_the_next_request_behind_it() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let mut client = connect(&server);
    // More extensions than hyper takes of one body.
    let head = request("POST /metrics", "Transfer-Encoding: chunked\r\n");
    let extension = format!(";x=\"{}\"", "y".repeat(200));
    let bytes = METRIC.bytes().chain(std::iter::repeat_n(b' ', 200));
    let chunk = |byte| format!("1{extension}\r\n{}\r\n", char::from(byte));
    let chunks = bytes.map(chunk).collect::<Vec<_>>().concat();
    let chunked = format!("{head}{chunks}0\r\nX-Trailer: a; b\r\n\r\n");
    client.send((chunked.repeat(2) + &post(METRIC)).as_bytes()).unwrap();
    assert_eq!(statuses(&mut client, 3), [202, 202, 202]);
}

/// Where hyper is stricter than phase 1, the refusal is ours all the same.
#[test]
fn what_hyper_does_not_take_is_refused_like_everything_else() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let chunked = request("POST /metrics", "Transfer-Encoding: chunked\r\n") + "0\r\n";
    let trailers = format!("X-A: {}\r\n", "x".repeat(8_000)).repeat(3);
    for (broken, status) in [
        (request("GET http://%41/health", ""), 400),
        (request("POST /metrics", "Transfer-Encoding: , chunked\r\n") + "0\r\n\r\n", 400),
        (format!("{chunked}{trailers}\r\n"), 431),
    ] {
        let mut client = connect(&server);
        client.send((post(METRIC) + &broken + &post(METRIC)).as_bytes()).unwrap();
        assert_eq!(client.read_response().unwrap().status, 202);
        let refusal = client.read_response().unwrap();
        assert_eq!(refusal.status, status, "{}", refusal.text());
        assert!(!refusal.json()["detail"].as_str().unwrap().is_empty());
        client.assert_closed();
    }
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let (whole, half) = (post(METRIC), request("POST /metrics", "Content-Length: 22\r\n"));
    for sent in ["", "GET /hea", &half, &format!("{half}{{"), &whole, &whole.repeat(50)] {
        for _ in 0..10 {
            let mut client = connect(&server);
            client.send(sent.as_bytes()).unwrap();
        }
    }
    let address = server.address();
    wait_until("all are gone", || telemetry(address, "ingest_open_connections") == 1);
    assert_eq!(post_json(address, "/metrics", METRIC).status, 202);
    server.stop().assert_success();
}

#[test]
fn a_thousand_connections_are_served_by_two_threads() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &[&PATIENT[..], &["--threads", "2"]].concat());
    let mut clients: Vec<_> = (0..1_000).map(|_| connect(&server)).collect();
    for round in 1..=2 {
        for client in &mut clients {
            client.send(post(METRIC).as_bytes()).unwrap();
        }
        for client in &mut clients {
            assert_eq!(client.read_response().unwrap().status, 202, "round {round}");
        }
    }
    assert_eq!(telemetry(server.address(), "ingest_open_connections"), 1_001);
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 2_000);
}

#[test]
fn everything_is_counted() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let mut client = connect(&server);
    let requests = post(METRIC).repeat(3) + &request("GET /nothing-here", "") + "nonsense\r\n";
    client.send(requests.as_bytes()).unwrap();
    assert_eq!(statuses(&mut client, 5), [202, 202, 202, 404, 400]);
    client.assert_closed();
    let address = server.address();
    let requests =
        |status| telemetry(address, &format!("ingest_requests_total{{status=\"{status}\"}}"));
    assert_eq!([requests(202), requests(404), requests(400)], [3, 1, 1]);
    assert_eq!(telemetry(address, "ingest_accepted_metrics_total"), 3);
    assert_eq!(telemetry(address, "ingest_stored_metrics_total"), 3);
    assert!(telemetry(address, "ingest_received_bytes_total") > 3 * METRIC.len() as u64);
    assert!(telemetry(address, "ingest_sent_bytes_total") > 5 * 100);
    assert!(telemetry(address, "ingest_request_duration_seconds_count") >= 5);
}
