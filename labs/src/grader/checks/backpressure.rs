//! A full server says so, at once, and does not grow.

use std::time::Instant;
use std::{thread, time::Duration};

use testkit::{Client, Response};

use super::limits::retry_after_s;
use crate::grader::bytes;
use crate::grader::check::{Check, Failure, Tried};
use crate::grader::memory;
use crate::grader::phase::Phase;
use crate::grader::session::{ANSWER_MAX, METRIC, Session, get, post_with, why};
use crate::grader::table::asks;
use crate::grader::target;
use crate::grader::template::{ROOM, Setting};

/// Clients beyond the room, one after the other.
const REFUSED: usize = 20;

/// Clients that bring a large body to a full server, all at the same time.
const FLOOD: usize = 200;

/// What each of them sends of it.
const FLOOD_BYTES: usize = 512 * 1024;

/// How much a full server may grow under the flood, which brings 100 MiB.
const GROWTH_MAX_KIB: u64 = 48 * 1024;

pub(in crate::grader) fn checks() -> Vec<Check> {
    let row = |name, claim, try_it, teaches| {
        asks(name, claim, Phase::Two, Setting::Narrow, try_it, teaches)
            .unless(&[target::needs_room])
    };
    vec![
        row(
            "backpressure/503-when-full",
            "answers 503 with Retry-After to who comes when it is full, and those inside go on",
            full,
            "connections wait in a queue without a bound, or the refusal waits for a worker: the \
             accepting side itself must answer",
        ),
        row(
            "backpressure/not-ready-when-full",
            "answers 503 to GET /ready when it is full",
            not_ready,
            "readiness does not look at the queue: it says whether work is taken",
        ),
        row(
            "backpressure/room-again",
            "takes work again when those inside have left",
            room_again,
            "places are not given back: free them also where a client leaves in the middle",
        ),
        row(
            "backpressure/flood-is-bounded",
            "does not grow when 200 clients bring large bodies to a full server",
            flood,
            "bodies of clients that are refused are read into memory, or each client has a thread",
        ),
        row(
            "backpressure/alive-when-full",
            "answers GET /health when it is full",
            alive,
            "a supervisor that hears nothing ends a server for being busy: answer the probe beside \
             the queue",
        )
        .until(Phase::Three),
    ]
}

/// Clients that are held until the server is full.
const HELD_MAX: usize = 3 * ROOM;

/// Clients in the middle of a request, as many as there is room for, and the proof that it is full.
struct Full(Vec<Client>);

/// Who has no answer by then is taken to be inside. A refusal waits for nobody.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

const HELD: &str = "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                    Connection: close\r\nContent-Length: 22\r\n";

impl Full {
    /// Holds as many as there is room for. Who came at the same moment may have been refused although
    /// there was room, so another one is held until one is refused.
    fn begin(session: &Session) -> Result<(Self, Response), Failure> {
        let mut held: Vec<Client> =
            (0..ROOM).map(|_| hold(session)).collect::<Result<_, Failure>>()?;
        while held.len() < HELD_MAX {
            let mut next = hold(session)?;
            match next.read_response() {
                Ok(response) if response.status == 503 => return Ok((Self(held), response)),
                Ok(response) => return Err(not_full(&bytes::response(&response))),
                // It is inside.
                Err(_) => held.push(next),
            }
        }
        Err(not_full("nothing: they are all inside"))
    }

    /// Those who are inside are answered, and they are as many as there is room for.
    fn finish(self) -> Result<(), Failure> {
        let count = self.0.len();
        let answers: Vec<String> = self.0.into_iter().map(finish).collect();
        let inside = answers.iter().filter(|answer| answer.starts_with("202")).count();
        if inside >= ROOM {
            return Ok(());
        }
        let sent =
            format!("the rest of {count} requests that had begun before the server was full");
        let expected = format!("202 to the {ROOM} that there is room for");
        Err(Failure::new(sent, answers.join("\n"), expected))
    }
}

/// A client in the middle of its head, who waits a moment for an answer.
fn hold(session: &Session) -> Result<Client, Failure> {
    let mut client = session.connect_for(REFUSED_WITHIN)?;
    // Who is refused sees it in the answer.
    let _ = client.send(HELD.as_bytes());
    Ok(client)
}

fn finish(mut client: Client) -> String {
    let _ = client.send(format!("\r\n{METRIC}").as_bytes());
    client.read_response().map_or_else(|error| why(&error), |response| bytes::response(&response))
}

fn not_full(came_back: &str) -> Failure {
    let sent = format!(
        "{ROOM} requests that do not go on, as many as there is room for, then POST /metrics"
    );
    Failure::new(sent, came_back, "503 with Retry-After")
}

fn full(session: &Session) -> Tried {
    let (held, first) = Full::begin(session)?;
    let refusals = (0..REFUSED).map(|_| session.exchange(&post_with("", METRIC)));
    for refusal in std::iter::once(Ok(first)).chain(refusals) {
        let refusal = refusal.map_err(|failure| not_full(&failure.came_back))?;
        if refusal.status != 503 || retry_after_s(&refusal).is_none() {
            return Err(not_full(&bytes::response(&refusal)));
        }
    }
    held.finish().map(|()| None)
}

fn not_ready(session: &Session) -> Tried {
    let (held, _) = Full::begin(session)?;
    session.expect(&get("/ready"), 503)?;
    held.finish()?;
    wait_until_taken(session, &get("/ready"), 200)
}

fn room_again(session: &Session) -> Tried {
    let (held, _) = Full::begin(session)?;
    drop(held);
    wait_until_taken(session, &post_with("", METRIC), 202)
}

fn wait_until_taken(session: &Session, request: &[u8], status: u16) -> Tried {
    let until = Instant::now() + ANSWER_MAX;
    loop {
        let Err(failure) = session.expect(request, status) else { return Ok(None) };
        if Instant::now() >= until {
            let sent = format!("filled it, let everybody leave, then {}", failure.sent);
            return Err(Failure { sent, ..failure });
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn alive(session: &Session) -> Tried {
    let (held, _) = Full::begin(session)?;
    session.expect(&get("/health"), 200)?;
    held.finish().map(|()| None)
}

fn flood(session: &Session) -> Tried {
    let (held, _) = Full::begin(session)?;
    let before = session.pid.and_then(memory::peak_kib);
    let clients: Vec<Client> = (0..FLOOD).filter_map(|_| session.connect().ok()).collect();
    thread::scope(|scope| {
        for mut client in clients {
            scope.spawn(move || {
                let large = HELD.replace("Content-Length: 22", "Content-Length: 1048576");
                let body = vec![b' '; FLOOD_BYTES];
                // A refusal cuts our sending short, and should.
                let _ = client.send([large.as_bytes(), b"\r\n", &body].concat().as_slice());
                let _ = client.read_response();
            });
        }
    });
    let after = session.pid.and_then(memory::peak_kib);
    held.finish()?;
    session.still_answers("a flood")?;
    grown(before, after)
}

fn grown(before: Option<u64>, after: Option<u64>) -> Tried {
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(Some("it goes on; its memory cannot be seen from here".to_owned()));
    };
    let grown = after.saturating_sub(before);
    if grown <= GROWTH_MAX_KIB {
        return Ok(None);
    }
    let sent = format!("{FLOOD} clients with {} KiB each to a full server", FLOOD_BYTES / 1024);
    let expected = format!("at most {GROWTH_MAX_KIB} KiB more");
    Err(Failure::new(sent, format!("{grown} KiB more memory than before"), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_judged_where_it_can_be_seen() {
        assert_eq!(grown(Some(10_000), Some(10_000 + GROWTH_MAX_KIB)), Ok(None));
        assert!(grown(Some(10_000), Some(10_001 + GROWTH_MAX_KIB)).is_err());
        assert!(grown(None, Some(1)).unwrap().is_some());
    }
}
