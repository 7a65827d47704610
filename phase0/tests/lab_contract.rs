//! Lab tests: phase 0 keeps the wire contract, as far as it goes, and no client can hang it.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use testkit::contract::{self, Capability};
use testkit::{Client, DEADLINE, DataFolder, Server, get, get_json, post_json};

const PHASE0: &str = env!("CARGO_BIN_EXE_phase0");

/// What phase 0 has. What it has not stands in its README.
const HAS: [Capability; 3] = [Capability::Alerts, Capability::Page, Capability::Query];

/// Without the sampler, so that the file holds what the test sent and nothing else.
fn start(folder: &DataFolder, options: &[&str]) -> Server {
    folder.start(PHASE0, &[&["--no-self-monitor"], options].concat())
}

#[test]
fn keeps_the_wire_contract() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    contract::run(server.address(), &HAS).assert();
    server.stop().assert_success();
    for line in folder.stored() {
        assert!(line["timestamp"].is_string() && line["value"].is_number(), "{line}");
    }
}

#[test]
fn closes_after_every_answer() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let mut client = Client::connect(server.address()).unwrap();
    client.send(b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    assert_eq!(client.read_response().unwrap().field("connection"), Some("close"));
    client.assert_closed();
}

#[test]
fn answers_408_to_a_client_that_stops_in_the_middle() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--request-timeout", "200ms"]);
    for start in
        ["GET /health HT", "POST /metrics HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n{"]
    {
        let mut client = Client::connect(server.address()).unwrap();
        client.send(start.as_bytes()).unwrap();
        assert_eq!(client.read_response().unwrap().status, 408);
    }
}

#[test]
fn a_client_that_drips_bytes_is_cut_off_at_the_deadline() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--request-timeout", "300ms"]);
    let mut client = Client::connect(server.address()).unwrap();
    let started = Instant::now();
    // Each byte comes well before a time limit for a single read would end.
    while client.send(b"x").is_ok() {
        assert!(started.elapsed() < DEADLINE, "it still listens");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(get(server.address(), "/health").status, 200);
}

#[test]
fn a_client_that_sends_too_much_still_reads_why_it_is_refused() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let body_len = 2 * 1024 * 1024;
    let head =
        format!("POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: {body_len}\r\n\r\n");
    for _ in 0..10 {
        let mut client = Client::connect(server.address()).unwrap();
        client.send(head.as_bytes()).unwrap();
        client.send(&vec![b' '; body_len]).unwrap();
        assert_eq!(client.read_response().unwrap().status, 413);
    }
}

#[test]
fn survives_clients_that_connect_and_leave() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    for bytes in [&b""[..], b"\r\n", b"\0", b"GET / HTTP/1.1\r\n", b"POST /metrics HTTP/1.1\r\n"] {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.write_all(bytes).unwrap();
        }
    }
    assert_eq!(get_json(server.address(), "/health")["status"], "ok");
    server.stop().assert_success();
}

#[test]
fn survives_garbage_of_every_byte() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--request-timeout", "100ms"]);
    for byte in 0..=u8::MAX {
        let mut client = Client::connect(server.address()).unwrap();
        client.send(&[byte; 64]).unwrap();
        client.finish_sending().unwrap();
        assert_eq!(client.read_response().unwrap().status, 400, "byte {byte}");
    }
    assert_eq!(get_json(server.address(), "/health")["status"], "ok");
}

#[test]
fn counts_its_answers_by_status() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    post_json(server.address(), "/metrics", r#"{"name":"m","value":1}"#);
    post_json(server.address(), "/metrics", "nonsense");
    get(server.address(), "/nothing-here");
    let telemetry = get(server.address(), "/metrics").text();
    for line in [
        "ingest_requests_total{status=\"202\"} 1",
        "ingest_requests_total{status=\"400\"} 1",
        "ingest_requests_total{status=\"404\"} 1",
        "ingest_accepted_metrics_total 1",
    ] {
        assert!(telemetry.lines().any(|it| it == line), "{line} is not in\n{telemetry}");
    }
}

#[test]
fn a_port_in_use_is_said_with_a_way_out() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let port = server.address().port().to_string();
    let other = DataFolder::new();
    let mut command = Command::new(PHASE0);
    let command = command.args(["--port", &port, "--data-file"]).arg(other.data_file());
    let exit = Server::run(command);
    assert_eq!(exit.status.code(), Some(1));
    let error = exit.stderr.join("\n");
    assert!(error.contains(&format!("port {port} is in use")), "{error}");
    assert!(error.contains("--port 0"), "{error}");
}

#[test]
fn bad_options_are_refused_with_exit_code_2() {
    for options in [
        &["--rule", "cpu_usage"][..],
        &["--rule", "cpu_usage > much"],
        &["--rule", "cpu_usage ~ 80"],
        &["--rule", "cpu_usage > 80 during 60s"],
        &["--rule", "cpu_usage > NaN"],
        &["--check-interval", "0s"],
        &["--sample-interval", "soon"],
        &["--port", "65536"],
        &["--verbose"],
    ] {
        let exit = Server::run(&mut DataFolder::new().command(PHASE0, options));
        assert_eq!(exit.status.code(), Some(2), "{options:?}");
        assert!(!exit.stderr.is_empty(), "{options:?}");
    }
}

#[test]
fn help_is_for_a_newcomer() {
    let output = Command::new(PHASE0).arg("--help").output().unwrap();
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = DataFolder::new();
    let server = start(&folder, &["--request-timeout", "60s"]);
    // A client that sends half a request keeps the only thread busy, and the drain waiting.
    let mut client = Client::connect(server.address()).unwrap();
    client.send(b"GET /health").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    server.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(100));
    server.signal(Signal::INT);
    let exit = server.wait();
    assert_eq!(exit.status.code(), Some(128 + 2));
    assert!(exit.stderr.iter().any(|line| line.contains("0 accepted metrics are lost")));
}
