//! One connection: requests in, answers out, in order, without ever waiting.
//!
//! What always holds: every call does a bounded amount of work and returns. A connection owns bytes
//! only while a request is incomplete or an answer is not taken yet; in between it is a hundred
//! bytes and a socket. A client that does not take its answers is not read from, so what it can make
//! us keep has a bound. Whatever it waits for has a deadline, but for the writer, who has nobody to
//! wait for.
//!
//! | file | what |
//! |---|---|
//! | [`exchange`] | complete requests to answers; no I/O |
//! | [`parked`] | answers that wait until their metrics are stored |
//!
//! The socket is edge-triggered (`epoll(7)`): it is told once that bytes have come. A read that
//! fills less than the buffer has taken them all, so in the steady state a request costs one `recv`
//! and one `send`.

pub mod exchange;
pub mod parked;

use std::io;
use std::mem;
use std::net::IpAddr;

use craft1_phase1::http::Response;
use mio::net::TcpStream;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

use crate::request::{Missing, Reader};
use crate::slab::Key;
use crate::timer_wheel::Tick;

use exchange::{Client, Outcome, Rest, Shared, Then, Unanswered};
use parked::PARKED_MAX;

/// Reads in a row from a client that was answered and goes on sending. The others are served in
/// between.
const DISCARDS_PER_TURN: usize = 4;

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

/// What a connection waits for. Each has a deadline of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// The first byte of a request that is not the first.
    Request,
    /// The rest of a head, or the first head.
    Head,
    /// The rest of a body.
    Body,
    /// The client to take its answers.
    Room,
    /// The writer to store what the client sent.
    Writer,
    /// The end of what the client sends in vain.
    End,
}

/// A connection from its first byte to its last.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    client: Client,
    stage: Stage,
    reader: Reader,
    /// Bytes that belong to no answered request. Here, because others need the loop's buffer.
    kept: Vec<u8>,
    /// Why there are such bytes, where there are any.
    unanswered: Unanswered,
    /// Answers that the kernel has not taken yet.
    unsent: Vec<u8>,
    /// Whether the event that says so has come. There is no second one, so the end has to be read.
    has_peer_finished: bool,
    is_new: bool,
    awaits: Awaits,
    deadline: Tick,
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

/// What a read came to.
enum Received {
    Bytes(usize),
    Nothing,
    End,
}

impl Connection {
    /// One that has just been accepted.
    pub fn new(stream: TcpStream, key: Key, peer: IpAddr, shared: &Shared<'_>) -> Self {
        Self {
            stream,
            client: Client { key, peer, parked: 0 },
            stage: Stage::Open,
            reader: Reader::default(),
            kept: Vec::new(),
            unanswered: Unanswered::For(Missing::All),
            unsent: Vec::new(),
            has_peer_finished: false,
            is_new: true,
            awaits: Awaits::Head,
            deadline: shared.deadline(Awaits::Head),
        }
    }

    /// When [`out_of_time`](Self::out_of_time) is to be called. It moves with every call.
    pub fn deadline(&self) -> Tick {
        self.deadline
    }

    /// Whether nobody would miss an answer if it ended now.
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Open
            && !self.has_begun()
            && self.unsent.is_empty()
            && self.client.parked == 0
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
        if !is_readable && self.unsent.is_empty() {
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
        self.watch(shared.requests() > requests_before, shared);
        fate.unwrap_or(Fate::Close)
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

    /// Sends the next `count` answers that had to wait. They are in `shared.out`.
    pub fn unpark(&mut self, count: u16, buffer: &mut [u8], shared: &mut Shared<'_>) -> Fate {
        let was_blocked = self.is_blocked();
        self.client.parked -= count;
        let is_over = self.stage != Stage::Open;
        if is_over || was_blocked {
            return self.go_on(buffer, shared);
        }
        let is_sent = self.send(shared).is_ok();
        shared.out.clear();
        self.watch(true, shared);
        if is_sent { Fate::Wait } else { Fate::Close }
    }

    /// Ends what has taken too long.
    pub fn out_of_time(&mut self, buffer: &mut [u8], shared: &mut Shared<'_>) -> Fate {
        match self.awaits {
            Awaits::Head | Awaits::Body if self.has_begun() => {
                let response = Response::error(408, "the request is too slow", None);
                self.refuse(&response, buffer, shared)
            }
            // It takes as long as it takes, and nobody is kept by it but the client itself.
            Awaits::Writer => {
                self.watch(true, shared);
                Fate::Wait
            }
            _ => Fate::Close,
        }
    }

    fn advance(&mut self, buffer: &mut [u8], shared: &mut Shared<'_>) -> io::Result<Fate> {
        self.send(shared)?;
        if self.is_blocked() {
            return Ok(Fate::Wait);
        }
        match self.stage {
            Stage::Open => self.exchange(buffer, shared),
            Stage::Ending(rest) => self.end(rest, buffer),
            Stage::Lingering => self.discard(buffer),
        }
    }

    /// Nothing is read until there is room for answers again.
    fn is_blocked(&self) -> bool {
        !self.unsent.is_empty() || self.client.parked >= PARKED_MAX
    }

    fn has_begun(&self) -> bool {
        !self.kept.is_empty() && self.unanswered != Unanswered::For(Missing::All)
    }

    // ANCHOR: exchange
    /// Reads once, answers every request that is complete, and sends all answers at once.
    fn exchange(&mut self, buffer: &mut [u8], shared: &mut Shared<'_>) -> io::Result<Fate> {
        let is_held = !self.kept.is_empty() && self.unanswered == Unanswered::Held;
        let (then, may_have_more) = if is_held {
            (self.answer(&mut [], shared), true)
        } else {
            match self.receive(buffer)? {
                Received::Nothing => return Ok(Fate::Wait),
                Received::End => (self.answer_to_the_end(shared), false),
                Received::Bytes(len) => {
                    shared.meter.received(len);
                    let may_have_more = len == buffer.len() || self.has_peer_finished;
                    (self.answer(&mut buffer[..len], shared), may_have_more)
                }
            }
        };
        self.send(shared)?;
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
                self.kept = shared.spare();
                self.kept.extend_from_slice(&received[unanswered]);
            }
            then
        } else {
            self.kept.extend_from_slice(received);
            let Outcome { unanswered, then } = shared.answer_all(reader, &mut self.kept, client);
            self.kept.truncate(unanswered.end);
            self.kept.drain(..unanswered.start);
            if self.kept.is_empty() {
                shared.recycle(mem::take(&mut self.kept));
            }
            then
        };
        if let Then::Wait(unanswered) = then {
            self.unanswered = unanswered;
        }
        then
    }

    /// RFC 9112, section 8: a request that ends early is incomplete, and it is worth saying so: the
    /// peer may have ended its side only.
    fn answer_to_the_end(&mut self, shared: &mut Shared<'_>) -> Then {
        if self.has_begun() {
            let response = Response::error(400, "the connection ended inside the request", None);
            shared.refuse(&response, self.reader.is_head(), &mut self.client);
        }
        Then::End(Rest::Nothing)
    }

    /// Closes as soon as everything is sent. What is unread when a socket closes makes the close a
    /// reset, and a reset can overtake the answer (RFC 9112, section 9.6).
    fn end(&mut self, rest: Rest, buffer: &mut [u8]) -> io::Result<Fate> {
        if self.client.parked > 0 || !self.unsent.is_empty() {
            return Ok(Fate::Wait);
        }
        let has_more = match rest {
            Rest::Nothing => false,
            Rest::Perhaps => matches!(self.receive(buffer)?, Received::Bytes(_)),
            Rest::Surely => true,
        };
        if !has_more {
            return Ok(Fate::Close);
        }
        shutdown(&self.stream, Shutdown::Write)?;
        self.stage = Stage::Lingering;
        self.discard(buffer)
    }

    fn discard(&mut self, buffer: &mut [u8]) -> io::Result<Fate> {
        for _ in 0..DISCARDS_PER_TURN {
            match self.receive(buffer)? {
                Received::End => return Ok(Fate::Close),
                Received::Bytes(len) if len == buffer.len() || self.has_peer_finished => {}
                Received::Bytes(_) | Received::Nothing => return Ok(Fate::Wait),
            }
        }
        Ok(Fate::Again)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        match retry_on_intr(|| recv(&self.stream, &mut *buffer, RecvFlags::empty())) {
            Ok((_, 0)) => Ok(Received::End),
            Ok((_, len)) => Ok(Received::Bytes(len)),
            Err(Errno::AGAIN) => Ok(Received::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends what is left of earlier answers, and behind it those in `shared.out`. What the kernel
    /// does not take is kept until it says that it has room.
    fn send(&mut self, shared: &mut Shared<'_>) -> io::Result<()> {
        if self.unsent.is_empty() {
            if !shared.out.is_empty() {
                let sent = self.transmit(&shared.out)?;
                shared.meter.sent(sent);
                self.unsent.extend_from_slice(&shared.out[sent..]);
                shared.out.clear();
            }
            return Ok(());
        }
        self.unsent.append(&mut shared.out);
        let sent = self.transmit(&self.unsent)?;
        shared.meter.sent(sent);
        self.unsent.drain(..sent);
        if self.unsent.is_empty() {
            // Who read slowly once need not do so again.
            self.unsent = Vec::new();
        }
        Ok(())
    }

    /// A send that is cut short has filled the kernel's buffer, and an event will come.
    fn transmit(&self, bytes: &[u8]) -> io::Result<usize> {
        match retry_on_intr(|| send(&self.stream, bytes, SendFlags::empty())) {
            Ok(len) => Ok(len),
            Err(Errno::AGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets the deadline of what it waits for now, unless it has waited for that before the call.
    fn watch(&mut self, has_progressed: bool, shared: &Shared<'_>) {
        self.is_new &= !has_progressed;
        let awaits = self.awaits();
        if has_progressed || awaits != self.awaits {
            self.awaits = awaits;
            self.deadline = shared.deadline(awaits);
        }
    }

    fn awaits(&self) -> Awaits {
        if self.stage == Stage::Lingering {
            return Awaits::End;
        }
        if !self.unsent.is_empty() {
            return Awaits::Room;
        }
        let is_read_from = self.stage == Stage::Open && !self.is_blocked();
        match self.unanswered {
            Unanswered::For(Missing::Head) if is_read_from && self.has_begun() => Awaits::Head,
            Unanswered::For(Missing::Body { .. }) if is_read_from && self.has_begun() => {
                Awaits::Body
            }
            _ if self.client.parked > 0 => Awaits::Writer,
            _ if self.is_new => Awaits::Head,
            _ => Awaits::Request,
        }
    }
}
