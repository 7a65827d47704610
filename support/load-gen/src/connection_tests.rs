//! What becomes of requests when a server answers, refuses, closes, resets, or sends garbage.

use super::*;
use crate::{plan::Plan, target::Target};
use proptest::prelude::*;

const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";
const BUSY: &[u8] = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
const LAST: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

fn requests() -> Requests {
    let plan = Plan { clients: 4, ..Plan::default() };
    Requests::prepare(&plan, &Target::parse(&plan.url).unwrap()).unwrap()
}

/// A connection on which requests with intended times 0, 1, 2, … have been written.
fn sent(count: u32) -> Connection {
    let mut connection = Connection::default();
    for index in 0..count {
        connection.push(u64::from(index), index % 4);
    }
    while connection.wants_write() {
        write_up_to(&mut connection, usize::MAX);
    }
    connection
}

/// Writes at most `limit` bytes and returns them.
fn write_up_to(connection: &mut Connection, limit: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let write = |slices: &[IoSlice<'_>]| {
        for slice in slices {
            let room = (limit - out.len()).min(slice.len());
            out.extend_from_slice(&slice[..room]);
        }
        Ok::<_, ()>(out.len())
    };
    connection.write_with(&requests(), write).unwrap();
    out
}

fn received(connection: &mut Connection, bytes: &[u8]) -> (Next, Vec<Result<u16, Failure>>) {
    let mut outcomes = Vec::new();
    let next = connection.received(bytes, &mut outcomes);
    (next, outcomes.iter().map(|outcome| outcome.result).collect())
}

fn ended(connection: &mut Connection) -> Vec<Result<u16, Failure>> {
    let mut outcomes = Vec::new();
    connection.ended(&mut outcomes);
    outcomes.iter().map(|outcome| outcome.result).collect()
}

#[test]
fn an_answer_belongs_to_the_oldest_request() {
    let mut connection = sent(3);
    let mut outcomes = Vec::new();
    let both = [ACCEPTED, BUSY].concat();
    assert_eq!(connection.received(&both, &mut outcomes), Next::Keep);
    let expected = [
        Outcome { intended_ns: 0, result: Ok(202) },
        Outcome { intended_ns: 1, result: Err(Failure::Status(503)) },
    ];
    assert_eq!(outcomes, expected);
    assert_eq!((connection.in_flight(), connection.oldest_ns()), (1, Some(2)));
}

#[test]
fn a_close_before_the_answer_is_closed_early() {
    let mut connection = sent(2);
    assert_eq!(received(&mut connection, &ACCEPTED[..20]), (Next::Keep, vec![]));
    assert_eq!(ended(&mut connection), [Err(Failure::ClosedEarly); 2]);
    assert_eq!(connection.in_flight(), 0);
}

#[test]
fn a_close_without_requests_is_no_failure() {
    let mut connection = sent(1);
    assert_eq!(received(&mut connection, ACCEPTED).1, [Ok(202)]);
    assert_eq!(ended(&mut connection), []);
}

#[test]
fn a_body_that_lasts_until_the_close_is_an_answer() {
    let mut connection = sent(1);
    let next = received(&mut connection, b"HTTP/1.1 200 OK\r\n\r\nhello");
    assert_eq!(next, (Next::Keep, vec![]));
    assert_eq!(ended(&mut connection), [Ok(200)]);
}

#[test]
fn what_was_pipelined_behind_the_last_answer_is_closed_early() {
    let mut connection = sent(3);
    let (next, results) = received(&mut connection, LAST);
    assert_eq!(next, Next::Close);
    assert_eq!(results, [Ok(202), Err(Failure::ClosedEarly), Err(Failure::ClosedEarly)]);
}

#[test]
fn garbage_is_malformed_and_abandons_what_follows() {
    let mut connection = sent(2);
    let (next, results) = received(&mut connection, b"\x16\x03\x01");
    assert_eq!(next, Next::Garbage(Malformed::StatusLine));
    assert_eq!(results, [Err(Failure::Malformed), Err(Failure::Abandoned)]);
}

#[test]
fn bytes_that_answer_nothing_are_unsolicited() {
    let mut connection = sent(1);
    let twice = [ACCEPTED, ACCEPTED].concat();
    assert_eq!(received(&mut connection, &twice), (Next::Unsolicited, vec![Ok(202)]));
}

#[test]
fn an_answer_to_half_a_request_ends_the_connection() {
    let mut connection = Connection::default();
    connection.push(0, 0);
    write_up_to(&mut connection, 10);
    let (next, results) = received(&mut connection, BUSY);
    assert_eq!((next, results), (Next::Close, vec![Err(Failure::Status(503))]));
}

#[test]
fn a_failed_connection_starts_anew() {
    let mut connection = sent(2);
    received(&mut connection, b"HTTP/1.1 2");
    let mut outcomes = Vec::new();
    connection.fail(Failure::TimedOut, Failure::Abandoned, &mut outcomes);
    assert_eq!(outcomes.len(), 2);
    connection.push(9, 1);
    assert_eq!(write_up_to(&mut connection, usize::MAX), requests().get(1));
    assert_eq!(received(&mut connection, ACCEPTED), (Next::Keep, vec![Ok(202)]));
}

#[test]
fn writes_more_requests_than_fit_into_one_call() {
    let mut connection = Connection::default();
    let count = SLICES_MAX * 2 + 5;
    for index in 0..count {
        connection.push(0, u32::try_from(index % 4).unwrap());
    }
    let mut calls = 0;
    while connection.wants_write() {
        write_up_to(&mut connection, usize::MAX);
        calls += 1;
    }
    assert_eq!((calls, connection.in_flight()), (3, count));
}

proptest! {
    #[test]
    fn partial_writes_lose_and_repeat_nothing(
        count in 1_u32..10,
        limits in prop::collection::vec(1_usize..400, 1..20),
    ) {
        let mut connection = Connection::default();
        for index in 0..count {
            connection.push(0, index % 4);
        }
        let mut out = Vec::new();
        for limit in limits.iter().cycle() {
            if !connection.wants_write() {
                break;
            }
            out.extend(write_up_to(&mut connection, *limit));
        }
        let requests = requests();
        let expected: Vec<u8> =
            (0..count as usize).flat_map(|index| requests.get(index % 4).to_vec()).collect();
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn every_request_has_exactly_one_outcome(
        count in 1_u32..20,
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        answers in 0_usize..25,
        cut in 0_usize..40,
    ) {
        let mut connection = sent(count);
        let mut stream = ACCEPTED.repeat(answers);
        stream.extend_from_slice(&LAST[..cut]);
        stream.extend(bytes);
        let mut outcomes = Vec::new();
        connection.received(&stream, &mut outcomes);
        connection.ended(&mut outcomes);
        let intended: Vec<u64> = outcomes.iter().map(|outcome| outcome.intended_ns).collect();
        prop_assert_eq!(intended, (0..u64::from(count)).collect::<Vec<_>>());
    }
}
