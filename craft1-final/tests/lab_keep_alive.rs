//! Lab tests: many requests over one connection, one behind the other or all at once, cut anywhere.
//! There is one answer to each, in their order, whoever reads how slowly.

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use testkit::client::Expect;
use testkit::{Client, DEADLINE, DataFolder, Server, get, wait_until};

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
const METRICS: &str = "GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n";
const NOTHING: &str = "GET /nothing HTTP/1.1\r\nHost: test\r\n\r\n";
const LAST: &str = "GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
const POST: &str = "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                    Content-Length: 22\r\n\r\n{\"name\":\"m\",\"value\":1}";
const CHUNKS: &str = "POST /metrics HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n\
                      a\r\n{\"name\":\"m\r\n0c;x=y\r\n\",\"value\":1}\r\n0\r\nX: y\r\n\r\n";

/// With one event loop, so that one connection can get in the way of another.
fn start(folder: &DataFolder, options: &[&str]) -> Server {
    folder.start(FINAL, &[&["--loops", "1", "--limit", "100000/1s"], options].concat())
}

#[track_caller]
fn assert_statuses(client: &mut Client, expected: &[u16]) {
    for (index, expected) in expected.iter().enumerate() {
        let response = client.read_response().unwrap_or_else(|error| panic!("{index}: {error}"));
        assert_eq!(response.status, *expected, "answer {index}: {}", response.text());
    }
}

/// Requests of every kind, and what is answered to them.
fn mixture() -> (Vec<u8>, Vec<u16>) {
    let kinds = [(POST, 202), (HEALTH, 200), (CHUNKS, 202), (NOTHING, 404), (POST, 202)];
    let requests: String = kinds.iter().cycle().take(50).map(|kind| kind.0).collect();
    (requests.into_bytes(), kinds.iter().cycle().take(50).map(|kind| kind.1).collect())
}

#[test]
fn pipelined_requests_are_answered_in_order_wherever_they_are_cut() {
    for ack in ["accepted", "stored", "durable"] {
        let folder = DataFolder::new();
        let server = start(&folder, &["--ack", ack]);
        let (requests, statuses) = mixture();
        for piece_len in [requests.len(), 1_000, 97, 3, 1] {
            let mut client = Client::connect(server.address()).unwrap();
            client.send_in_pieces(&requests, piece_len, Duration::ZERO).unwrap();
            assert_statuses(&mut client, &statuses);
            client.send(LAST.as_bytes()).unwrap();
            assert_eq!(client.read_response().unwrap().field("connection"), Some("close"));
            client.assert_closed();
        }
        server.stop().assert_success();
        assert_eq!(folder.stored().len(), 5 * 30, "{ack}");
    }
}

/// More of them than may wait: the client is not read from until some have gone out.
#[test]
fn answers_that_wait_for_the_disk_keep_their_order() {
    for ack in ["stored", "durable"] {
        let folder = DataFolder::new();
        let server = start(&folder, &["--ack", ack]);
        let mut client = Client::connect(server.address()).unwrap();
        let round = [POST, POST, NOTHING, HEALTH].concat().repeat(500);
        client.send([&round, LAST, POST].concat().as_bytes()).unwrap();
        assert_statuses(&mut client, &[202, 202, 404, 200].repeat(500));
        assert_statuses(&mut client, &[200]);
        client.assert_closed();
        server.stop().assert_success();
        assert_eq!(folder.stored().len(), 1_000, "{ack}");
    }
}

#[test]
fn one_request_behind_the_other_over_one_connection() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let mut client = Client::connect(server.address()).unwrap();
    for _ in 0..100 {
        client.send(POST.as_bytes()).unwrap();
        let response = client.read_response().unwrap();
        assert_eq!((response.status, response.field("connection")), (202, None));
    }
    drop(client);
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 100);
}

#[test]
fn who_says_close_is_answered_and_closed_and_what_comes_behind_it_is_not_answered() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let mut client = Client::connect(server.address()).unwrap();
    client.send([POST, LAST, POST].concat().as_bytes()).unwrap();
    assert_statuses(&mut client, &[202, 200]);
    client.assert_closed();
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 1);
}

#[test]
fn http_1_0_closes_unless_it_asks_for_more() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let mut client = Client::connect(server.address()).unwrap();
    let stay = "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    client.send([stay, "GET /health HTTP/1.0\r\n\r\n"].concat().as_bytes()).unwrap();
    assert_eq!(client.read_response().unwrap().field("connection"), Some("keep-alive"));
    assert_eq!(client.read_response().unwrap().field("connection"), Some("close"));
    client.assert_closed();
}

#[test]
fn what_is_no_request_is_refused_behind_the_answers_before_it_and_without_a_reset() {
    for ack in ["accepted", "stored"] {
        let folder = DataFolder::new();
        let server = start(&folder, &["--ack", ack]);
        // More behind it than is read at once. To close without reading it would be a reset, which
        // makes the send fail, or the last read.
        let junk = "x".repeat(256 * 1024);
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all([POST, HEALTH, "no request\r\n", &junk].concat().as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|it| &it[..3]).collect();
        assert_eq!(statuses, ["202", "200", "400"]);
    }
}

#[test]
fn the_answer_to_head_is_in_its_place() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let mut client = Client::connect(server.address()).unwrap();
    let head = "HEAD /health HTTP/1.1\r\nHost: test\r\n\r\n";
    client.send([HEALTH, head, HEALTH].concat().as_bytes()).unwrap();
    for expect in [Expect::Body, Expect::HeadOnly, Expect::Body] {
        assert_eq!(client.read(expect).unwrap().status, 200);
    }
}

/// Longer than what is read at once, with another request in the same stream.
#[test]
fn the_longest_body_is_taken_and_the_request_behind_it_too() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let metric = r#"{"name":"m","value":1}"#;
    let mut body = format!(r#"{{"metrics":[{}]}}"#, vec![metric; 1_000].join(","));
    body.push_str(&" ".repeat(1024 * 1024 - body.len()));
    let head = "POST /metrics HTTP/1.1\r\nHost: test\r\n";
    let sized = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut chunks = String::new();
    for chunk in body.as_bytes().chunks(10_000) {
        let text = str::from_utf8(chunk).unwrap();
        write!(chunks, "{:x}\r\n{text}\r\n", chunk.len()).unwrap();
    }
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    let mut client = Client::connect(server.address()).unwrap();
    client.send([&*sized, HEALTH, &chunked, HEALTH].concat().as_bytes()).unwrap();
    assert_statuses(&mut client, &[202, 200, 202, 200]);
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 2_000);
}

#[test]
fn who_waits_for_100_continue_hears_it_in_its_place() {
    for ack in ["accepted", "stored"] {
        let folder = DataFolder::new();
        let server = start(&folder, &["--ack", ack]);
        let mut client = Client::connect(server.address()).unwrap();
        let awaiting = POST.replace("Host: test", "Host: test\r\nExpect: 100-continue");
        let (head, body) = awaiting.split_at(awaiting.len() - 22);
        for _ in 0..2 {
            client.send([POST, head].concat().as_bytes()).unwrap();
            assert_statuses(&mut client, &[202, 100]);
            client.send(body.as_bytes()).unwrap();
            assert_statuses(&mut client, &[202]);
        }
    }
}

#[test]
fn a_client_that_ends_its_side_gets_every_answer() {
    for ack in ["accepted", "stored"] {
        let folder = DataFolder::new();
        let server = start(&folder, &["--ack", ack]);
        let (requests, statuses) = mixture();
        let mut client = Client::connect(server.address()).unwrap();
        client.send(&[&requests, &POST.as_bytes()[..50]].concat()).unwrap();
        client.finish_sending().unwrap();
        assert_statuses(&mut client, &statuses);
        let response = client.read_response().unwrap();
        assert_eq!(response.status, 400);
        assert!(response.text().contains("ended inside the request"), "{}", response.text());
        client.assert_closed();
    }
}

/// Sends requests until the kernel takes no more for a while or the server has closed, and says how
/// many bytes it took.
fn send_until_stuck(stream: &mut TcpStream, request: &[u8]) -> usize {
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let many = request.repeat(1_000);
    let mut sent = 0;
    loop {
        let from = sent % request.len();
        match stream.write(&many[from..]) {
            Ok(len) => sent += len,
            Err(error) => {
                use ErrorKind::{BrokenPipe, ConnectionReset, WouldBlock};
                assert!(
                    matches!(error.kind(), WouldBlock | BrokenPipe | ConnectionReset),
                    "{error}"
                );
                return sent;
            }
        }
        assert!(sent < 256 * 1024 * 1024, "a client that takes no answer is still read from");
    }
}

/// A request whose answer is longer than itself, and that is long enough for a few thousand of them
/// to fill the kernel's buffers.
fn long_request() -> Vec<u8> {
    METRICS.replace("Host: test", &format!("Host: test\r\nX-Filling: {}", "x".repeat(1_000))).into()
}

fn peak_kib(server: &Server) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches(" kB").parse().ok()
}

/// What is kept for a client is what it has sent in one read and the answers to a part of it.
const KEPT_KIB_MAX: u64 = 2 * 1024;

#[test]
fn a_client_that_does_not_read_is_not_read_from_and_gets_everything_when_it_does() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--write-timeout", "60s"]);
    assert_eq!(get(server.address(), "/metrics").status, 200);
    let before_kib = peak_kib(&server);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let request = long_request();
    let sent = send_until_stuck(&mut stream, &request);
    assert_eq!(get(server.address(), "/health").status, 200, "the others are served");
    if let (Some(before), Some(after)) = (before_kib, peak_kib(&server)) {
        println!("{} KiB were sent, the server kept {} KiB", sent / 1024, after - before);
        assert!(after - before <= KEPT_KIB_MAX, "{before} {after}");
    }
    // What is missing of the last request, and one more that ends it.
    let rest = [&request[sent % request.len()..], LAST.as_bytes()].concat();
    let mut reader = stream.try_clone().unwrap();
    reader.set_read_timeout(Some(DEADLINE)).unwrap();
    let reading = thread::spawn(move || {
        let mut answers = Vec::new();
        reader.read_to_end(&mut answers).unwrap();
        answers
    });
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(&rest).unwrap();
    let answers = String::from_utf8(reading.join().unwrap()).unwrap();
    let count = answers.matches("HTTP/1.1 200 OK\r\n").count();
    assert_eq!(count, sent / request.len() + 2);
}

/// All of these requests come with one read, and their answers are two hundred times as long.
#[test]
fn short_requests_with_long_answers_are_answered_a_few_at_a_time() {
    const REQUESTS: usize = 1_000;
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    assert_eq!(get(server.address(), "/metrics").status, 200);
    let before_kib = peak_kib(&server);
    let mut client = Client::connect(server.address()).unwrap();
    client.send(METRICS.repeat(REQUESTS).as_bytes()).unwrap();
    assert_statuses(&mut client, &[200; REQUESTS]);
    if let (Some(before), Some(after)) = (before_kib, peak_kib(&server)) {
        println!("the server kept {} KiB", after - before);
        assert!(after - before <= KEPT_KIB_MAX, "{before} {after}");
    }
}

#[test]
fn a_client_that_never_reads_is_cut_off_at_the_deadline() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--write-timeout", "1s"]);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    send_until_stuck(&mut stream, &long_request());
    wait_until("it is cut off", || {
        get(server.address(), "/metrics").text().contains("\ningest_open_connections 1\n")
    });
}
