//! Lab tests: a request that makes the application panic costs its sender the connection, and nobody
//! else anything; a loop that panics takes the server with it, in good order.

mod inside;

use std::net::SocketAddr;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use craft1_final::server::{Handler, Reply};
use craft1_final::telemetry::Telemetry;
use craft1_phase1::http::Response;
use craft1_phase4::ack::Ack;
use testkit::{Client, DEADLINE, wait_until};

use inside::{Ended, Inside};

const LINE: &[u8] = b"{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"m\",\"value\":1.0}\n";

/// Stores a line for each request, and panics with half of one in the outbox where it is asked to.
fn application(ack: Ack) -> Handler<'static> {
    Box::new(move |request, _peer, _now, outbox| match request.call.unwrap().path {
        "/store" => {
            outbox.lines().extend_from_slice(LINE);
            let wait_for = Some(outbox.take(1)).filter(|_| ack != Ack::Accepted);
            Reply::Accepted { metrics: 1, wait_for }
        }
        "/panic" => {
            outbox.lines().extend_from_slice(&LINE[..20]);
            panic!("as the test wants it")
        }
        _ => Reply::Response(Response::new(200, "text/plain", "well")),
    })
}

fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").into_bytes()
}

fn dropped(telemetry: &Telemetry, reason: &str) -> u64 {
    let mut text = String::new();
    telemetry.render(&mut text);
    let name = format!("ingest_dropped_requests_total{{reason=\"{reason}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("{reason} is not in\n{text}")).parse().unwrap()
}

#[test]
fn a_request_that_makes_the_application_panic_gets_500_and_the_loop_goes_on() {
    for ack in [Ack::Accepted, Ack::Stored] {
        let client = |address: SocketAddr, telemetry: &Telemetry| {
            let mut other = Client::connect(address).unwrap();
            for count in 1..=3 {
                let mut client = Client::connect(address).unwrap();
                let requests = ["/store", "/panic", "/store"].map(request).concat();
                client.send(&requests).unwrap();
                assert_eq!(client.read_response().unwrap().status, 202);
                let response = client.read_response().unwrap();
                assert_eq!((response.status, response.field("connection")), (500, Some("close")));
                assert_eq!(response.json()["error"], "internal_server_error");
                client.assert_closed();
                other.send(&request("/well")).unwrap();
                assert_eq!(other.read_response().unwrap().text(), "well", "it has its connection");
                assert_eq!(dropped(telemetry, "panicked"), count);
            }
        };
        let inside = Inside { ack, ..Inside::default() };
        let Ended { served, stored, .. } = inside::serve(inside, |_, _| application(ack), client);
        served.unwrap();
        assert_eq!(stored.len(), 3);
    }
}

/// Both come while the loop is busy, so it serves them in one turn, one behind the other.
#[test]
fn half_a_line_is_not_there_for_the_next_request_of_the_turn() {
    let (sender, panicking) = mpsc::channel();
    let busy = Mutex::new(panicking);
    let handler = |_, _| -> Handler<'_> {
        let mut application = application(Ack::Stored);
        let busy = &busy;
        Box::new(move |request, peer, now, outbox| {
            if request.call.unwrap().path == "/busy" {
                busy.lock().unwrap().recv_timeout(DEADLINE).unwrap();
            }
            application(request, peer, now, outbox)
        })
    };
    let client = |address: SocketAddr, _: &Telemetry| {
        let mut clients = [(); 3].map(|()| Client::connect(address).unwrap());
        for (client, path) in clients.iter_mut().zip(["/busy", "/panic", "/store"]) {
            client.send(&request(path)).unwrap();
        }
        sender.send(()).unwrap();
        clients.map(|mut client| client.read_response().unwrap().status)
    };
    let inside = Inside { ack: Ack::Stored, ..Inside::default() };
    let Ended { result: statuses, stored, .. } = inside::serve(inside, handler, client);
    assert_eq!(statuses, [200, 500, 202]);
    assert_eq!(stored.len(), 1);
}

/// Asks whichever loop is alive. Connections that the other one has are waited for in vain.
fn store_one(address: SocketAddr) {
    wait_until("the living loop takes one", || {
        let pause = Duration::from_millis(50);
        let client = Client::connect_with_deadline(address, pause);
        let answer = client.and_then(|mut client| {
            client.send(&request("/store"))?;
            client.read_response()
        });
        answer.is_ok_and(|answer| answer.status == 202)
    });
}

#[test]
fn a_loop_that_panics_ends_the_others_in_good_order_and_the_caller_is_told() {
    let (sender, panic) = mpsc::channel();
    let panic = Mutex::new(panic);
    let handler = |number, _| {
        if number == 1 {
            panic.lock().unwrap().recv_timeout(DEADLINE).unwrap();
            panic!("as the test wants it");
        }
        application(Ack::Stored)
    };
    let client = |address: SocketAddr, telemetry: &Telemetry| {
        store_one(address);
        sender.send(()).unwrap();
        // The stop that the test gives comes only after that.
        wait_until("nobody listens", || Client::connect(address).is_err());
        telemetry.accepted_metrics()
    };
    // The writer has woken the loop before it answers, and does not do so later.
    let inside = Inside { ack: Ack::Stored, loops: 2, ..Inside::default() };
    let Ended { result: accepted, served, stored } = inside::serve(inside, handler, client);
    let error = served.unwrap_err().to_string();
    assert!(error.starts_with("an event loop has panicked"), "{error}");
    assert!(accepted > 0);
    assert_eq!(stored.len() as u64, accepted, "what was taken is stored all the same");
}
