//! Connections that the pool has no room for: the accepting thread answers them itself.
//!
//! What always holds: it never waits for one of them, it reads no more of a request than tells a
//! probe from everything else, and it keeps a bounded number of them. A probe, which is a
//! `GET /health` or a `GET /ready`, gets its answer, and everybody else gets 503 with Retry-After.
//! So a server that has no room for work still says that it is alive: a supervisor that hears
//! nothing would end it for being busy.
//!
//! To look at the first bytes before deciding who is refused is cheap as long as the answer is: no
//! I/O, no lock that a worker holds for long, no body.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime};

use craft1_phase1::departing::{DEPARTING_MAX, Departing};
use craft1_phase1::http::Response;
use craft1_phase1::service::Call;
use craft1_phase1::socket::{Listener, Socket, Wake, wait_for_any};

/// How long a client without room may take to say what it wants. The bytes come right behind the
/// connection, unless their packet is lost: it is sent again after a second (RFC 6298, section 2).
const FIRST_BYTES_WAIT: Duration = Duration::from_secs(1);

/// Most clients that are waited for. Beyond it the one that has waited longest is refused unheard.
const UNHEARD_MAX: usize = 256;

/// Most sockets that are kept: those that are waited for, and those that still read their answer.
pub const SOCKETS_MAX: usize = UNHEARD_MAX + DEPARTING_MAX;

/// How a probe begins, and what it asks.
const PROBES: [(&[u8], Call<'static>); 4] = [
    (b"GET /health ", probe("GET", "/health")),
    (b"HEAD /health ", probe("HEAD", "/health")),
    (b"GET /ready ", probe("GET", "/ready")),
    (b"HEAD /ready ", probe("HEAD", "/ready")),
];

/// The longest of these beginnings. No more is read of any request.
const OPENING_BYTES_MAX: usize = b"HEAD /health ".len();

const fn probe(method: &'static str, path: &'static str) -> Call<'static> {
    let (content_type, content_encoding, client_id, body) = (None, None, None, None);
    Call { method, path, content_type, content_encoding, client_id, body }
}

/// The clients that the accepting thread takes care of.
pub struct Overflow<'a> {
    answer: &'a dyn Fn(&Call<'_>) -> Response,
    count: &'a dyn Fn(Outcome),
    unheard: VecDeque<Unheard>,
    departing: Departing,
}

impl<'a> Overflow<'a> {
    /// Nobody yet. `answer` knows what `/health` and `/ready` say, `count` what is counted.
    pub fn new(answer: &'a dyn Fn(&Call<'_>) -> Response, count: &'a dyn Fn(Outcome)) -> Self {
        let (unheard, departing) = (VecDeque::new(), Departing::default());
        Self { answer, count, unheard, departing }
    }

    /// Takes a client over that there is no room for: answers its probe, or refuses it and says
    /// `why`.
    pub fn take(&mut self, socket: Socket, why: &'static str) {
        // ANCHOR: take
        if self.unheard.len() == UNHEARD_MAX
            && let Some(oldest) = self.unheard.pop_front()
        {
            self.turn_away(oldest);
        }
        let due = Instant::now() + FIRST_BYTES_WAIT;
        self.hear(Unheard { socket, why, due, bytes: Vec::new() });
        // ANCHOR_END: take
    }

    // ANCHOR: wait
    /// Waits for the next connection, until `stop` is readable, or until the deadline, and sees to
    /// the clients that were taken over when it wakes.
    pub fn wait(
        &mut self,
        listener: &Listener,
        stop: Option<BorrowedFd<'_>>,
        deadline: Option<Instant>,
    ) -> io::Result<Wake> {
        let sockets = self.unheard.iter().map(|client| client.socket.as_fd());
        let fds: Vec<_> = sockets.chain([listener.as_fd()]).chain(stop).collect();
        let is_ready = wait_for_any(&fds, deadline.into_iter().chain(self.next_due()).min())?;
        let (have_spoken, others) = is_ready.split_at(self.unheard.len());
        self.see_to_those_waiting(have_spoken);
        Ok(match others {
            [_, true] => Wake::Stopping,
            [true, ..] => Wake::Ready,
            _ => Wake::TimedOut,
        })
    }
    // ANCHOR_END: wait

    fn next_due(&self) -> Option<Instant> {
        let unheard = self.unheard.front().map(|client| client.due);
        unheard.into_iter().chain(self.departing.next_due()).min()
    }

    fn see_to_those_waiting(&mut self, have_spoken: &[bool]) {
        // ANCHOR: see_to_those_waiting
        let now = Instant::now();
        for (client, has_spoken) in mem::take(&mut self.unheard).into_iter().zip(have_spoken) {
            match has_spoken {
                true => self.hear(client),
                false if client.due <= now => self.turn_away(client),
                false => self.unheard.push_back(client),
            }
        }
        self.departing.close_those_due(now);
        // ANCHOR_END: see_to_those_waiting
    }

    fn hear(&mut self, mut client: Unheard) {
        // ANCHOR: hear
        match client.opening() {
            Ok(Opening::Probe(call)) => self.answer(client.socket, &call),
            Ok(Opening::Other) => self.turn_away(client),
            Ok(Opening::Unclear) => self.unheard.push_back(client),
            // It has left without a word.
            Err(_) => {}
        }
        // ANCHOR_END: hear
    }

    fn answer(&mut self, socket: Socket, call: &Call<'_>) {
        let complete = Instant::now();
        let response = (self.answer)(call);
        let bytes = match call.method {
            "HEAD" => response.encode_head(SystemTime::now()),
            _ => response.encode(SystemTime::now()),
        };
        let (status, sent_bytes) = (response.status, bytes.len());
        (self.count)(Outcome::Answered { status, duration: complete.elapsed(), sent_bytes });
        self.departing.answer(socket, &bytes);
    }

    fn turn_away(&mut self, client: Unheard) {
        (self.count)(Outcome::Refused);
        self.departing.turn_away(client.socket, client.why);
    }
}

/// What became of a client without room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its probe was answered.
    Answered {
        /// With this status.
        status: u16,
        /// After this time.
        duration: Duration,
        /// In so many bytes.
        sent_bytes: usize,
    },
    /// It was refused.
    Refused,
}

/// A client that has not said yet what it wants.
struct Unheard {
    socket: Socket,
    why: &'static str,
    due: Instant,
    /// What it has said so far.
    bytes: Vec<u8>,
}

impl Unheard {
    /// Reads on, without waiting.
    fn opening(&mut self) -> io::Result<Opening> {
        let mut bytes = [0; OPENING_BYTES_MAX];
        let room = OPENING_BYTES_MAX - self.bytes.len();
        match self.socket.try_recv(&mut bytes[..room]) {
            Ok(0) if self.bytes.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            // It says no more, and a part of a probe is none.
            Ok(0) => Ok(Opening::Other),
            Ok(len) => {
                self.bytes.extend_from_slice(&bytes[..len]);
                Ok(Opening::of(&self.bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Opening::Unclear),
            Err(error) => Err(error),
        }
    }
}

/// What the first bytes of a request tell.
#[derive(Debug)]
enum Opening {
    Probe(Call<'static>),
    Other,
    /// A probe may begin like this.
    Unclear,
}

impl Opening {
    fn of(bytes: &[u8]) -> Self {
        for (line, call) in PROBES {
            if bytes.starts_with(line) {
                return Self::Probe(call);
            }
            if line.starts_with(bytes) {
                return Self::Unclear;
            }
        }
        Self::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path that is probed, `-` for anything else, `?` where that is not clear yet.
    fn told(bytes: &[u8]) -> &'static str {
        match Opening::of(bytes) {
            Opening::Probe(call) => call.path,
            Opening::Other => "-",
            Opening::Unclear => "?",
        }
    }

    #[test]
    fn a_probe_is_known_by_its_first_bytes() {
        for (line, path) in [
            ("GET /health HTTP/1.1\r\n", "/health"),
            ("HEAD /health HTTP/1.1\r\n", "/health"),
            ("GET /ready HTTP/1.0\r\n", "/ready"),
            ("HEAD /ready HTTP/1.1\r\n", "/ready"),
        ] {
            assert_eq!(told(line.as_bytes()), path, "{line}");
            let needed = line.find(" HTTP").unwrap() + 1;
            assert!(needed <= OPENING_BYTES_MAX, "{line}");
            for len in 0..needed {
                assert_eq!(told(&line.as_bytes()[..len]), "?", "{len} bytes of {line}");
            }
            assert_eq!(told(&line.as_bytes()[..needed]), path, "{line}");
        }
    }

    #[test]
    fn everything_else_is_known_as_soon_as_no_probe_can_come_of_it() {
        for bytes in ["P", "POST /metrics ", "GET /m", "GET /healthy", "GET  ", "get ", "\r", "\0"]
        {
            assert_eq!(told(bytes.as_bytes()), "-", "{bytes:?}");
        }
    }
}
