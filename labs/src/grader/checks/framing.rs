//! Where a request begins and ends, beyond the rows of the contract.

use std::time::Duration;

use testkit::{Client, Mutator};

use crate::grader::bytes;
use crate::grader::check::{Check, Failure, Tried};
use crate::grader::phase::Phase;
use crate::grader::session::{METRIC, Session, expect_status, get, post_with, why};
use crate::grader::table::asks;
use crate::grader::template::Setting;

/// Ways to cut one request.
const CUTS: usize = 12;

/// Broken requests. As many as a slow server answers within seconds.
const MUTANTS: usize = 200;

/// Requests over one connection.
const IN_A_ROW: usize = 50;

/// What means something to a reader of requests.
const DICTIONARY: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\0",
    b": ",
    b" ",
    b"HTTP/1.1",
    b"HTTP/9.9",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"0\r\n\r\n",
    b"-1",
    b"%00",
    b"{",
    b"\"",
    b"1e999",
    b"\\u",
];

pub(in crate::grader) fn checks() -> Vec<Check> {
    let row = |name, claim, since, try_it, teaches| {
        asks(name, claim, since, Setting::Roomy, try_it, teaches)
    };
    vec![
        row(
            "framing/any-pieces",
            "takes a request wherever it is cut",
            Phase::Zero,
            any_pieces,
            "one read is taken for one request: read until the head ends, then until the body does",
        ),
        row(
            "framing/body-ends-where-it-says",
            "refuses a body that ends before its Content-Length, also where it is whole JSON",
            Phase::Zero,
            short_body,
            "Content-Length is ignored and what has arrived is taken for the body",
        ),
        row(
            "framing/nothing-hides-behind-a-refusal",
            "closes after a refused request: what stands behind it is not read as another one",
            Phase::Zero,
            hidden,
            "after a refusal nobody knows where the next request begins: answer once, then close",
        ),
        row(
            "framing/broken-requests",
            "answers 200 broken requests, or closes, and none with 500",
            Phase::Zero,
            broken,
            "an exception that nobody expected: parse bytes into a result, and answer 400 to the \
             rest; the number in the failure names the request, the seed decides it",
        ),
        row(
            "framing/one-behind-the-other",
            "answers 50 requests over one connection, one behind the other",
            Phase::Four,
            in_a_row,
            "the connection is closed after an answer, or bytes of the body stay for the next request",
        ),
    ]
}

fn any_pieces(session: &Session) -> Tried {
    let request = post_with("X-Client-Id: pieces\r\n", METRIC);
    let mut mutator = Mutator::new(session.seed, &[]);
    for _ in 0..CUTS {
        let pieces = mutator.pieces(&request);
        let mut client = session.connect()?;
        for piece in &pieces {
            // A server that answers early is seen by its answer.
            let _ = client.send(piece);
        }
        let lens: Vec<String> = pieces.iter().map(|piece| piece.len().to_string()).collect();
        let sent = format!("{} in pieces of {} bytes", bytes::readable(&request), lens.join(", "));
        let response = client.read_response();
        let response = response.map_err(|error| Failure::new(&*sent, why(&error), "202"))?;
        expect_status(&request, &response, 202).map_err(|failure| Failure { sent, ..failure })?;
    }
    Ok(None)
}

fn short_body(session: &Session) -> Tried {
    let head =
        "POST /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 40\r\n\r\n";
    let request = [head, METRIC].concat();
    let mut client = session.connect()?;
    let _ = client.send(request.as_bytes());
    let _ = client.finish_sending();
    let sent = format!("{}, then the end of our side", bytes::readable(request.as_bytes()));
    match client.read_response() {
        Ok(response) if response.status == 400 => Ok(None),
        Ok(response) => {
            Err(Failure::new(sent, bytes::response(&response), "400: 18 bytes are missing"))
        }
        Err(error) => Err(Failure::new(sent, why(&error), "400: 18 bytes are missing")),
    }
}

fn hidden(session: &Session) -> Tried {
    let smuggled = "GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
    let request = format!(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\n{smuggled}"
    );
    let mut client = session.connect()?;
    let _ = client.send(request.as_bytes());
    let came = client.read_to_end();
    let expected = "one answer of 400, and the end of the connection";
    let sent = bytes::readable(request.as_bytes());
    let came = came.map_err(|error| {
        Failure::new(&*sent, format!("{}: it is not closed", why(&error)), expected)
    })?;
    let answers = came.windows(9).filter(|window| *window == b"HTTP/1.1 ").count();
    if answers == 1 && came.starts_with(b"HTTP/1.1 400") {
        return Ok(None);
    }
    Err(Failure::new(sent, bytes::readable(&came), expected))
}

/// Good requests, to be broken.
fn corpus() -> Vec<Vec<u8>> {
    let chunks = "POST /metrics HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n\
                  16\r\n{\"name\":\"m\",\"value\":1}\r\n0\r\n\r\n";
    let full =
        r#"{"metrics":[{"name":"a","value":-1.5e3,"tags":{"k":"v"}},{"name":"b","value":2}]}"#;
    vec![get("/health"), get("/metrics"), post_with("", METRIC), post_with("", full), chunks.into()]
}

fn broken(session: &Session) -> Tried {
    let (mut mutator, corpus) = (Mutator::new(session.seed, DICTIONARY), corpus());
    for number in 1..=MUTANTS {
        let mutant = mutator.mutant(&corpus);
        let sent = format!("broken request {number}: {}", bytes::readable(&mutant));
        let mut client =
            session.connect().map_err(|failure| Failure { sent: sent.clone(), ..failure })?;
        let _ = client.send(&mutant);
        let _ = client.finish_sending();
        let came = client.read_to_end();
        let expected = "answers that are no 500, or the end of the connection";
        let came = came.map_err(|error| Failure::new(&*sent, why(&error), expected))?;
        if came.starts_with(b"HTTP/1.1 500") || !(came.is_empty() || came.starts_with(b"HTTP/1.1 "))
        {
            return Err(Failure::new(sent, bytes::readable(&came), expected));
        }
    }
    session.still_answers(&format!("{MUTANTS} broken requests")).map(|()| None)
}

fn in_a_row(session: &Session) -> Tried {
    let request = format!(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{METRIC}",
        METRIC.len()
    );
    let mut client = session.connect()?;
    for number in 1..=IN_A_ROW {
        let answer = answer(&mut client, request.as_bytes());
        let sent = format!(
            "request {number} over one connection: {}",
            bytes::readable(request.as_bytes())
        );
        let response = answer.map_err(|error| Failure::new(&*sent, why(&error), "202"))?;
        expect_status(request.as_bytes(), &response, 202).map_err(|it| Failure { sent, ..it })?;
    }
    Ok(None)
}

fn answer(client: &mut Client, request: &[u8]) -> std::io::Result<testkit::Response> {
    client.send_in_pieces(request, request.len(), Duration::ZERO)?;
    client.read_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_the_broken_requests() {
        let first = |seed| Mutator::new(seed, DICTIONARY).mutant(&corpus());
        assert_eq!(first(1), first(1));
        assert!((2..10).any(|seed| first(seed) != first(1)));
    }
}
