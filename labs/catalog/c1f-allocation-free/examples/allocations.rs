//! What a request takes from the heap, in phase 4 and in the final phase: a line of JSON a round, with
//! the blocks that each of them takes for a request.
//!
//! What always holds: every server runs in this process, so the allocator sees all of it, and the client
//! takes no block. Both servers do the same: read the request, check the body, hand over its lines,
//! answer. Neither has a rate limit here, which takes no block of its own.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::thread;

use craft1_final::server::{Handler, Reply};
use craft1_final::transcode::{self, Arrival};
use craft1_phase1::http::{Limits, Response};
use craft1_phase1::program::now;
use craft1_phase1::service::{Decision, Health, Service};
use craft1_phase1::shutdown::Shutdown;
use craft1_phase1::socket::Listener;
use craft1_phase1::telemetry::Telemetry;
use craft1_phase1::timeouts::Timeouts;
use craft1_phase3::{json, line};
use craft1_phase4::ack::Ack;
use craft1_phase4::connection::{self, Conditions, Request};
use craft1_phase4::draining::Draining;
use craft1_phase4::server::{self, Threads};
use craft1_phase4::writer::{self, Writer};
use serde_json::json;
use testkit::{DEADLINE, DataFolder};

/// Where the final phase runs inside a test as well; in `tests/` of the crate that this is linked into.
#[rustfmt::skip]
#[path = "../tests/inside/mod.rs"]
mod inside;

use inside::{Ended, Inside};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const ROUNDS: usize = 7;
const REQUESTS: u32 = 1_000;

const REQUEST: &[u8] =
    b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
      Content-Length: 29\r\n\r\n{\"name\":\"cpu\",\"value\":85.125}";

/// The end of its answer.
const ACCEPTED: &[u8] = b"\"accepted\":1}";

fn main() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let by_phase4 = serve_phase4(blocks_by_round);
    let Ended { result: by_final, served, stored } =
        inside::serve(Inside::default(), |_, _| store(), |address, _| blocks_by_round(address));
    served.expect("a server that ends well");
    assert_eq!(stored.len(), (1 + ROUNDS) * REQUESTS as usize);
    for (phase4, last) in by_phase4.into_iter().zip(by_final) {
        eprintln!("blocks for a request: phase 4 takes {phase4}, the final phase {last}");
        println!("{}", json!({ "phase4": phase4, "final": last, "requests": 1 }));
    }
}

/// The blocks that the process takes for a request, round by round.
fn blocks_by_round(address: SocketAddr) -> [f64; ROUNDS] {
    let mut stream = TcpStream::connect(address).expect("a server that listens");
    stream.set_nodelay(true).expect("a connection that is open");
    stream.set_read_timeout(Some(DEADLINE)).expect("a connection that is open");
    let mut round = || (0..REQUESTS).for_each(|_| exchange(&mut stream));
    // Once, so that every buffer has what it needs.
    round();
    [(); ROUNDS].map(|()| {
        let before = dhat::HeapStats::get().total_blocks;
        round();
        let blocks = dhat::HeapStats::get().total_blocks - before;
        f64::from(u32::try_from(blocks).expect("not that many")) / f64::from(REQUESTS)
    })
}

/// A request, and its answer to the end.
fn exchange(stream: &mut TcpStream) {
    stream.write_all(REQUEST).expect("a server that reads");
    let (mut answer, mut len) = ([0; 512], 0);
    while !answer[..len].ends_with(ACCEPTED) {
        let read = stream.read(&mut answer[len..]).expect("an answer in time");
        assert!(read > 0, "no answer, but {:?}", String::from_utf8_lossy(&answer[..len]));
        len += read;
    }
}

/// The application of the final phase, for requests that are well formed.
fn store() -> Handler<'static> {
    Box::new(|request, _peer, _now, outbox| {
        let body = request.call.expect("a call").body.expect("a body");
        let arrival = Arrival::from(now());
        let metrics = transcode::lines(body, outbox.lines(), &arrival, None).expect("a good body");
        outbox.take(metrics);
        Reply::Accepted { metrics, wait_for: None }
    })
}

/// Runs phase 4 for as long as `client` does.
fn serve_phase4<T>(client: impl FnOnce(SocketAddr) -> T) -> T {
    let folder = DataFolder::new();
    let options = writer::Options::new(Ack::Accepted);
    let writer = Writer::open(&folder.data_file(), json::parse, options, |_| {}).expect("a file");
    let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let listener = Listener::bind(any_port, 64).expect("a free port");
    let address = listener.local_address().expect("its address");
    let (shutdown, stopper) = Shutdown::by_hand().expect("a pipe");
    // Each for the rest of the program, as in phase 4.
    let conditions = &*Box::leak(Box::new(conditions()));
    let application = &*Box::leak(Box::new(writer.clone()));
    let result = thread::scope(|scope| {
        scope.spawn(move || {
            let threads = Threads::start(NonZeroUsize::MIN).expect("a thread");
            let serve =
                server::run(listener, &shutdown, &threads, 64, conditions, move |stream, peer| {
                    let decide = move |request: &Request<'_>| decide(application, request);
                    connection::serve(stream, peer.ip(), conditions, decide)
                });
            threads.block_on(serve).expect("a server that ends well");
        });
        let result = client(address);
        drop(stopper);
        result
    });
    writer.finish().expect("everything is written");
    result
}

fn conditions() -> Conditions {
    Conditions {
        limits: Limits::default(),
        timeouts: Timeouts { header: DEADLINE, body: DEADLINE, write: DEADLINE },
        idle_timeout: DEADLINE,
        telemetry: Telemetry::default(),
        draining: Draining::default(),
    }
}

/// The application of phase 4, without its limiter and its readiness.
fn decide(
    writer: &'static Writer,
    request: &Request<'_>,
) -> Result<impl Future<Output = Response> + use<>, Response> {
    let call = request.call().map_err(|repeated| Response::error(400, repeated, None))?;
    let (health, telemetry) = (|| Health::in_place(0), String::new);
    let service = Service { parse_body: json::parse, health: &health, telemetry: &telemetry };
    match service.decide(&call) {
        Decision::Answer(response) => Err(response),
        Decision::Store(delivery) => {
            let mut lines = Vec::with_capacity(2 * request.body.len());
            line::encode(&mut lines, &delivery, now());
            let metrics = delivery.batch.len();
            Ok(async move { Service::stored(metrics, writer.append(lines, metrics).await) })
        }
    }
}
