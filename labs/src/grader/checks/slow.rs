//! Slow clients: the honest ones are served, the others are cut off, and nobody else waits for them.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use testkit::Client;

use super::faults::HEALTH;
use crate::grader::bytes;
use crate::grader::check::{Check, Failure, Tried};
use crate::grader::phase::Phase;
use crate::grader::session::{METRIC, Session, get, why};
use crate::grader::table::asks;
use crate::grader::template::Setting;

/// How long the contract waits for a head and for a body, where a server cannot be told otherwise.
const HEAD_MAX: Duration = Duration::from_secs(10);
const BODY_MAX: Duration = Duration::from_secs(30);

/// What [`Setting::Impatient`] tells a server to wait.
const IMPATIENT: Duration = Duration::from_secs(1);

/// How much later than its deadline a server may act: it may look at the clock now and then.
const SLACK: Duration = Duration::from_secs(5);

/// Time between two bytes of a slow client, well within what a limit for a single read would be.
const DRIP: Duration = Duration::from_millis(100);

/// Clients that are slow at the same time.
const SLOW: usize = 40;

pub(in crate::grader) fn checks() -> Vec<Check> {
    let roomy = |name, claim, since, try_it, teaches| {
        asks(name, claim, since, Setting::Roomy, try_it, teaches)
    };
    let impatient = |name, claim, try_it, teaches| {
        asks(name, claim, Phase::Zero, Setting::Impatient, try_it, teaches)
    };
    vec![
        impatient(
            "faults/slow-loris",
            "cuts off a client that drips its head byte by byte, at the deadline of the whole head",
            slow_loris,
            "the deadline is one for each read, and each byte starts it again: it is one for the head",
        ),
        impatient(
            "faults/half-a-request",
            "cuts off a client that stops in the middle of a body and stays",
            half_a_request,
            "the body is read without a deadline, so one silent client holds the server for ever",
        ),
        roomy(
            "faults/slow-but-honest",
            "takes a request whose body comes in ten pieces within a second",
            Phase::Zero,
            slow_but_honest,
            "a read that finds nothing yet is taken for an error or for the end",
        ),
        roomy(
            "faults/slow-crowd",
            "serves others while 40 clients are slow, and answers those too when they go on",
            Phase::One,
            slow_crowd,
            "slow clients hold what others need: a lock, the only thread, a small pool; or a read \
             that takes long becomes a 500",
        ),
    ]
}

/// How long a server may take to cut a client off.
fn patience(session: &Session, by_contract: Duration) -> Duration {
    SLACK + if session.impatience { IMPATIENT } else { by_contract }
}

/// Whether it has answered 408 or closed. A client that is not read from any more is cut off too.
fn is_cut_off(answer: &io::Result<testkit::Response>) -> bool {
    match answer {
        Ok(response) => response.status == 408,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

fn slow_loris(session: &Session) -> Tried {
    let patience = patience(session, HEAD_MAX);
    let mut client = session.connect_for(DRIP)?;
    let started = Instant::now();
    let mut is_open = client.send(b"GET /").is_ok();
    while is_open && started.elapsed() < patience {
        is_open = client.send(b"x").is_ok() && !is_cut_off(&client.read_response());
    }
    if is_open {
        let sent = format!("\"GET /xxx…\", a byte each {} ms", DRIP.as_millis());
        let came_back = format!("nothing in {} s: it still listens", patience.as_secs());
        return Err(Failure::new(
            sent,
            came_back,
            "408 or the end of the connection at the deadline",
        ));
    }
    session.still_answers("a client that drips bytes").map(|()| None)
}

fn half_a_request(session: &Session) -> Tried {
    let patience = patience(session, BODY_MAX);
    let request = "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: 22\r\n\r\n{\"name\":";
    let mut client = session.connect_for(patience)?;
    let _ = client.send(request.as_bytes());
    let answer = client.read_response();
    if !is_cut_off(&answer) {
        let came_back = match &answer {
            Ok(response) => bytes::response(response),
            Err(_) => format!("nothing in {} s: it still waits", patience.as_secs()),
        };
        let sent = format!("{}, and no more", bytes::readable(request.as_bytes()));
        return Err(Failure::new(
            sent,
            came_back,
            "408 or the end of the connection at the deadline",
        ));
    }
    drop(client);
    session.still_answers("half a request").map(|()| None)
}

fn slow_but_honest(session: &Session) -> Tried {
    let request = format!(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{METRIC}",
        METRIC.len()
    );
    let (head, body) = request.split_at(request.len() - METRIC.len());
    let mut client = session.connect()?;
    let _ = client.send(head.as_bytes());
    thread::sleep(DRIP);
    let _ = client.send_in_pieces(body.as_bytes(), body.len().div_ceil(10), DRIP / 2);
    let sent =
        format!("{}, the body in ten pieces within a second", bytes::readable(request.as_bytes()));
    match client.read_response() {
        Ok(response) if response.status == 202 => Ok(None),
        Ok(response) => Err(Failure::new(sent, bytes::response(&response), "202")),
        Err(error) => Err(Failure::new(sent, why(&error), "202")),
    }
}

fn slow_crowd(session: &Session) -> Tried {
    let (begun, rest) = HEALTH.split_at(HEALTH.len() - 10);
    let mut slow: Vec<Client> = (0..SLOW).map(|_| session.connect()).collect::<Result<_, _>>()?;
    for client in &mut slow {
        let _ = client.send(begun.as_bytes());
    }
    session.expect(&get("/health"), 200).map_err(|failure| Failure {
        sent: format!("{SLOW} clients in the middle of their head, and another: {}", failure.sent),
        ..failure
    })?;
    for (number, client) in slow.iter_mut().enumerate() {
        let _ = client.send(rest.as_bytes());
        let sent =
            format!("the rest of slow client {}: {}", number + 1, bytes::readable(rest.as_bytes()));
        match client.read_response() {
            Ok(response) if response.status == 200 => {}
            Ok(response) => return Err(Failure::new(sent, bytes::response(&response), "200")),
            Err(error) => return Err(Failure::new(sent, why(&error), "200")),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use testkit::Response;

    use super::*;

    #[test]
    fn only_408_or_the_end_is_the_end_of_a_slow_client() {
        let answer = |status| Ok(Response { status, fields: vec![], body: vec![] });
        assert!(is_cut_off(&answer(408)));
        assert!(!is_cut_off(&answer(200)) && !is_cut_off(&answer(500)));
        for (kind, expected) in [
            (ErrorKind::UnexpectedEof, true),
            (ErrorKind::ConnectionReset, true),
            (ErrorKind::WouldBlock, false),
            (ErrorKind::TimedOut, false),
        ] {
            assert_eq!(is_cut_off(&Err(kind.into())), expected, "{kind}");
        }
    }
}
