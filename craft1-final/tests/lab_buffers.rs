//! Lab tests: what all clients together can make a loop keep has a bound: requests that they do not
//! complete, and answers that they do not take.

mod inside;
#[expect(dead_code, reason = "each lab uses its part of the rig")]
mod rig;

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};

use craft1_final::server::{Handler, Reply};
use craft1_final::telemetry::Telemetry;
use craft1_phase1::http::Response;
use craft1_phase4::ack::Ack;
use socket2::{Domain, Socket, Type};
use testkit::{Client, DataFolder, Server, get, wait_until};

use inside::{Ended, Inside};
use rig::{Call, Fate, Gate, disk, line};

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");

const MIB: u64 = 1024 * 1024;

/// Bytes for all that is not a buffer of a client: spares, the loop's own, the telemetry's text.
const REST_BYTES: u64 = 8 * MIB;

/// A number of the server's telemetry.
fn number(server: &Server, name: &str) -> u64 {
    let text = get(server.address(), "/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
}

fn buffered(server: &Server) -> u64 {
    number(server, "ingest_loop_buffered_bytes{loop=\"0\"}")
}

fn refused(server: &Server) -> u64 {
    number(server, "ingest_dropped_requests_total{reason=\"buffers_full\"}")
}

/// What the server takes of the machine's memory, where the system tells.
fn resident_bytes(server: &Server) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(resident.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

#[track_caller]
fn assert_grew_by_at_most(server: &Server, before: Option<u64>, bytes_max: u64) {
    if let (Some(before), Some(after)) = (before, resident_bytes(server)) {
        println!("it grew by {} KiB", (after - before) / 1024);
        assert!(after - before <= bytes_max, "from {before} to {after}");
    }
}

/// Five times as much is sent as there is room for.
#[test]
fn incomplete_requests_have_a_bound_and_who_exceeds_it_is_told_so() {
    const CLIENTS: usize = 200;
    const PART_BYTES: usize = 200_000;
    const REST: &str = "{\"name\":\"m\",\"value\":1}";
    let folder = DataFolder::new();
    let options = ["--loops", "1", "--buffer-bytes", "8MiB", "--body-timeout", "60s"];
    let server = folder.start(FINAL, &options);
    assert_eq!(get(server.address(), "/ready").status, 200);
    let before = resident_bytes(&server);
    let len = PART_BYTES + REST.len();
    let head = format!("POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: {len}\r\n\r\n");
    let part = [head.as_bytes(), &vec![b' '; PART_BYTES]].concat();
    let (mut waiting, mut told) = (Vec::new(), 0);
    for _ in 0..CLIENTS {
        let mut client = Client::connect(server.address()).unwrap();
        let (buffered_before, refused_before) = (buffered(&server), refused(&server));
        client.send(&part).unwrap();
        wait_until("it is kept or refused", || {
            let is_kept = buffered(&server) >= buffered_before + PART_BYTES as u64;
            is_kept || refused(&server) > refused_before
        });
        if refused(&server) == refused_before {
            waiting.push(client);
            continue;
        }
        let refusal = client.read_response().unwrap();
        assert_eq!((refusal.status, refusal.field("retry-after")), (503, Some("1")));
        assert_eq!(refusal.field("connection"), Some("close"));
        told += 1;
    }
    assert!(waiting.len() > 8 && told == CLIENTS - waiting.len(), "{told} were refused");
    assert!(buffered(&server) <= 8 * MIB);
    assert_grew_by_at_most(&server, before, 8 * MIB + REST_BYTES);
    let not_ready = get(server.address(), "/ready");
    assert_eq!(not_ready.status, 503);
    assert!(not_ready.text().contains("clients are slow"), "{}", not_ready.text());
    // Those who came first lose nothing.
    for client in &mut waiting {
        client.send(REST.as_bytes()).unwrap();
        assert_eq!(client.read_response().unwrap().status, 202);
    }
    wait_until("it is ready again", || get(server.address(), "/ready").status == 200);
    wait_until("all is given back", || buffered(&server) == 0);
}

#[test]
fn what_clients_leave_behind_who_go_is_given_back() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &["--loops", "1"]);
    for sent in ["GET /he", "POST /metrics HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n{"] {
        let clients: Vec<_> = (0..20).map(|_| Client::connect(server.address()).unwrap()).collect();
        let clients = clients.into_iter().map(|mut client| {
            client.send(sent.as_bytes()).unwrap();
            client
        });
        let clients: Vec<_> = clients.collect();
        wait_until("they are inside", || buffered(&server) >= (20 * sent.len()) as u64);
        drop(clients);
        wait_until("all is given back", || buffered(&server) == 0);
    }
}

/// Sends requests until the kernel takes no more for the moment. Returns whether the connection is
/// still there.
fn flood(stream: &mut TcpStream, request: &[u8]) -> bool {
    let many = request.repeat(100);
    loop {
        // The kernel may cut a request in two; the next one goes on where it was cut.
        match stream.write(&many) {
            Ok(len) if len % request.len() == 0 => {}
            Ok(len) => match stream.write(&request[len % request.len()..]) {
                Ok(_) => return true,
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            },
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// They ask for more than fits into every buffer on the way, and read nothing.
#[test]
fn answers_that_are_not_taken_have_a_bound_and_who_exceeds_it_is_cut_off() {
    const CLIENTS: usize = 40;
    let folder = DataFolder::new();
    let small = ["--max-body", "65536", "--max-head", "32768", "--max-line", "32768"];
    let bound = ["--loops", "1", "--buffer-bytes", "1MiB", "--write-timeout", "60s"];
    let server = folder.start(FINAL, &[&small[..], &bound].concat());
    let before = resident_bytes(&server);
    let request = b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n";
    let mut streams: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let stream = TcpStream::connect(server.address()).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    let gone = || number(&server, "ingest_cut_off_connections_total") + refused(&server);
    wait_until("some are gone", || {
        streams.retain_mut(|stream| flood(stream, request));
        assert!(buffered(&server) <= MIB);
        gone() >= 10
    });
    assert_grew_by_at_most(&server, before, MIB + REST_BYTES);
    assert_eq!(get(server.address(), "/health").status, 200, "the others are served");
    drop(streams);
    wait_until("all is given back", || buffered(&server) == 0);
}

#[test]
fn where_no_answer_can_be_kept_who_does_not_take_one_is_cut_off() {
    let folder = DataFolder::new();
    let options = ["--loops", "1", "--max-body", "1", "--max-head", "99", "--buffer-bytes", "200"];
    let server = folder.start(FINAL, &options);
    // The part of an answer that the kernel does not take may by chance be shorter than the bound,
    // and is not the same for all of them.
    let mut streams: Vec<_> =
        (4..12).map(|kib| connect_with_room(server.address(), kib * 1024)).collect();
    // Their answers are fewer bytes than are sent at once, so none of the requests has to wait.
    let few = b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n".repeat(3);
    wait_until("one is cut off", || {
        for stream in &mut streams {
            let _ = stream.write_all(&few);
        }
        number(&server, "ingest_cut_off_connections_total") > 0
    });
    assert!(buffered(&server) <= 200);
}

/// A connection whose kernel keeps little of what it does not read.
fn connect_with_room(address: SocketAddr, bytes: usize) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(bytes).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

const ANSWER_BYTES: usize = 10_000;

/// Stores what is posted, and has long answers for everything else.
fn application() -> Handler<'static> {
    Box::new(move |request, _peer, _now, outbox| {
        if request.call.unwrap().method == "POST" {
            outbox.lines().extend_from_slice(line("m").as_bytes());
            return Reply::Accepted { metrics: 1, wait_for: Some(outbox.take(1)) };
        }
        Reply::Response(Response::new(200, "text/plain", "x".repeat(ANSWER_BYTES)))
    })
}

/// Answers that have to come behind one that waits for the disk are not taken either.
#[test]
fn answers_that_wait_for_the_disk_have_a_bound_and_the_last_of_them_says_so() {
    const ROOM_BYTES: usize = 15 * ANSWER_BYTES;
    let (gate, post) = (Gate::default(), "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n");
    let at_the_gate = gate.clone();
    let held = disk(move |call| {
        if call == Call::Write {
            at_the_gate.pass();
        }
        Fate::Works
    });
    let client = |address: SocketAddr, telemetry: &Telemetry| {
        let get = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
        let mut clients = [(); 3].map(|()| Client::connect(address).unwrap());
        for client in &mut clients {
            client.send([post, &get.repeat(10)].concat().as_bytes()).unwrap();
        }
        let mut most_bytes = 0;
        wait_until("two of them are refused", || {
            most_bytes = most_bytes.max(telemetry.most_buffered_bytes());
            let mut text = String::new();
            telemetry.render(&mut text);
            text.contains("ingest_dropped_requests_total{reason=\"buffers_full\"} 2\n")
        });
        gate.open();
        let statuses = clients.map(|mut client| {
            let mut statuses = Vec::new();
            while statuses.len() < 11 && statuses.last() != Some(&503) {
                statuses.push(client.read_response().unwrap().status);
            }
            statuses
        });
        wait_until("all is given back", || telemetry.most_buffered_bytes() == 0);
        (statuses, most_bytes)
    };
    let inside =
        Inside { ack: Ack::Stored, disk: held, buffer_bytes_max: ROOM_BYTES, ..Inside::default() };
    let Ended { result: (statuses, most_bytes), served, stored } =
        inside::serve(inside, |_, _| application(), client);
    served.unwrap();
    assert_eq!(stored.len(), 3);
    // The refusals are short.
    assert!(most_bytes <= (ROOM_BYTES + 2 * 1_000) as u64, "{most_bytes}");
    let answered = |status| statuses.iter().flatten().filter(|it| **it == status).count();
    assert_eq!([202, 503].map(answered), [3, 2], "{statuses:?}");
    assert!((10..=14).contains(&answered(200)), "{statuses:?}");
}
