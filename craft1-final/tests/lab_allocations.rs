//! Lab test: once its buffers have grown, the server allocates nothing, however many requests come
//! and whatever a 202 means.
//!
//! The server runs in this process, with its writer, so that the counting allocator sees all of it.
//! Everything is one test, and each count is the least of a few: what the test harness allocates
//! meanwhile can only add to it.

mod inside;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::SystemTime;

use craft1_final::answer::{self, Date};
use craft1_final::request::Persistence;
use craft1_final::server::{Handler, Reply};
use craft1_final::transcode::{self, Arrival};
use craft1_phase4::ack::Ack;
use metrics_model::Timestamp;
use testkit::{DEADLINE, Watchdog};

use inside::{Ended, Inside};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// How often each count is taken.
const TRIES: usize = 10;

const CLIENTS: usize = 16;
const PIPELINE: usize = 16;

const REQUEST: &[u8] =
    b"POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                         Content-Length: 29\r\n\r\n{\"name\":\"cpu\",\"value\":85.125}";

/// Where the second half of a request that is sent in two begins: in its body.
const CUT: usize = REQUEST.len() - 10;

/// What a round of [`Clients`] asks for each of them.
const REQUESTS_PER_ROUND: usize = PIPELINE + 2;

/// An application without routes.
fn store(ack: Ack) -> Handler<'static> {
    let arrival = Arrival::from(Timestamp::MIN);
    Box::new(move |request, _peer, _now, outbox| {
        let body = request.call.unwrap().body.unwrap();
        let metrics = transcode::lines(body, outbox.lines(), &arrival, None).unwrap();
        let ticket = outbox.take(metrics);
        Reply::Accepted { metrics, wait_for: (ack != Ack::Accepted).then_some(ticket) }
    })
}

/// Clients that allocate nothing themselves.
struct Clients {
    streams: Vec<TcpStream>,
    requests: Vec<u8>,
    one_and_a_half: Vec<u8>,
    answers: Vec<u8>,
    answer_len: usize,
}

impl Clients {
    fn connect(address: SocketAddr) -> Self {
        let connect = |_| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            stream
        };
        let streams: Vec<_> = (0..CLIENTS).map(connect).collect();
        let one_and_a_half = [REQUEST, &REQUEST[..CUT]].concat();
        let mut answer = Vec::new();
        answer::accepted(&mut answer, 1, &Date::at(SystemTime::now()), Persistence::Stay);
        let (answer_len, answers) = (answer.len(), vec![0; PIPELINE * answer.len()]);
        let requests = REQUEST.repeat(PIPELINE);
        Self { streams, requests, one_and_a_half, answers, answer_len }
    }

    /// For each client several requests at once, and then one and a half and the other half.
    fn round(&mut self) {
        let Self { streams, requests, one_and_a_half, answers, answer_len } = self;
        let (_, rest) = REQUEST.split_at(CUT);
        let exchanges = [(&requests[..], PIPELINE), (one_and_a_half, 1), (rest, 1)];
        for (request, answer_count) in exchanges {
            for stream in &mut *streams {
                stream.write_all(request).unwrap();
            }
            for stream in &mut *streams {
                let answers = &mut answers[..answer_count * *answer_len];
                stream.read_exact(answers).unwrap();
                let mut each = answers.chunks(*answer_len);
                assert!(each.all(|answer| answer.starts_with(b"HTTP/1.1 202 ")));
            }
        }
    }
}

/// How many blocks are taken from the heap for a round, by anybody.
fn blocks_of_a_round(clients: &mut Clients) -> u64 {
    // Every buffer grows to what it needs.
    clients.round();
    let count = |_| {
        let before = dhat::HeapStats::get().total_blocks;
        clients.round();
        dhat::HeapStats::get().total_blocks - before
    };
    (0..TRIES).map(count).min().expect("one try or more")
}

#[test]
fn a_request_allocates_nothing() {
    let _watchdog = Watchdog::start();
    let _profiler = dhat::Profiler::builder().testing().build();
    for ack in [Ack::Accepted, Ack::Stored, Ack::Durable] {
        let clients = |address, _: &_| blocks_of_a_round(&mut Clients::connect(address));
        let inside = Inside { ack, ..Inside::default() };
        let Ended { result: blocks, served, stored } =
            inside::serve(inside, |_, _| store(ack), clients);
        served.unwrap();
        assert_eq!(stored.len(), (1 + TRIES) * CLIENTS * REQUESTS_PER_ROUND);
        assert_eq!(blocks, 0, "{ack:?}: for {} requests", CLIENTS * REQUESTS_PER_ROUND);
    }
}
