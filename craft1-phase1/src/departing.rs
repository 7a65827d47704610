//! Clients that were turned away: they are told why, and have a moment to read it.
//!
//! What always holds: turning somebody away waits for nobody, and the number of those who linger
//! has a bound.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use crate::http::Response;
use crate::socket::Socket;

/// When a client that was turned away may try again.
const RETRY_AFTER_S: u32 = 1;

/// How long a client that was turned away keeps its socket, so that it can read why.
const DEPARTURE: Duration = Duration::from_millis(200);

/// Most sockets kept like that. Beyond it the oldest goes at once.
const DEPARTING_MAX: usize = 256;

/// Clients that were turned away and may still read why.
#[derive(Debug, Default)]
pub struct Departing(VecDeque<(Instant, Socket)>);

impl Departing {
    /// Answers 503 with `detail`, and keeps the socket for a moment.
    pub fn turn_away(&mut self, socket: Socket, detail: &str) {
        let now = Instant::now();
        let refusal = Response::unavailable(detail, RETRY_AFTER_S);
        // A few hundred bytes always fit into the empty buffer of a new socket, so this deadline,
        // which is over, is not needed. A client that is gone needs no answer.
        if socket.send_all(&refusal.encode(SystemTime::now()), now).is_err() {
            return;
        }
        let _ = socket.finish_sending();
        if self.0.len() == DEPARTING_MAX {
            self.0.pop_front();
        }
        self.0.push_back((now + DEPARTURE, socket));
    }

    /// When the next one has to go.
    pub fn next_due(&self) -> Option<Instant> {
        self.0.front().map(|(due, _)| *due)
    }

    /// Closes those whose moment is over.
    pub fn close_those_due(&mut self, now: Instant) {
        while self.next_due().is_some_and(|due| due <= now) {
            if let Some((_, socket)) = self.0.pop_front() {
                // What is unread would turn the close into a reset.
                let _ = socket.recv(&mut Vec::new(), now, None);
            }
        }
    }
}
