//! Lab test: the requests of llhttp's own tests are taken or refused as RFC 9112 demands, in one
//! piece and byte by byte.
//!
//! The cases are data beside the workspace, `../shared/suites`. Where they are missing, the test
//! prints that it skips them, and counts none as passed.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use serde_json::Value;
use testkit::{Client, DataFolder};

const PHASE1: &str = env!("CARGO_BIN_EXE_craft1-phase1");
const SUITE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/suites/llhttp-requests.json");

/// How many of the cases have a verdict. The others are open.
const SCORED: usize = 123;

/// Two cases want a second answer on one connection. Phase 1 closes after the first, and says so
/// (RFC 9112, section 9.3); that the first is answered is still checked.
const NEED_KEEP_ALIVE: [&str; 2] = ["connection.md:34", "pipelining.md:4"];

/// A status that blames the form of the request, not what it wants.
const FRAMING_ERRORS: [u16; 10] = [400, 408, 411, 413, 414, 417, 421, 431, 501, 505];

#[test]
fn llhttp_requests_are_taken_or_refused_in_one_piece_and_byte_by_byte() {
    if !Path::new(SUITE).exists() {
        println!("skipped {SCORED} cases: {SUITE} is not there");
        return;
    }
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(SUITE).unwrap()).unwrap();
    let scored: Vec<_> = cases.iter().filter(|case| case["expect"] != "either").collect();
    assert_eq!(scored.len(), SCORED);
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &[]);
    let address = server.address();
    let check = |case: &&Value| verdict(case, address).err();
    let failures: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = scored
            .chunks(8)
            .map(|cases| scope.spawn(move || cases.iter().filter_map(check).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let passed = SCORED - failures.len() - NEED_KEEP_ALIVE.len();
    println!("llhttp: {passed} of {SCORED} as listed, {} need keep-alive", NEED_KEEP_ALIVE.len());
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

fn verdict(case: &Value, address: SocketAddr) -> Result<(), String> {
    let text = case["bytes_latin1"].as_str().unwrap();
    let bytes: Vec<u8> = text.chars().map(|it| u8::try_from(u32::from(it)).unwrap()).collect();
    let id = case["id"].as_str().unwrap();
    for piece_len in [bytes.len(), 1] {
        let statuses = exchange(address, &bytes, piece_len);
        let good = statuses.iter().take_while(|it| !FRAMING_ERRORS.contains(it)).count();
        let messages = usize::try_from(case["messages"].as_u64().unwrap()).unwrap();
        let expected = if NEED_KEEP_ALIVE.contains(&id) { 1 } else { messages };
        let is_right = match case["expect"].as_str().unwrap() {
            "accept" if case["exact"] == true => good == expected && statuses.len() == good,
            "accept" => good >= expected,
            "reject" => good <= messages && statuses.get(good).is_some_and(|it| *it >= 400),
            "wait" => statuses.is_empty() || statuses[0] != 400,
            other => return Err(format!("{id}: unknown verdict {other}")),
        };
        if !is_right {
            return Err(format!("{id}, {piece_len} bytes a piece: {statuses:?} to {text:?}"));
        }
    }
    Ok(())
}

/// The statuses that come back while our side stays open: a broken request is to be refused for
/// what it says, and not because it ends.
fn exchange(address: SocketAddr, bytes: &[u8], piece_len: usize) -> Vec<u16> {
    let mut client = Client::connect_with_deadline(address, Duration::from_secs(2)).unwrap();
    // A refusal can come before we have sent everything. Then it is the refusal that counts.
    let _ = client.send_in_pieces(bytes, piece_len, Duration::ZERO);
    let head_only = bytes.starts_with(b"HEAD ");
    let expect =
        if head_only { testkit::client::Expect::HeadOnly } else { testkit::client::Expect::Body };
    std::iter::from_fn(|| client.read(expect).ok()).map(|response| response.status).collect()
}
