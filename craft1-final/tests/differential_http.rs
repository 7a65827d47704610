//! The reader in place against phase 1's reader: for the bytes of a connection, in one piece, in
//! random pieces and byte by byte, both say the same. That is the same refusal, the same request
//! with the same end, the same word to a client that waits for it, the same "need more".
//!
//! The bytes are mutants of good and hostile requests, up to several of them behind one another, and
//! well-formed requests of every shape. A failure names its seed and number. The coverage-guided
//! counterpart is `fuzz/` at the root of the repository.

use std::collections::BTreeSet;
use std::panic;

use craft1_phase1::http::{Framing, Limits, Refusal};
use proptest::collection::vec;
use proptest::prelude::*;
use testkit::Mutator;

#[path = "../../craft1-phase1/tests/split/corpus.rs"]
mod phase1_corpus;
#[path = "../../craft1-phase1/tests/split/sent.rs"]
mod sent;
#[path = "differential_http/verdict.rs"]
mod verdict;

use sent::sent;
use verdict::{LIMITS, Said, said};

/// Mutants in the default lane: a few seconds without optimisation.
const SOME: usize = 20_000;

/// Mutants in the slow lane.
const MANY: usize = 1_000_000;

/// How many rules there are to break.
const REFUSALS: usize = Refusal::ChunkEnd as usize + 1;

#[test]
fn mutants_mean_what_they_mean_to_phase_1() {
    let met = check(1, SOME);
    // Every refusal, both kinds of "need more", the word to go on, and requests good and repeated:
    // the run is about all of the grammar.
    assert_eq!(met.len(), REFUSALS + 5, "{met:?}");
}

#[test]
#[ignore = "a million mutants, slow lane"]
fn a_million_mutants_mean_what_they_mean_to_phase_1() {
    check(2, MANY);
}

#[test]
fn requests_at_the_limits_mean_what_they_mean_to_phase_1() {
    let met: Vec<bool> = at_the_limits()
        .flat_map(|request| [said([request.as_slice()]), said(request.chunks(1))])
        .map(|said| matches!(said[0], Said::Refused(..)))
        .collect();
    let (within, beyond) = met.split_at(met.len() / 2);
    assert!(within.iter().all(|is_refused| !is_refused), "{met:?}");
    assert!(beyond.iter().all(|is_refused| *is_refused), "{met:?}");
}

/// A head that came before is not read again. These come behind the request that they are made of, so
/// they are nearly known.
#[test]
fn mutants_behind_their_original_mean_what_they_mean_to_phase_1() {
    let originals = [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nX-Client-Id: b\r\n\r\n{}",
        "POST / HTTP/1.1\r\nContent-Length: 10 \r\nHost: a\r\n\r\n0123456789",
        "GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    ];
    let mut mutator = Mutator::new(3, NUMBERS);
    let mut met = BTreeSet::new();
    for number in 0..SOME / 4 {
        let original = originals[number % originals.len()].as_bytes();
        let mutant = mutator.mutant(&[original.to_vec()]);
        let stream = [original, &mutant, original].concat();
        let behind = &stream[original.len()..];
        let outcome = panic::catch_unwind(|| {
            [said([stream.as_slice()]), said([original, behind]), said(stream.chunks(7))]
        });
        let said = outcome.unwrap_or_else(|_| panic!("mutant {number}: {}", mutant.escape_ascii()));
        met.insert(said[0].iter().filter(|it| matches!(it, Said::Complete(_))).count());
    }
    assert!(met.is_superset(&(1..=3).collect()), "requests that were complete: {met:?}");
}

/// What a length may be changed into.
const NUMBERS: &[&[u8]] =
    &[b"0", b"1", b"9", b"00", b"64", b"65", b"999999999", b" ", b"x", b"\r\n"];

/// Tries so many mutants, and returns what was met on the way.
fn check(seed: u64, count: usize) -> BTreeSet<String> {
    let (corpus, mut mutator) = (corpus(), Mutator::new(seed, phase1_corpus::DICTIONARY));
    let mut met = BTreeSet::new();
    for number in 0..count {
        let mutant = mutator.mutant(&corpus);
        let pieces = mutator.pieces(&mutant);
        let outcome = panic::catch_unwind(|| {
            [said([mutant.as_slice()]), said(pieces.iter().copied()), said(mutant.chunks(1))]
        });
        let said = outcome.unwrap_or_else(|_| {
            panic!("mutant {number} of seed {seed}: {}", mutant.escape_ascii())
        });
        met.extend(said.iter().flatten().map(kind));
    }
    met
}

fn kind(said: &Said) -> String {
    match said {
        Said::Complete(complete) if complete.call.is_err() => "a repeated field".into(),
        Said::Complete(_) => "a request".into(),
        Said::Refused(refusal, _) => format!("{refusal:?}"),
        Said::Continue | Said::NeedMore(_) => format!("{said:?}"),
    }
}

/// Phase 1's requests, and some that are about what only this reader looks at: fields that it lends,
/// what the client wants of the connection, and requests behind one another.
fn corpus() -> Vec<Vec<u8>> {
    let post = "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    let texts = [
        format!("{post}Content-Length: 2\r\n\r\n{{}}"),
        format!("{post}content-length:2\r\ncontent-type:a\r\n\r\n{{}}"),
        format!("{post}Content-Length: 2\r\nX-Client-Id: web-1\r\n\r\n{{}}").repeat(3),
        format!("{post}X-Client-Id: a\r\nX-CLIENT-ID: b\r\nContent-Length: 0\r\n\r\n"),
        format!("{post}Authorization: Bearer a\r\nContent-Encoding: gzip\r\n\r\n"),
        format!("{post}Authorization: a\r\nAuthorization: a\r\n\r\n"),
        format!("{post}Connection: close\r\nContent-Length: 1\r\n\r\nx"),
        format!("{post}Connection: a , Close\t,\r\nConnection: keep-alive\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n").repeat(2),
        format!("{post}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"),
        "GET /health HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n".repeat(4),
        "HEAD /ready HTTP/1.1\r\nHost: localhost:8080\r\n\r\n\r\n".repeat(2),
        "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n".into(),
    ];
    let mut corpus = phase1_corpus::corpus();
    corpus.extend(texts.map(String::into_bytes));
    corpus.extend(at_the_limits());
    corpus
}

/// Requests with a target, a line, a section and a number of fields of exactly the limit, and of one
/// more.
fn at_the_limits() -> impl Iterator<Item = Vec<u8>> {
    let Limits { target_bytes, line_bytes, head_bytes, fields, .. } = LIMITS;
    let request = |target: &str, fields: &str| {
        format!("GET /{target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
    };
    (0..=1).flat_map(move |more| {
        let x = |len: usize| "x".repeat(len + more);
        let line = |len: usize| format!("A: {}\r\n", "x".repeat(len - "A: ".len()));
        let host_bytes = "Host: a\r\n".len();
        // Lines of half the length, and one that takes what they leave.
        let half = line(line_bytes / 2);
        let halves = half.repeat((head_bytes - host_bytes) / half.len() - 1);
        let rest = head_bytes - host_bytes - halves.len();
        [
            request(&x(target_bytes - 1), ""),
            request("", &line(line_bytes + more)),
            request("", &format!("{halves}{}", line(rest + more))),
            request("", &"A: b\r\n".repeat(fields - 1 + more)),
        ]
    })
}

proptest! {
    // A failing case is printed in full, so no file of past seeds is kept.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn well_formed_requests_behind_one_another_are_read_one_after_the_other(
        requests in vec(sent(), 1..4),
        piece_len in 1..80_usize,
    ) {
        let bytes: Vec<Vec<u8>> = requests.iter().map(sent::Sent::bytes).collect();
        let stream = bytes.concat();
        let said: Vec<Said> = said(stream.chunks(piece_len));
        let mut end = 0;
        for ((request, bytes), said) in requests.iter().zip(&bytes).zip(&said) {
            end += bytes.len();
            let Said::Complete(complete) = said else { panic!("it is complete: {said:?}") };
            prop_assert_eq!(complete.end, end);
            let has_body = request.body.framing() != Framing::None;
            let body = complete.call.as_ref().expect("nothing is repeated").body.clone();
            prop_assert_eq!(body, has_body.then(|| request.body.content()));
        }
        prop_assert_eq!(said.last(), Some(&Said::NeedMore(false)));
        prop_assert_eq!(said.len(), requests.len() + 1);
    }
}
