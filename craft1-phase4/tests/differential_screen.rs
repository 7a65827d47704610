//! What hyper answers behind the screen against what phase 1's reader says: for the bytes of a
//! connection, in one piece, in random pieces and byte by byte, the same requests are answered, in
//! the same order, and the same refusal ends them.
//!
//! The bytes are mutants of good and hostile requests, up to several of them behind one another. A
//! failure names its seed and number.

use std::collections::BTreeSet;
use std::future::Ready;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use craft1_phase1::http::{Limits, Response};
use craft1_phase1::telemetry::Telemetry;
use craft1_phase1::timeouts::Timeouts;
use craft1_phase4::connection::{self, Conditions, Request};
use craft1_phase4::draining::Draining;
use testkit::client::Expect;
use testkit::{Client, DEADLINE, Mutator};
use tokio::net::TcpListener;

#[path = "differential_screen/model.rs"]
mod model;
#[path = "../../craft1-phase1/tests/split/corpus.rs"]
mod phase1_corpus;

use model::{ANSWERED, Said, said};

/// Mutants in the default lane: some seconds.
const SOME: usize = 8_000;

/// Mutants in the slow lane.
const MANY: usize = 200_000;

/// Clients at a time. A client waits most of the time.
const THREADS: usize = 8;

#[test]
fn mutants_are_answered_as_phase_1_reads_them() {
    let met = check(1, SOME);
    // Not every refusal: those for length need more bytes than a mutant has.
    assert!(met.len() > 24, "{met:?}");
}

#[test]
#[ignore = "some minutes: slow lane"]
fn many_mutants_are_answered_as_phase_1_reads_them() {
    check(2, MANY);
}

/// Tries so many mutants, several at a time, and returns what was met on the way.
fn check(seed: u64, count: usize) -> BTreeSet<String> {
    let (address, corpus) = (serve(), corpus());
    thread::scope(|scope| {
        let check = |seed| check_some(address, &corpus, seed, count / THREADS);
        let seeds = seed * 1_000..seed * 1_000 + THREADS as u64;
        let threads: Vec<_> = seeds.map(|seed| scope.spawn(move || check(seed))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("they say the same")).collect()
    })
}

fn check_some(
    address: SocketAddr,
    corpus: &[Vec<u8>],
    seed: u64,
    count: usize,
) -> BTreeSet<String> {
    let mut mutator = Mutator::new(seed, phase1_corpus::DICTIONARY);
    let mut met = BTreeSet::new();
    for number in 0..count {
        let mutant = mutator.mutant(corpus);
        let pieces = mutator.pieces(&mutant);
        let expected = said(&mutant);
        for pieces in [vec![mutant.as_slice()], pieces] {
            let found = answers(address, &pieces, &expected);
            assert!(
                found == expected,
                "seed {seed}, mutant {number}, in {} pieces, \"{}\"\n  expected {expected:?}\n  \
                 found {found:?}",
                pieces.len(),
                mutant.escape_ascii(),
            );
        }
        met.extend(expected.into_iter().map(Said::kind));
    }
    met
}

/// Phase 1's requests, and some behind one another.
fn corpus() -> Vec<Vec<u8>> {
    let post = "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    let texts = [
        format!("{post}Content-Length: 2\r\n\r\n{{}}").repeat(4),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n2\r\nyz\r\n0\r\n\r\n")
            .repeat(3),
        format!("{post}Connection: a , Close\t,\r\nContent-Length: 1\r\n\r\nx").repeat(2),
        format!("{post}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"),
        "GET /health HTTP/1.0\r\nExpect: 100-continue\r\nConnection: Keep-Alive\r\n\r\n".repeat(2),
        "HEAD /ready HTTP/1.1\r\nHost: localhost:8080\r\n\r\n\r\n".repeat(3),
        "GET /a HTTP/1.7\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\nX: b\r\n\r\n".into(),
    ];
    let mut corpus = phase1_corpus::corpus();
    corpus.extend(texts.map(String::into_bytes));
    corpus
}

/// Connections as the server has them, with an answer that says what was asked.
fn serve() -> SocketAddr {
    let never = DEADLINE * 10;
    let conditions: &'static Conditions = Box::leak(Box::new(Conditions {
        limits: Limits::default(),
        timeouts: Timeouts { header: never, body: never, write: never },
        idle_timeout: never,
        telemetry: Telemetry::default(),
        draining: Draining::default(),
    }));
    let (sender, address) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(connection::serve(stream, peer.ip(), conditions, echo));
            }
        });
    });
    address.recv_timeout(DEADLINE).unwrap()
}

fn echo(request: &Request<'_>) -> Result<Ready<Response>, Response> {
    // Of no refusal, and with a body whatever the method.
    Err(Response::new(ANSWERED, "text/plain", model::asked(request.call())))
}

/// What comes back to these pieces, as far as `expected` says whether an answer has a body.
fn answers(address: SocketAddr, pieces: &[&[u8]], expected: &[Said]) -> Vec<Said> {
    let mut client = Client::connect(address).unwrap();
    for piece in pieces {
        // A refusal can come before everything is sent.
        if client.send(piece).is_err() {
            break;
        }
    }
    let _ = client.finish_sending();
    let mut found = Vec::new();
    let mut expected = expected.iter().chain(std::iter::repeat(&Said::End));
    loop {
        let expect = match expected.next() {
            Some(said) if said.is_head() => Expect::HeadOnly,
            _ => Expect::Body,
        };
        let answer = loop {
            match client.read(expect) {
                Ok(answer) if answer.status == 100 => {}
                answer => break answer,
            }
        };
        match answer {
            Ok(answer) => found.push(Said::from_answer(&answer, expect)),
            Err(_) => break,
        }
    }
    client.assert_closed();
    found
}
