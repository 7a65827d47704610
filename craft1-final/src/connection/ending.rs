//! How a connection ends: everything that was answered arrives, and nothing is waited for longer than
//! that takes.
//!
//! What always holds: a client that was answered in full is closed at once. One that was refused in
//! the middle of what it sends is read from for a moment, because what is unread when a socket closes
//! makes the close a reset, and a reset can overtake the answer (RFC 9112, section 9.6).

use std::io;

use craft1_phase1::http::Response;

use super::exchange::{Rest, Shared, Then};
use super::wire::Received;
use super::{Connection, Fate, Stage};
use crate::telemetry::Dropped;

/// Reads in a row from a client that was answered and goes on sending. The others are served in
/// between.
const DISCARDS_PER_TURN: usize = 4;

impl Connection {
    /// RFC 9112, section 8: a request that ends early is incomplete, and it is worth saying so: the
    /// peer may have ended its side only.
    pub(super) fn answer_to_the_end(&mut self, shared: &mut Shared<'_>) -> Then {
        if self.has_begun() {
            let response = Response::error(400, "the connection ended inside the request", None);
            shared.meter.dropped(Dropped::Malformed);
            shared.refuse(&response, self.reader.is_head(), &mut self.client);
        }
        Then::End(Rest::Nothing)
    }

    /// Closes as soon as everything is sent. What is unread when a socket closes makes the close a
    /// reset, and a reset can overtake the answer (RFC 9112, section 9.6).
    pub(super) fn end(&mut self, rest: Rest, buffer: &mut [u8]) -> io::Result<Fate> {
        if self.client.parked > 0 || !self.wire.is_clear() {
            return Ok(Fate::Wait);
        }
        let has_more = match rest {
            Rest::Nothing => false,
            Rest::Perhaps => matches!(self.wire.receive(buffer)?, Received::Bytes(_)),
            Rest::Surely => true,
        };
        if !has_more {
            return Ok(Fate::Close);
        }
        self.wire.end()?;
        self.stage = Stage::Lingering;
        self.discard(buffer)
    }

    pub(super) fn discard(&mut self, buffer: &mut [u8]) -> io::Result<Fate> {
        for _ in 0..DISCARDS_PER_TURN {
            match self.wire.receive(buffer)? {
                Received::End => return Ok(Fate::Close),
                Received::Bytes(len) if len == buffer.len() || self.has_peer_finished => {}
                Received::Bytes(_) | Received::Nothing => return Ok(Fate::Wait),
            }
        }
        Ok(Fate::Again)
    }

    /// Whether there is room for what it holds, together with what all others hold.
    pub(super) fn has_room(&mut self, shared: &mut Shared<'_>) -> bool {
        let bytes = self.kept.capacity() + self.wire.buffered_bytes();
        let has_room = shared.buffers.resize(self.buffered_bytes, bytes);
        if has_room {
            self.buffered_bytes = bytes;
        }
        has_room
    }

    /// Forgets what there is no room for. Who has sent it is told so, and who does not take its
    /// answers is cut off.
    pub(super) fn make_room(&mut self, buffer: &mut [u8], shared: &mut Shared<'_>) -> Fate {
        if self.kept.is_empty() {
            shared.meter.cut_off();
            return Fate::Close;
        }
        self.kept = Vec::new();
        shared.refuse_for_room(self.reader.is_head(), &mut self.client);
        self.stage = Stage::Ending(Rest::Surely);
        self.go_on(buffer, shared)
    }
}
