//! What clients do by accident or on purpose: none of it ends a server, and none of it holds one.

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use socket2::SockRef;
use testkit::Mutator;

use crate::grader::bytes;
use crate::grader::check::{Check, Failure, Tried};
use crate::grader::memory;
use crate::grader::phase::Phase;
use crate::grader::session::{ANSWER_MAX, METRIC, Session, why};
use crate::grader::table::asks;
use crate::grader::template::Setting;

/// Bytes of a head that has no end. No server has to take more than 32 KiB of it.
const BOMB_BYTES: usize = 32 * 1024 * 1024;

/// What a server may grow by while it is bombed.
const GROWTH_MAX_KIB: u64 = 16 * 1024;

/// Requests at once over one connection.
const PIPELINED: usize = 1_000;

pub(in crate::grader) fn checks() -> Vec<Check> {
    let roomy = |name, claim, since, try_it, teaches| {
        asks(name, claim, since, Setting::Roomy, try_it, teaches)
    };
    vec![
        roomy(
            "faults/come-and-go",
            "goes on when clients connect, say something or nothing, and leave",
            Phase::Zero,
            come_and_go,
            "the end of a connection is an exception that nobody catches",
        ),
        roomy(
            "faults/reset-in-the-body",
            "goes on when connections are reset in the middle of a body",
            Phase::Zero,
            reset_in_the_body,
            "a read or write that fails ends more than its connection; SIGPIPE ends a process in C",
        ),
        roomy(
            "faults/header-bomb",
            "refuses a head of fields without an end, and does not keep it",
            Phase::Zero,
            |session| bomb(session, b"X-Bomb: 0123456789012345678901234567890123456789\r\n"),
            "the head is collected until it ends, which it does not: bound it while it is read",
        ),
        roomy(
            "faults/endless-line",
            "refuses a field line without an end, and does not keep it",
            Phase::Zero,
            |session| bomb(session, &[b'a'; 4096]),
            "a line is collected until it ends, which it does not: bound it while it is read",
        ),
        roomy(
            "faults/every-byte",
            "refuses 64 bytes of the same value, whichever it is",
            Phase::Zero,
            every_byte,
            "bytes are decoded before they are checked, and some cannot be",
        ),
        roomy(
            "faults/thousand-at-once",
            "answers the first of a thousand requests that come at once, and goes on",
            Phase::Zero,
            thousand_at_once,
            "what comes behind the first request ends up in its body, or closing with bytes unread \
             resets the connection before the answer is read: shut down, then drain",
        )
        .until(Phase::Four),
        roomy(
            "faults/thousand-in-order",
            "answers a thousand requests that come at once, each of them and in order",
            Phase::Final,
            thousand_in_order,
            "requests that are in the buffer already are forgotten, or answered by whoever is first",
        ),
    ]
}

fn come_and_go(session: &Session) -> Tried {
    let words = [&b""[..], b"\r\n", b"\0", b"GET / HTTP/1.1\r\n", b"POST /metrics HTTP/1.1\r\n"];
    for word in words.iter().cycle().take(100) {
        let _ = session.connect()?.send(word);
    }
    session.still_answers("100 clients that left in the middle").map(|()| None)
}

fn reset_in_the_body(session: &Session) -> Tried {
    let head = "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 1048576\r\n\r\n";
    let mut random = Mutator::new(session.seed, &[]);
    for _ in 0..50 {
        // Where the server takes no connection, the question below says so.
        let _ = send_and_reset(session, head.as_bytes(), random.below(64 * 1024));
    }
    session.still_answers("50 connections that were reset in the body").map(|()| None)
}

/// A socket that is closed with a linger time of zero sends RST instead of FIN.
fn send_and_reset(session: &Session, head: &[u8], body_len: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&session.address, ANSWER_MAX)?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    stream.write_all(&[head, &vec![b' '; body_len]].concat())
}

fn bomb(session: &Session, piece: &[u8]) -> Tried {
    let before = session.pid.and_then(memory::peak_kib);
    let mut client = session.connect()?;
    let pieces = piece.repeat(64 * 1024 / piece.len());
    let mut sent_len = 0;
    let mut is_open = client.send(b"GET /health HTTP/1.1\r\nHost: test\r\nX-A: ").is_ok();
    while is_open && sent_len < BOMB_BYTES {
        is_open = client.send(&pieces).is_ok();
        sent_len += pieces.len();
    }
    let _ = client.finish_sending();
    let sent = format!(
        "a head that goes on with {} for {} KiB",
        bytes::readable(&piece[..piece.len().min(60)]),
        sent_len / 1024
    );
    let expected = "431 or 400 and the end of the connection, long before";
    match client.read_response() {
        Ok(response) if [400, 413, 414, 431].contains(&response.status) => {}
        Ok(response) => return Err(Failure::new(sent, bytes::response(&response), expected)),
        // It closed with our bytes unread, so its answer was lost on the way.
        Err(error) if is_open && error.kind() != ErrorKind::ConnectionReset => {
            return Err(Failure::new(
                sent,
                format!("{}; it has read all of it", why(&error)),
                expected,
            ));
        }
        Err(_) => {}
    }
    session.still_answers("a head without an end")?;
    let after = session.pid.and_then(memory::peak_kib);
    let grown = after.unwrap_or_default().saturating_sub(before.unwrap_or_default());
    if before.is_some() && grown > GROWTH_MAX_KIB {
        return Err(Failure::new(
            sent,
            format!("{grown} KiB more memory"),
            format!("at most {GROWTH_MAX_KIB} KiB more"),
        ));
    }
    Ok(None)
}

fn every_byte(session: &Session) -> Tried {
    for byte in 0..=u8::MAX {
        let mut client = session.connect()?;
        let _ = client.send(&[byte; 64]);
        let _ = client.finish_sending();
        let sent = format!("64 bytes of value {byte}, then the end of our side");
        // 501: it may be a method that is too long to be one.
        match client.read_response() {
            Ok(response) if [400, 501].contains(&response.status) => {}
            Ok(response) => return Err(Failure::new(sent, bytes::response(&response), "400")),
            Err(error) => return Err(Failure::new(sent, why(&error), "400")),
        }
    }
    Ok(None)
}

/// A request without a body.
pub(super) const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: test\r\n\r\n";

fn thousand_at_once(session: &Session) -> Tried {
    let mut client = session.connect()?;
    let _ = client.send(HEALTH.repeat(PIPELINED).as_bytes());
    let sent = format!("{PIPELINED} times {} at once", bytes::readable(HEALTH.as_bytes()));
    match client.read_response() {
        Ok(response) if response.status == 200 => {}
        Ok(response) => {
            return Err(Failure::new(sent, bytes::response(&response), "200 to the first"));
        }
        Err(error) => return Err(Failure::new(sent, why(&error), "200 to the first")),
    }
    drop(client);
    session.still_answers("a thousand requests at once").map(|()| None)
}

/// Requests of three kinds in an order that the seed decides, and their statuses.
fn mixture(seed: u64) -> (String, Vec<u16>) {
    let nothing = HEALTH.replace("/health", "/nothing");
    let post = format!(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{METRIC}",
        METRIC.len()
    );
    let mut random = Mutator::new(seed, &[]);
    let kinds = [(HEALTH, 200), (&*nothing, 404), (&*post, 202)];
    let chosen = (0..PIPELINED).map(|_| kinds[random.below(kinds.len())]);
    chosen.unzip()
}

fn thousand_in_order(session: &Session) -> Tried {
    let (requests, statuses) = mixture(session.seed);
    let mut client = session.connect()?;
    let sent = format!("{PIPELINED} requests at once: {}", bytes::readable(requests.as_bytes()));
    // All of them fit into the buffers between us, so nobody waits for us to read.
    client
        .send(requests.as_bytes())
        .map_err(|error| Failure::new(&*sent, why(&error), "to be read"))?;
    for (number, expected) in statuses.iter().enumerate() {
        let number = number + 1;
        match client.read_response() {
            Ok(response) if response.status == *expected => {}
            Ok(response) => {
                let came_back = format!("answer {number} is {}", bytes::response(&response));
                return Err(Failure::new(
                    sent,
                    came_back,
                    format!("{expected} to request {number}"),
                ));
            }
            Err(error) => {
                let came_back = format!("{} answers, then: {}", number - 1, why(&error));
                return Err(Failure::new(sent, came_back, format!("{PIPELINED} answers")));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_the_order_of_a_thousand_requests() {
        let (requests, statuses) = mixture(1);
        assert_eq!(requests.matches(" HTTP/1.1\r\n").count(), PIPELINED);
        assert_eq!(statuses.len(), PIPELINED);
        assert!([200, 202, 404].iter().all(|status| statuses.contains(status)));
        assert_eq!(mixture(1).1, statuses);
        assert_ne!(mixture(2).1, statuses);
    }
}
