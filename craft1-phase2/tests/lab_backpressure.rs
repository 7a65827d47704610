//! Lab tests: who finds the backlog full hears it at once, and the server still says how it is.

mod held;

use held::Held;
use testkit::client::{Expect, exchange};
use testkit::{Client, DataFolder, Response, Server, get, get_json, post_json, wait_until};

const PHASE2: &str = env!("CARGO_BIN_EXE_craft1-phase2");
const METRIC: &str = r#"{"name":"m","value":1}"#;

/// Nobody that is held is given up before the test is done with it.
const PATIENT: [&str; 2] = ["--header-timeout", "60s"];

/// A server whose two workers and whose backlog of four have clients that do not go on. The kernel
/// gives connections in the order in which they were made, so whoever comes now comes too late.
fn full(folder: &DataFolder) -> (Server, Vec<Held>) {
    let options = [&PATIENT[..], &["--workers", "2", "--backlog", "4"]].concat();
    let server = folder.start(PHASE2, &options);
    let held = (0..6).map(|_| Held::begin(server.address())).collect();
    (server, held)
}

fn assert_refused(refusal: &Response, why: &str) {
    assert_eq!((refusal.status, refusal.field("retry-after")), (503, Some("1")));
    let expected = format!(r#"{{"error":"service_unavailable","detail":"{why}"}}"#);
    assert_eq!(refusal.text(), expected);
}

#[test]
fn a_full_backlog_answers_503_at_once_and_those_inside_are_not_disturbed() {
    let folder = DataFolder::new();
    let (server, held) = full(&folder);
    for _ in 0..20 {
        let refusal = post_json(server.address(), "/metrics", METRIC);
        assert_refused(&refusal, "the backlog is full");
    }
    for client in held {
        assert_eq!(client.finish().status, 202);
    }
    let has_room = || post_json(server.address(), "/metrics", METRIC).status == 202;
    wait_until("there is room again", has_room);
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 7);
}

#[test]
fn a_refusal_does_not_wait_for_the_body() {
    let folder = DataFolder::new();
    let (server, _held) = full(&folder);
    let head = "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 1048576\r\n\r\n";
    assert_refused(&exchange(server.address(), head.as_bytes()), "the backlog is full");
}

#[test]
fn the_body_of_a_refused_request_is_not_read() {
    let folder = DataFolder::new();
    let (server, _held) = full(&folder);
    let mut client = Client::connect(server.address()).unwrap();
    let head = "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 1048576\r\n\r\n";
    client.send(head.as_bytes()).unwrap();
    assert_refused(&client.read_response().unwrap(), "the backlog is full");
    let more_than_any_buffer = vec![b' '; 64 << 20];
    assert!(client.send(&more_than_any_buffer).is_err(), "somebody has read all of it");
}

#[test]
fn a_client_without_a_word_is_refused_after_a_moment() {
    let folder = DataFolder::new();
    let (server, _held) = full(&folder);
    let mut silent = Client::connect(server.address()).unwrap();
    let mut hesitant = Client::connect(server.address()).unwrap();
    hesitant.send(b"GET /hea").unwrap();
    for client in [&mut silent, &mut hesitant] {
        assert_refused(&client.read_response().unwrap(), "the backlog is full");
        client.assert_closed();
    }
}

#[test]
fn health_and_readiness_are_told_while_the_backlog_is_full() {
    let folder = DataFolder::new();
    let (server, held) = full(&folder);
    assert_eq!(get_json(server.address(), "/health")["status"], "ok");
    assert_refused(&get(server.address(), "/ready"), "the backlog is nearly full");

    let mut client = Client::connect(server.address()).unwrap();
    client.send(b"HEAD /health HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    assert_eq!(client.read(Expect::HeadOnly).unwrap().status, 200);
    client.assert_closed();

    assert_refused(&get(server.address(), "/metrics"), "the backlog is full");
    for client in held {
        client.finish();
    }
    wait_until("it is ready again", || get(server.address(), "/ready").status == 200);
}

#[test]
fn a_probe_is_recognised_wherever_its_bytes_are_split() {
    let folder = DataFolder::new();
    let (server, _held) = full(&folder);
    let request = b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
    for first_len in 1..b"GET /health ".len() {
        let (first, rest) = request.split_at(first_len);
        // Again, where this machine was too busy to send the rest soon enough.
        wait_until("the probe is recognised", || {
            let mut client = Client::connect(server.address()).unwrap();
            client.send(first).unwrap();
            assert_eq!(get(server.address(), "/health").status, 200, "the first piece is read");
            // A refusal can cut our sending short.
            let _ = client.send(rest);
            client.read_response().unwrap().status == 200
        });
    }
}

/// One worker has a client, the question waits behind it, and three more behind the question.
#[test]
fn is_not_ready_before_anybody_is_refused() {
    let folder = DataFolder::new();
    let options = [&PATIENT[..], &["--workers", "1", "--backlog", "4"]].concat();
    let server = folder.start(PHASE2, &options);
    let first = Held::begin(server.address());
    let mut asking = Client::connect(server.address()).unwrap();
    asking.send(b"GET /ready HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let others: Vec<_> = (0..3).map(|_| Held::begin(server.address())).collect();
    assert_eq!(get(server.address(), "/health").status, 200, "all of them are inside");
    assert_eq!(first.finish().status, 202);
    assert_refused(&asking.read_response().unwrap(), "the backlog is nearly full");
    for client in others {
        assert_eq!(client.finish().status, 202);
    }
    let telemetry = get(server.address(), "/metrics").text();
    assert!(telemetry.contains("\ningest_refused_connections_total 0\n"), "{telemetry}");
}

#[test]
fn its_telemetry_shows_the_pool() {
    let folder = DataFolder::new();
    let (server, held) = full(&folder);
    post_json(server.address(), "/metrics", METRIC);
    get(server.address(), "/health");
    for client in held {
        client.finish();
    }
    let mut telemetry = String::new();
    wait_until("only the one that asks is served", || {
        telemetry = get(server.address(), "/metrics").text();
        let alone = ["\ningest_open_connections 1\n", "\ningest_pool_busy_workers 1\n"];
        alone.iter().all(|line| telemetry.contains(line))
    });
    for line in [
        "ingest_pool_workers 2",
        "ingest_pool_queue_depth 0",
        "ingest_pool_queue_limit 4",
        "ingest_pool_panics_total 0",
        // The POST. The probe was answered.
        "ingest_refused_connections_total 1",
    ] {
        assert!(telemetry.lines().any(|it| it == line), "{line} is not in\n{telemetry}");
    }
    assert!(telemetry.contains("# TYPE ingest_pool_wait_seconds histogram\n"), "{telemetry}");
    assert!(telemetry.contains("# TYPE ingest_rate_limit_clients gauge\n"), "{telemetry}");
}

/// Descriptors can be counted where there is `/proc`.
#[cfg(target_os = "linux")]
#[test]
fn a_flood_of_silent_clients_holds_a_bounded_number_of_sockets() {
    use craft1_phase2::overflow::SOCKETS_MAX;

    /// The six inside, the listener, standard streams, the data file, the signals.
    const OTHER_DESCRIPTORS_MAX: usize = 24;
    let folder = DataFolder::new();
    let (server, _held) = full(&folder);
    let flood: Vec<_> =
        (0..SOCKETS_MAX + 100).map(|_| Client::connect(server.address()).unwrap()).collect();
    // Answered behind all of them, so all of them have been seen to.
    assert_eq!(get(server.address(), "/health").status, 200);
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    assert!(open <= SOCKETS_MAX + OTHER_DESCRIPTORS_MAX, "{open} descriptors are open");
    for mut client in flood {
        assert_refused(&client.read_response().unwrap(), "the backlog is full");
    }
}

/// Each of them held the only worker for a second while it was waited for, so the last one would wait
/// longer than a step of a test may take.
#[test]
fn clients_that_are_answered_and_keep_their_side_open_hold_no_worker() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE2, &["--workers", "1", "--backlog", "64"]);
    let request = format!(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{METRIC}",
        METRIC.len()
    );
    let mut clients: Vec<Client> =
        (0..60).map(|_| Client::connect(server.address()).unwrap()).collect();
    for client in &mut clients {
        client.send(request.as_bytes()).unwrap();
    }
    for client in clients.iter_mut().rev() {
        assert_eq!(client.read_response().unwrap().status, 202);
    }
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), 60);
}
