//! Lab tests: a stop answers what was read, says that it was the last, closes who is idle, and
//! leaves nothing unwritten.

use std::future::poll_fn;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use craft1_phase1::http::Limits;
use craft1_phase1::shutdown::Shutdown;
use craft1_phase1::socket::Listener;
use craft1_phase1::telemetry::Telemetry;
use craft1_phase1::timeouts::Timeouts;
use craft1_phase4::connection::Conditions;
use craft1_phase4::connection::screen::Screen;
use craft1_phase4::connection::screen::passage::Passage;
use craft1_phase4::draining::Draining;
use craft1_phase4::server::{self, Threads};
use hyper::rt::{Read, ReadBuf};
use rustix::process::Signal;
use testkit::{Client, DEADLINE, DataFolder, Exit, Server, Watchdog, get, wait_until};
use tokio::io::AsyncWriteExt;

const PHASE4: &str = env!("CARGO_BIN_EXE_craft1-phase4");

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &[u8] = b"POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 22\r\n\r\n\
                      {\"name\":\"m\",\"value\":1}";

/// Nobody that the test holds is given up before the test is done with it.
const PATIENT: [&str; 8] = [
    "--header-timeout",
    "60s",
    "--body-timeout",
    "60s",
    "--idle-timeout",
    "60s",
    "--limiter",
    "off",
];

fn start(folder: &DataFolder) -> Server {
    folder.start(PHASE4, &PATIENT)
}

fn connect(server: &Server) -> Client {
    Client::connect(server.address()).unwrap()
}

/// A client that has sent all of `request` but its last ten bytes. It was answered before, so the
/// server knows it.
fn half_sent<'r>(server: &Server, request: &'r [u8]) -> (Client, &'r [u8]) {
    let mut client = connect(server);
    client.send(REQUEST).unwrap();
    assert_eq!(client.read_response().unwrap().status, 200);
    let (begun, rest) = request.split_at(request.len() - 10);
    client.send(begun).unwrap();
    (client, rest)
}

fn wait_until_nobody_is_let_in(server: &Server) {
    wait_until("nobody is let in", || TcpStream::connect(server.address()).is_err());
}

#[track_caller]
fn assert_wrote(exit: &Exit, folder: &DataFolder, count: usize) {
    exit.assert_success();
    let last = exit.stdout.last().unwrap();
    assert!(last.starts_with(&format!("stopped: wrote {count} metrics to ")), "{last}");
    assert_eq!(folder.stored().len(), count);
}

/// Those of a server inside of a test, which gives nobody up.
fn conditions() -> &'static Conditions {
    let never = DEADLINE * 100;
    Box::leak(Box::new(Conditions {
        limits: Limits::default(),
        timeouts: Timeouts { header: never, body: never, write: never },
        idle_timeout: never,
        telemetry: Telemetry::default(),
        draining: Draining::default(),
    }))
}

/// More than the runtime lets a task do at one go, where the system lets so many wait.
const AT_THE_DOOR: i32 = if cfg!(target_os = "linux") { 200 } else { 100 };

#[test]
fn who_is_at_the_door_when_the_word_comes_is_let_in_and_nobody_else() {
    let _watchdog = Watchdog::start();
    let listener = Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), AT_THE_DOOR).unwrap();
    let address = listener.local_address().unwrap();
    let mut clients: Vec<_> = (0..AT_THE_DOOR).map(|_| Client::connect(address).unwrap()).collect();
    let (shutdown, word) = Shutdown::by_hand().unwrap();
    // It is given before anybody was accepted.
    drop(word);
    let threads = Threads::start(NonZeroUsize::MIN).unwrap();
    let serve = move |mut stream: tokio::net::TcpStream, _| async move {
        let is_closed = TcpStream::connect(address).is_err();
        let status = if is_closed { 204 } else { 500 };
        stream.write_all(format!("HTTP/1.1 {status} .\r\n\r\n").as_bytes()).await.unwrap();
    };
    let served = server::run(listener, &shutdown, &threads, clients.len(), conditions(), serve);
    threads.block_on(served).unwrap();
    for client in &mut clients {
        assert_eq!(client.read_response().unwrap().status, 204);
        client.assert_closed();
    }
}

/// Lets a connection look for bytes, once, and says whether it has found some or its end.
async fn look(screen: &mut Screen, found: &mut ReadBuf<'_>) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *screen).poll_read(cx, found.unfilled()).is_ready()))
        .await
}

/// The runtime asks the system for news when it has nothing else to do. The word is something else.
#[tokio::test]
async fn a_request_that_the_runtime_has_not_heard_of_yet_keeps_its_connection_open() {
    let _watchdog = Watchdog::start();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let (conditions, passage) = (conditions(), Arc::new(Passage::default()));
    let mut screen = Screen::new(stream, Arc::clone(&passage), conditions);
    let mut room = [0; 1024];
    let mut found = ReadBuf::new(&mut room);
    assert!(!look(&mut screen, &mut found).await, "nothing has come");
    client.write_all(REQUEST).unwrap();
    conditions.draining.begin();
    while !look(&mut screen, &mut found).await {
        tokio::task::yield_now().await;
    }
    assert!(!passage.has_ended(), "it is not idle");
    assert_eq!(found.filled(), REQUEST);
}

#[test]
fn a_request_that_has_begun_is_answered_and_is_the_last() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let clients = [half_sent(&server, REQUEST), half_sent(&server, POST)];
    server.signal(Signal::TERM);
    wait_until_nobody_is_let_in(&server);
    for ((mut client, rest), status) in clients.into_iter().zip([200, 202]) {
        client.send(rest).unwrap();
        let response = client.read_response().unwrap();
        assert_eq!((response.status, response.field("connection")), (status, Some("close")));
        client.assert_closed();
    }
    assert_wrote(&server.wait(), &folder, 1);
}

#[test]
fn requests_that_were_read_are_all_answered() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let (mut client, rest) = half_sent(&server, POST);
    server.signal(Signal::TERM);
    wait_until_nobody_is_let_in(&server);
    // Few enough to be read at once.
    client.send(&[rest, &POST.repeat(29)].concat()).unwrap();
    let answers: Vec<_> = (0..30).map(|_| client.read_response().unwrap()).collect();
    assert!(answers.iter().all(|answer| answer.status == 202));
    let (last, others) = answers.split_last().unwrap();
    assert!(others.iter().all(|answer| answer.field("connection").is_none()));
    assert_eq!(last.field("connection"), Some("close"));
    client.assert_closed();
    assert_wrote(&server.wait(), &folder, 30);
}

#[test]
fn an_idle_connection_is_closed_at_once_whether_or_not_it_was_used() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let (mut unused, mut used) = (connect(&server), connect(&server));
    used.send(REQUEST).unwrap();
    assert_eq!(used.read_response().unwrap().status, 200);
    // Answered behind the others, so that they are known.
    assert_eq!(get(server.address(), "/health").status, 200);
    server.signal(Signal::INT);
    unused.assert_closed();
    used.assert_closed();
    assert_wrote(&server.wait(), &folder, 0);
}

#[test]
fn a_request_that_never_ends_holds_it_up_to_its_deadline_only() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &["--header-timeout", "1s"]);
    let (mut client, _) = half_sent(&server, REQUEST);
    server.signal(Signal::TERM);
    assert_eq!(client.read_response().unwrap().status, 408);
    server.wait().assert_success();
}

#[test]
fn a_stream_of_new_clients_does_not_hold_it_up() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let address = server.address();
    thread::scope(|scope| {
        for _ in 0..8 {
            // Until nobody is there any more.
            scope.spawn(move || {
                while let Ok(mut client) = Client::connect(address) {
                    let _ = client.send(REQUEST).and_then(|()| client.read_response());
                }
            });
        }
        wait_until("they come", || {
            get(address, "/metrics").text().contains("ingest_requests_total")
        });
        server.stop().assert_success();
    });
}

/// At the weakest promise a 202 says only that the metric is in memory. A stop writes it.
#[test]
fn what_was_accepted_is_written() {
    const COUNT: usize = 5_000;
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &[&PATIENT[..], &["--ack", "accepted"]].concat());
    let mut client = connect(&server);
    client.send(&POST.repeat(COUNT)).unwrap();
    for _ in 0..COUNT {
        assert_eq!(client.read_response().unwrap().status, 202);
    }
    assert_wrote(&server.stop(), &folder, COUNT);
}

#[test]
fn clients_that_are_served_meanwhile_lose_no_answer() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let address = server.address();
    let (exit, answered) = thread::scope(|scope| {
        let client = || {
            let (mut client, mut answered) = (Client::connect(address).unwrap(), 0);
            loop {
                // What is sent after the last answer is not read, and the client was told so.
                let Ok(()) = client.send(POST) else { return answered };
                match client.read_response() {
                    Ok(response) if response.status == 202 => answered += 1,
                    Ok(response) => panic!("{response:?}"),
                    Err(_) => return answered,
                }
            }
        };
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(client)).collect();
        wait_until("they are served", || {
            get(address, "/metrics").text().contains("ingest_requests_total{status=\"202\"}")
        });
        let exit = server.stop();
        (exit, clients.into_iter().map(|client| client.join().unwrap()).sum())
    });
    assert_wrote(&exit, &folder, answered);
}

#[test]
fn a_second_signal_ends_it_at_once_and_says_what_is_lost() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = DataFolder::new();
        let server = start(&folder);
        let _holding = half_sent(&server, REQUEST);
        server.signal(Signal::TERM);
        wait_until_nobody_is_let_in(&server);
        server.signal(signal);
        let exit = server.wait();
        assert_eq!(exit.status.code(), Some(code));
        assert_eq!(exit.stderr, ["stopped at once: 0 accepted metrics are lost"]);
    }
}
