//! One connection: requests in, answers out, in order, without ever waiting.
//!
//! What always holds: every call does a bounded amount of work and returns. A connection owns bytes
//! only while a request is incomplete or an answer is not taken yet; in between it is a hundred
//! bytes and a socket. A client that does not take its answers is not read from, so what it can make
//! us keep has a bound, and what all of them can has another. Whatever it waits for has a deadline,
//! but for the writer, who has nobody to wait for.
//!
//! | file | what |
//! |---|---|
//! | [`exchange`] | complete requests to answers; no I/O |
//! | [`parked`] | answers that wait until their metrics are stored |
//! | [`buffers`] | the memory for what is incomplete or not taken |
//! | `ending` | the last answer, and what comes after it |
//! | `waiting`, [`patience`] | what is waited for, and until when |
//! | [`present`] | the time of a turn |
//! | [`wire`] | the socket |
//!
//! In the steady state a request costs one `recv` and one `send`.

pub mod buffers;
mod ending;
pub mod exchange;
pub mod parked;
pub mod patience;
pub mod present;
mod waiting;
pub mod wire;

use std::io;
use std::mem;
use std::net::IpAddr;

use craft1_phase1::http::Response;
use mio::net::TcpStream;

use crate::request::{Missing, Reader};
use crate::slab::Key;
use crate::telemetry::Dropped;
use crate::timer_wheel::Tick;

use exchange::{Client, Outcome, Rest, Shared, Then, Unanswered};
use patience::{Awaits, Watch};
use wire::{Received, Wire};

/// What is to become of a connection after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It waits for an event or for its deadline.
    Wait,
    /// It has more to do at once, when the others have had their turn.
    Again,
    /// It is over: drop it.
    Close,
}

/// A connection from its first byte to its last.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    client: Client,
    stage: Stage,
    reader: Reader,
    /// Bytes that belong to no answered request. Here, because others need the loop's buffer.
    kept: Vec<u8>,
    /// Why there are such bytes, where there are any.
    unanswered: Unanswered,
    /// The memory for both directions, as it was counted last.
    buffered_bytes: usize,
    /// Whether the event that says so has come. There is no second one, so the end has to be read.
    has_peer_finished: bool,
    is_new: bool,
    watch: Watch,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Requests are read and answered.
    Open,
    /// The last answer is given, and perhaps on its way. No more requests are read.
    Ending(Rest),
    /// Everything is sent, and the peer knows that it is all. What it sends is thrown away.
    Lingering,
}

impl Connection {
    /// One that has just been accepted.
    pub fn new(stream: TcpStream, key: Key, peer: IpAddr, shared: &Shared<'_>) -> Self {
        Self {
            wire: Wire::new(stream),
            client: Client { key, peer, parked: 0 },
            stage: Stage::Open,
            reader: Reader::default(),
            kept: Vec::new(),
            unanswered: Unanswered::For(Missing::All),
            buffered_bytes: 0,
            has_peer_finished: false,
            is_new: true,
            watch: Watch::begin(Awaits::Head, shared.present.tick(), &shared.patience),
        }
    }

    /// When [`out_of_time`](Self::out_of_time) is to be called. It moves with every call.
    pub fn deadline(&self) -> Tick {
        self.watch.deadline()
    }

    /// Goes on after an event. `has_peer_finished` is whether it says that the peer sends no more.
    pub fn event(
        &mut self,
        is_readable: bool,
        has_peer_finished: bool,
        buffer: &mut [u8],
        shared: &mut Shared<'_>,
    ) -> Fate {
        self.has_peer_finished |= has_peer_finished;
        // A new connection has room for answers, and says so.
        if !is_readable && self.wire.is_clear() {
            return Fate::Wait;
        }
        self.go_on(buffer, shared)
    }

    /// Goes on as far as one turn allows. `buffer` is to read into: nothing stays in it.
    pub fn go_on(&mut self, buffer: &mut [u8], shared: &mut Shared<'_>) -> Fate {
        let requests_before = shared.requests();
        let fate = self.advance(buffer, shared);
        // Answers for a connection that broke are nobody else's.
        shared.out.clear();
        match fate {
            Err(_) | Ok(Fate::Close) => Fate::Close,
            Ok(_) if !self.has_room(shared) => self.make_room(buffer, shared),
            Ok(fate) => {
                self.watch(shared.requests() > requests_before, shared);
                fate
            }
        }
    }

    /// Refuses to go on, and says why.
    pub fn refuse(
        &mut self,
        response: &Response,
        buffer: &mut [u8],
        shared: &mut Shared<'_>,
    ) -> Fate {
        shared.refuse(response, self.reader.is_head(), &mut self.client);
        self.stage = Stage::Ending(Rest::Surely);
        self.go_on(buffer, shared)
    }

    /// Gives back what was counted for it.
    pub fn close(self, shared: &mut Shared<'_>) {
        shared.buffers.resize(self.buffered_bytes, 0);
    }

    /// Sends the next `count` answers that had to wait. They are in `shared.out`.
    pub fn unpark(&mut self, count: u16, buffer: &mut [u8], shared: &mut Shared<'_>) -> Fate {
        let was_blocked = self.is_blocked();
        self.client.parked -= count;
        let is_over = self.stage != Stage::Open;
        if is_over || was_blocked {
            return self.go_on(buffer, shared);
        }
        let is_sent = self.wire.send(&mut shared.out, &shared.meter).is_ok();
        shared.out.clear();
        if !is_sent {
            return Fate::Close;
        }
        if !self.has_room(shared) {
            return self.make_room(buffer, shared);
        }
        self.watch(true, shared);
        Fate::Wait
    }

    /// Ends what has taken too long.
    pub fn out_of_time(&mut self, buffer: &mut [u8], shared: &mut Shared<'_>) -> Fate {
        match self.watch.awaits() {
            Awaits::Head | Awaits::Body if self.has_begun() => {
                let response = Response::error(408, "the request is too slow", None);
                shared.meter.dropped(Dropped::TooSlow);
                self.refuse(&response, buffer, shared)
            }
            Awaits::Writer => {
                self.watch(true, shared);
                Fate::Wait
            }
            _ => Fate::Close,
        }
    }

    fn advance(&mut self, buffer: &mut [u8], shared: &mut Shared<'_>) -> io::Result<Fate> {
        self.wire.send(&mut shared.out, &shared.meter)?;
        if self.is_blocked() {
            return Ok(Fate::Wait);
        }
        match self.stage {
            Stage::Open => self.exchange(buffer, shared),
            Stage::Ending(rest) => self.end(rest, buffer),
            Stage::Lingering => self.discard(buffer),
        }
    }

    // ANCHOR: exchange
    /// Reads once, answers every request that is complete, and sends all answers at once.
    fn exchange(&mut self, buffer: &mut [u8], shared: &mut Shared<'_>) -> io::Result<Fate> {
        let is_held = !self.kept.is_empty() && self.unanswered == Unanswered::Held;
        let (then, may_have_more) = if is_held {
            (self.answer(&mut [], shared), true)
        } else {
            match self.wire.receive(buffer)? {
                Received::Nothing => return Ok(Fate::Wait),
                Received::End => (self.answer_to_the_end(shared), false),
                Received::Bytes(len) => {
                    shared.meter.received(len);
                    let may_have_more = len == buffer.len() || self.has_peer_finished;
                    (self.answer(&mut buffer[..len], shared), may_have_more)
                }
            }
        };
        self.wire.send(&mut shared.out, &shared.meter)?;
        match then {
            Then::End(rest) => {
                self.stage = Stage::Ending(rest);
                self.end(rest, buffer)
            }
            Then::Wait(_) if self.is_blocked() => Ok(Fate::Wait),
            Then::Wait(Unanswered::For(_)) if !may_have_more => Ok(Fate::Wait),
            Then::Wait(_) => Ok(Fate::Again),
        }
    }
    // ANCHOR_END: exchange

    /// Answers what has been received, where it lies. Only what is left over is copied.
    fn answer(&mut self, received: &mut [u8], shared: &mut Shared<'_>) -> Then {
        let (reader, client) = (&mut self.reader, &mut self.client);
        let then = if self.kept.is_empty() {
            let Outcome { unanswered, then } = shared.answer_all(reader, received, client);
            if !unanswered.is_empty() {
                self.kept = shared.buffers.spare();
                self.kept.extend_from_slice(&received[unanswered]);
            }
            then
        } else {
            self.kept.extend_from_slice(received);
            let Outcome { unanswered, then } = shared.answer_all(reader, &mut self.kept, client);
            self.kept.truncate(unanswered.end);
            self.kept.drain(..unanswered.start);
            if self.kept.is_empty() {
                shared.buffers.recycle(mem::take(&mut self.kept));
            }
            then
        };
        if let Then::Wait(unanswered) = then {
            self.unanswered = unanswered;
        }
        then
    }
}
