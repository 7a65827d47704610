//! The requests of llhttp's own tests: each is taken or refused as RFC 9112 demands, in one piece
//! and byte by byte.
//!
//! The cases are data beside the workspace, `../shared/suites`. Where they are missing, it is
//! printed how many are skipped, and none counts as passed.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use std::{fs, io, thread};

use serde_json::Value;

use crate::Client;
use crate::client::Expect;

const SUITE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/suites/llhttp-requests.json");

/// How many of the cases have a verdict. The others are open.
pub const SCORED: usize = 123;

/// Two cases want a second answer on one connection. A server that closes after the first, and says
/// so, may (RFC 9112, section 9.3); that the first is answered is still checked.
const NEED_KEEP_ALIVE: [&str; 2] = ["connection.md:34", "pipelining.md:4"];

/// A status that blames the form of the request, not what it wants.
const FRAMING_ERRORS: [u16; 10] = [400, 408, 411, 413, 414, 417, 421, 431, 501, 505];

/// How long an answer may take. Some cases expect none, so it is waited for in full.
const ANSWER: Duration = Duration::from_secs(2);

/// Cases that one thread tries one after the other.
const CASES_PER_THREAD: usize = 2;

/// Tries every scored case at the server at `address` and prints the score.
///
/// # Panics
/// If a verdict is wrong: each of them is named.
#[track_caller]
pub fn check(address: SocketAddr, has_keep_alive: bool) {
    let Some(cases) = cases() else {
        println!("{SCORED} cases skipped: suite not present at {SUITE}");
        return;
    };
    assert_right(has_keep_alive, &failures(&cases, |case| try_at(case, address, has_keep_alive)));
}

/// Whether the suite is there.
pub fn is_there() -> bool {
    Path::new(SUITE).is_file()
}

/// Tries every scored case at the server at `address` and returns those with a wrong verdict, each
/// with what was sent and what came back; `None` where the suite is missing.
///
/// # Panics
/// If the file holds another suite.
pub fn wrong_at(address: SocketAddr, has_keep_alive: bool) -> Option<Vec<String>> {
    Some(failures(&cases()?, |case| try_at(case, address, has_keep_alive)))
}

fn try_at(case: &Value, address: SocketAddr, has_keep_alive: bool) -> Result<(), String> {
    let wrong = |piece_len| {
        let statuses = exchange(address, &bytes(case), piece_len).map_err(|error| {
            format!("{}: cannot connect: {error}", case["id"].as_str().unwrap_or_default())
        })?;
        verdict(case, has_keep_alive, piece_len, &statuses)
    };
    [bytes(case).len(), 1].into_iter().try_for_each(wrong)
}

/// Tries every scored case at a reader of requests, in one piece, byte by byte, and cut in two at
/// every place. `statuses` says what a server with this reader would answer, one status a request,
/// while the client keeps its side open; a request that is good in its form gets 200.
///
/// # Panics
/// If a verdict is wrong: each of them is named.
#[track_caller]
pub fn check_reader(statuses: impl Fn(&[&[u8]]) -> Vec<u16> + Sync) {
    let Some(cases) = cases() else {
        println!("{SCORED} cases skipped: suite not present at {SUITE}");
        return;
    };
    let try_case = |case: &Value| {
        let bytes = bytes(case);
        verdict(case, true, 1, &statuses(&bytes.chunks(1).collect::<Vec<_>>()))?;
        (0..=bytes.len()).try_for_each(|first_len| {
            let (first, second) = bytes.split_at(first_len);
            verdict(case, true, first_len, &statuses(&[first, second]))
        })
    };
    assert_right(true, &failures(&cases, try_case));
}

/// The cases with a verdict; `None` where the suite is missing.
fn cases() -> Option<Vec<Value>> {
    let suite = fs::read_to_string(Path::new(SUITE)).ok()?;
    let mut cases: Vec<Value> = serde_json::from_str(&suite).expect("the suite is JSON");
    cases.retain(|case| case["expect"] != "either");
    assert_eq!(cases.len(), SCORED, "another number is another suite");
    Some(cases)
}

fn failures(
    cases: &[Value],
    try_case: impl Fn(&Value) -> Result<(), String> + Sync,
) -> Vec<String> {
    let wrong = |case: &Value| try_case(case).err();
    thread::scope(|scope| {
        let threads: Vec<_> = cases
            .chunks(CASES_PER_THREAD)
            .map(|cases| scope.spawn(move || cases.iter().filter_map(wrong).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a verdict")).collect()
    })
}

#[track_caller]
fn assert_right(has_keep_alive: bool, failures: &[String]) {
    let not_full = if has_keep_alive { 0 } else { NEED_KEEP_ALIVE.len() };
    let passed = SCORED - failures.len() - not_full;
    println!("llhttp: {passed} of {SCORED} as listed, {not_full} need keep-alive");
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

fn bytes(case: &Value) -> Vec<u8> {
    let text = case["bytes_latin1"].as_str().expect("bytes");
    let latin1 = |it: char| u8::try_from(u32::from(it)).expect("one byte");
    text.chars().map(latin1).collect()
}

/// What is wrong with these answers to the case, of which `piece_len` bytes were sent first.
fn verdict(
    case: &Value,
    has_keep_alive: bool,
    piece_len: usize,
    statuses: &[u16],
) -> Result<(), String> {
    let id = case["id"].as_str().expect("an id");
    let messages = case["messages"].as_u64().and_then(|count| usize::try_from(count).ok());
    let messages = messages.expect("a count");
    let expected = if NEED_KEEP_ALIVE.contains(&id) && !has_keep_alive { 1 } else { messages };
    let good = statuses.iter().take_while(|it| !FRAMING_ERRORS.contains(it)).count();
    let is_right = match case["expect"].as_str() {
        Some("accept") if case["exact"] == true => good == expected && statuses.len() == good,
        Some("accept") => good >= expected,
        Some("reject") => good <= messages && statuses.get(good).is_some_and(|it| *it >= 400),
        Some("wait") => statuses.is_empty() || statuses[0] != 400,
        other => return Err(format!("{id}: unknown verdict {other:?}")),
    };
    if is_right {
        return Ok(());
    }
    Err(format!("{id}, {piece_len} bytes first: {statuses:?} to {}", case["bytes_latin1"]))
}

/// The statuses that come back while our side stays open: a broken request is to be refused for
/// what it says, and not because it ends.
fn exchange(address: SocketAddr, bytes: &[u8], piece_len: usize) -> io::Result<Vec<u16>> {
    let mut client = Client::connect_with_deadline(address, ANSWER)?;
    // A refusal can come before we have sent everything. Then it is the refusal that counts.
    let _ = client.send_in_pieces(bytes, piece_len, Duration::ZERO);
    let expect = if bytes.starts_with(b"HEAD ") { Expect::HeadOnly } else { Expect::Body };
    let responses = std::iter::from_fn(|| client.read(expect).ok());
    Ok(responses.map(|response| response.status).collect())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;

    /// What answers every connection with `answer` as soon as something comes, and closes.
    fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(answer);
            }
        });
        address
    }

    #[test]
    fn a_verdict_is_about_the_form_of_the_request() {
        let ok = server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let not_found = server(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        let bad = server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        for (expect, messages, right, wrong) in [
            ("accept", 1, vec![ok, not_found], vec![bad]),
            ("accept", 2, vec![], vec![ok]),
            ("reject", 0, vec![bad], vec![ok]),
            ("wait", 0, vec![ok], vec![bad]),
        ] {
            let case = json!({ "id": "x", "bytes_latin1": "GET / HTTP/1.1\r\n\r\n",
                               "expect": expect, "messages": messages });
            let verdict =
                |address| verdict(&case, true, 1, &exchange(address, &bytes(&case), 1).unwrap());
            for address in right {
                assert_eq!(verdict(address), Ok(()), "{case}");
            }
            for address in wrong {
                assert!(verdict(address).is_err(), "{case}");
            }
        }
    }

    #[test]
    fn only_a_server_with_keep_alive_owes_a_second_answer() {
        let ok = server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let case = json!({ "id": NEED_KEEP_ALIVE[0], "bytes_latin1": "GET / HTTP/1.1\r\n\r\n",
                           "expect": "accept", "messages": 2 });
        let statuses = exchange(ok, &bytes(&case), 1).unwrap();
        assert_eq!(verdict(&case, false, 1, &statuses), Ok(()));
        assert!(verdict(&case, true, 1, &statuses).is_err());
    }
}
