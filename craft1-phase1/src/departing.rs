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
pub const DEPARTING_MAX: usize = 256;

/// Clients that were turned away and may still read why.
#[derive(Debug, Default)]
pub struct Departing(VecDeque<(Instant, Socket)>);

impl Departing {
    /// Answers 503 with `detail`, and keeps the socket for a moment.
    pub fn turn_away(&mut self, socket: Socket, detail: &str) {
        let refusal = Response::unavailable(detail, RETRY_AFTER_S);
        self.answer(socket, &refusal.encode(SystemTime::now()));
    }

    /// Sends a short answer, and keeps the socket for a moment.
    pub fn answer(&mut self, socket: Socket, answer: &[u8]) {
        let now = Instant::now();
        // A few hundred bytes always fit into the empty buffer of a new socket, so this deadline,
        // which is over, is not needed. A client that is gone needs no answer.
        if socket.send_all(answer, now).is_err() {
            return;
        }
        let _ = socket.finish_sending();
        if self.0.len() == DEPARTING_MAX {
            self.close_oldest();
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
            self.close_oldest();
        }
    }

    fn close_oldest(&mut self) {
        if let Some((_, socket)) = self.0.pop_front() {
            // What is unread would turn the close into a reset.
            let _ = socket.recv(&mut Vec::new(), Instant::now(), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;
    use crate::socket::tests::pair;

    fn read(mut peer: &TcpStream) -> String {
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn who_is_turned_away_can_read_why() {
        let ((socket, peer), mut departing) = (pair(), Departing::default());
        departing.turn_away(socket, "no room");
        let answer = read(&peer);
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
        assert!(answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
        assert!(answer.contains("\"detail\":\"no room\""), "{answer}");
    }

    #[test]
    fn a_socket_is_kept_for_its_moment_and_closed_without_a_reset() {
        let ((socket, mut peer), mut departing) = (pair(), Departing::default());
        peer.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        departing.turn_away(socket, "no room");
        let due = departing.next_due().unwrap();
        departing.close_those_due(due.checked_sub(DEPARTURE).unwrap());
        assert_eq!(departing.next_due(), Some(due));
        departing.close_those_due(due);
        assert_eq!(departing.next_due(), None);
        // After a reset this would fail.
        peer.write_all(b"more").unwrap();
        assert!(read(&peer).starts_with("HTTP/1.1 503 "));
    }

    #[test]
    fn there_is_a_bound_on_those_who_linger_and_the_oldest_goes_first() {
        let mut departing = Departing::default();
        departing.turn_away(pair().0, "no room");
        let first_due = departing.next_due();
        for _ in 0..DEPARTING_MAX {
            departing.turn_away(pair().0, "no room");
        }
        assert_eq!(departing.0.len(), DEPARTING_MAX);
        assert!(departing.next_due() > first_due);
    }
}
