//! The reader against two others: `serde_json` for syntax, and phase 1's reader for everything.
//!
//! What must hold for every body: what `serde_json` refuses as JSON is refused here, and what phase 1
//! takes is taken here as the same batch, bit for bit, while what it refuses is refused. Every
//! refusal has a byte of the body, and what is stored can be read back.
//!
//! The bodies are made up in two ways: documents from the grammar and the schema, good, odd or damaged
//! (`differential/documents.rs`), and mutants of a few good bodies. The default lane tries some thousands of each, the slow
//! lane a million: `cargo test --release -p craft1-phase3 -- --ignored`.

#[path = "differential/documents.rs"]
mod documents;
#[path = "differential/verdict.rs"]
mod verdict;

use std::cell::Cell;
use std::panic;

use documents::document;
use proptest::test_runner::{Config, TestRunner};
use testkit::Mutator;
use verdict::is_taken;

/// Documents in the default lane: a second or two without optimisation.
const SOME: u32 = 4_000;

/// Documents in the slow lane.
const MANY: u32 = 1_000_000;

#[test]
fn some_documents_get_the_verdict_of_the_others() {
    try_documents(SOME);
}

#[test]
#[ignore = "a million documents, slow lane"]
fn a_million_documents_get_the_verdict_of_the_others() {
    try_documents(MANY);
}

#[test]
fn some_mutants_get_the_verdict_of_the_others() {
    try_mutants(SOME);
}

#[test]
#[ignore = "a million mutants, slow lane"]
fn a_million_mutants_get_the_verdict_of_the_others() {
    try_mutants(MANY);
}

fn try_documents(count: u32) {
    // A failing case is printed in full, so no file of past seeds is kept.
    let config = Config { cases: count, failure_persistence: None, ..Config::default() };
    let taken = Cell::new(0);
    let verdict = TestRunner::new(config).run(&document(), |body| {
        taken.set(taken.get() + u32::from(is_taken(&body)));
        Ok(())
    });
    if let Err(failure) = verdict {
        panic!("{failure}");
    }
    assert_shows_something(taken.get(), count);
}

/// Which run of mutants it is.
const SEED: u64 = 3;

fn try_mutants(count: u32) {
    let corpus = CORPUS.map(|body| body.as_bytes().to_vec());
    let mut mutator = Mutator::new(SEED, DICTIONARY);
    let mut taken = 0;
    for number in 0..count {
        let mutant = mutator.mutant(&corpus);
        let is_taken = panic::catch_unwind(|| is_taken(&mutant));
        taken += u32::from(is_taken.unwrap_or_else(|_| {
            panic!("mutant {number} of seed {SEED}: {}", mutant.escape_ascii())
        }));
    }
    assert_shows_something(taken, count);
}

/// Both verdicts must come often, or hardly anything is tried.
fn assert_shows_something(taken: u32, count: u32) {
    println!("{taken} of {count} are taken");
    assert!((count / 100..count * 99 / 100).contains(&taken), "{taken} of {count} are taken");
}

/// Bodies that mutants are made of: everything that the grammar and the schema have.
const CORPUS: [&str; 10] = [
    r#"{"name":"cpu_usage","value":85.5}"#,
    r#"{"metrics":[{"name":"cpu_usage","value":85.5},{"value":-1.25e-3,"name":"b"}]}"#,
    r#"{"name":"requests","value":17179869184,"timestamp":1758116723123,"type":"counter","tags":{"host":"web-1","region":"eu"}}"#,
    r#"{ "metrics" : [ { "name" : "latency" , "value" : 0.30000000000000004 , "timestamp" : "2025-09-17T13:45:23.123Z" , "type" : "histogram" } ] }"#,
    r#"{"n\u0061me":"\ud83d\ude00\"\\\/\b\f\n\r\t","value":5e-324,"t\u0061gs":{"\u006b":"\u00e9","k2":""}}"#,
    r#"{"extra":{"a":[1,-2.5e3,true,false,null,"\"}]\\"],"b":{}},"name":"m","value":0,"extra":[[],[[]]]}"#,
    r#"{"metrics":[{"name":"m","value":-0.0,"metrics":{"name":1,"name":2}}],"timestamp":null,"tags":{"a":1}}"#,
    "\r\n\t {\"name\"\n:\t\"температура_🌡\" ,\r\"value\":9007199254740993}\n",
    r#"{"name":"m","value":1e308,"tags":{"a":"1","b":"2","c":"3","d":"4","e":"5","f":"6","g":"7","h":"8"}}"#,
    r#"{"name":"the number of requests for the page that lists the departures of the next hour","value":17,"comment":"long texts survive most changes, so that more of the mutants are taken"}"#,
];

const DICTIONARY: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b" ",
    b"\n",
    b"{\"name\":",
    b"\"name\":",
    b"\"value\":",
    b"\"timestamp\":",
    b"\"type\":",
    b"\"tags\":",
    b"\"metrics\":",
    b"\"metrics\":[",
    b"\"gauge\"",
    b"{\"a\":\"b\"}",
    b"null",
    b"true",
    b"false",
    b"0",
    b"-0",
    b"-",
    b"1.5",
    b"e5",
    b"E-400",
    b"1e999",
    b".",
    b"\\u0061",
    b"\\ud800",
    b"\\udc00",
    b"\\n",
    b"\\",
    b"\xc3\xa9",
    b"\xff",
    b"[[[[",
    b"{\"a\":[",
    b"1758116723123",
    b"\"2016-12-31T23:59:60Z\"",
    b"18446744073709551616",
];
