//! Where connections come in, and what happens when the system has no descriptor for one more.
//!
//! What always holds: it never spins. Out of descriptors it rests, and those who have come wait in
//! the kernel's backlog. At once another try would fail as well, and being told of a new connection
//! is edge-triggered, so waiting for the next one could be for ever.

use std::io;
use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};

use crate::timer_wheel::{Tick, ticks};

/// How long accepting rests when the system is out of descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// The listener of a loop.
#[derive(Debug)]
pub struct Door {
    listener: Option<TcpListener>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody is there until an event says so.
    Quiet,
    /// Somebody may be there.
    HasMore,
    /// The system has no room for anybody.
    Resting { until: Tick },
}

impl Door {
    /// Open.
    pub fn new(listener: TcpListener) -> Self {
        Self { listener: Some(listener), state: State::HasMore }
    }

    /// An event: somebody has come.
    pub fn knock(&mut self) {
        if self.state == State::Quiet {
            self.state = State::HasMore;
        }
    }

    /// Whether it is worth trying at once.
    pub fn has_more(&self) -> bool {
        self.state == State::HasMore
    }

    /// When it is worth trying again, if not before.
    pub fn rests_until(&self) -> Option<Tick> {
        match self.state {
            State::Resting { until } => Some(until),
            State::Quiet | State::HasMore => None,
        }
    }

    /// Takes one who has come.
    pub fn accept(&mut self, now: Tick) -> Option<(TcpStream, SocketAddr)> {
        let is_tried = match self.state {
            State::Quiet => false,
            State::HasMore => true,
            State::Resting { until } => until <= now,
        };
        let listener = self.listener.as_ref().filter(|_| is_tried)?;
        let accepted = listener.accept();
        self.state = match accepted.as_ref().map_err(io::Error::kind) {
            // That one is gone. The next may not be.
            Ok(_) | Err(Interrupted | ConnectionAborted | ConnectionReset) => State::HasMore,
            Err(WouldBlock) => State::Quiet,
            Err(_) => State::Resting { until: now + ticks(EXHAUSTED_PAUSE) },
        };
        accepted.ok()
    }

    /// Lets nobody in any more. Those who come are refused by the kernel.
    pub fn close(&mut self) {
        self.listener = None;
        self.state = State::Quiet;
    }
}
