//! Lab tests: a body is taken or refused for what it says, by the parser alone and over a socket, and
//! no body can hurt the server.
//!
//! The cases of `JSONTestSuite` are data beside the workspace; see `testkit::json_suite`.

use std::{panic, thread};

use craft1_phase1::service::Delivery;
use craft1_phase1::{json, line};
use metrics_model::limits::BODY_BYTES_MAX;
use metrics_model::{Batch, Metric, Timestamp};
use testkit::{DataFolder, Mutator, get, json_suite, post_json};

const PHASE1: &str = env!("CARGO_BIN_EXE_craft1-phase1");

#[test]
fn the_parser_takes_and_refuses_what_the_json_test_suite_says() {
    json_suite::check(|case| json::parse(&case.body).is_ok());
}

#[test]
fn the_server_takes_and_refuses_what_the_json_test_suite_says() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &[]);
    let mut taken = 0;
    json_suite::check(|case| {
        let status = post_json(server.address(), "/metrics", &case.body).status;
        assert!([202, 400].contains(&status), "{}: {status}", case.name);
        taken += usize::from(status == 202);
        status == 202
    });
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), taken);
}

/// As many brackets as a body can hold, never closed.
fn nested(open: &str) -> String {
    let start = r#"{"name":"m","value":1,"extra":"#;
    format!("{start}{}", open.repeat((BODY_BYTES_MAX - start.len()) / open.len()))
}

/// What opens one level of an array, and what opens one of an object.
const BRACKETS: [&str; 2] = ["[", r#"{"a":"#];

#[test]
fn depth_costs_the_parser_no_stack() {
    /// Enough for the levels that are allowed, and far too little for a call for every bracket.
    const STACK_BYTES: usize = 1024 * 1024;
    let parse = || BRACKETS.map(|open| json::parse(nested(open).as_bytes()).is_err());
    let small = thread::Builder::new().stack_size(STACK_BYTES).spawn(parse).unwrap();
    assert_eq!(small.join().unwrap(), [true, true]);
}

#[test]
fn depth_costs_the_server_nothing() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &[]);
    for open in BRACKETS {
        assert_eq!(post_json(server.address(), "/metrics", nested(open)).status, 400);
        assert_eq!(get(server.address(), "/health").status, 200);
    }
    server.stop().assert_success();
}

/// What the format is made of, and values at the ends of their ranges.
const DICTIONARY: &[&[u8]] = &[
    br#""name":"#,
    br#""value":"#,
    br#""timestamp":"#,
    br#""type":"#,
    br#""tags":"#,
    br#""metrics":"#,
    br#""counter""#,
    br#""2016-12-31T23:59:60Z""#,
    b"253402300799999",
    b"18446744073709551616",
    b"-0.0",
    b"5e-324",
    b"1e308",
    b"1e309",
    b"null",
    b"true",
    br"\u0000",
    br"\ud83d\ude00",
    br"\ud800",
    b"\\",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\xff",
    "😀".as_bytes(),
];

/// Every field in every form that it may have, and long texts, which survive most changes.
const BODIES: [&str; 5] = [
    r#"{"name":"cpu_usage","value":85.5}"#,
    r#"{"name":"temperature","value":-12.5e-3,"timestamp":"2025-09-17T13:45:23.123Z","type":"gauge",
        "tags":{"room":"küche","id":"\u00e9\n"}}"#,
    r#"{"metrics":[{"name":"requests","value":9007199254740993,"type":"counter","tags":{}},
        {"name":"wait_s","value":0.1,"timestamp":1758116723123,"type":"histogram",
        "extra":[null,true,false,{"a":[1,2],"a":"x"}]}]}"#,
    r#"{"name":"the number of requests for the page that lists the departures of the next hour",
        "value":17,"tags":{"path":"/stations/8503000/departures?from=now&for=1h&language=de-CH"},
        "comment":"counted at the edge, before anything is cached, and without those of robots"}"#,
    r#" { "value" : 1E+2 , "name" : "\ud83d\ude00 \"\\\/" } "#,
];

/// When the mutants without a timestamp arrive.
const NOW: Timestamp = Timestamp::MAX;

#[test]
fn mutants_do_no_harm() {
    check_mutants(20_000);
}

#[test]
#[ignore = "a million mutants: slow lane"]
fn a_million_mutants_do_no_harm() {
    check_mutants(1_000_000);
}

fn check_mutants(count: usize) {
    const SEED: u64 = 8259;
    let corpus = BODIES.map(|body| body.as_bytes().to_vec());
    let mut mutator = Mutator::new(SEED, DICTIONARY);
    let mut taken = 0;
    for number in 0..count {
        let mutant = mutator.mutant(&corpus);
        let is_taken = panic::catch_unwind(|| is_taken_and_kept(&mutant));
        taken += usize::from(is_taken.unwrap_or_else(|_| {
            panic!("mutant {number} of seed {SEED}: {}", mutant.escape_ascii())
        }));
    }
    println!("{taken} of {count} mutants are taken");
    assert!((count / 100..count).contains(&taken), "mutants that show nothing: {taken} taken");
}

/// What is taken is valid, and storing it changes nothing. What is refused is refused with a reason,
/// and with a place inside the body where there is one.
fn is_taken_and_kept(body: &[u8]) -> bool {
    let batch = match json::parse(body) {
        Ok(batch) => batch,
        Err(refusal) => {
            assert!(!refusal.detail.is_empty());
            assert!(refusal.offset.is_none_or(|offset| offset <= body.len()));
            return false;
        }
    };
    assert_eq!(Batch::new(batch.clone().into_metrics()).as_ref(), Ok(&batch));
    let mut lines = Vec::new();
    line::encode(&mut lines, &Delivery { batch: batch.clone(), client: Some("\"") }, NOW);
    let mut stored = lines.split_inclusive(|byte| *byte == b'\n');
    for metric in batch {
        let line = stored.next().expect("a line for every metric");
        let again = json::parse(line).expect("a metric").into_metrics();
        let expected = Metric { timestamp: metric.timestamp.or(Some(NOW)), ..metric };
        assert_eq!(again[0].value.to_bits(), expected.value.to_bits());
        assert_eq!(again, [expected]);
    }
    assert_eq!(stored.next(), None);
    true
}
