//! What a connection waits for.
//!
//! What always holds: it follows from what the connection holds, so that nothing has to remember it.

use super::exchange::{Shared, Unanswered};
use super::parked::PARKED_MAX;
use super::patience::Awaits;
use super::{Connection, Stage};
use crate::request::Missing;

impl Connection {
    /// Whether nobody would miss an answer if it ended now.
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Open
            && !self.has_begun()
            && self.wire.is_clear()
            && self.client.parked == 0
    }

    /// Nothing is read until there is room for answers again.
    pub(super) fn is_blocked(&self) -> bool {
        !self.wire.is_clear() || self.client.parked >= PARKED_MAX
    }

    pub(super) fn has_begun(&self) -> bool {
        !self.kept.is_empty() && self.unanswered != Unanswered::For(Missing::All)
    }

    /// Sets the deadline of what it waits for now, unless it has waited for that before the call.
    pub(super) fn watch(&mut self, has_progressed: bool, shared: &Shared<'_>) {
        self.is_new &= !has_progressed;
        let (awaits, tick) = (self.awaits(), shared.present.tick());
        self.watch.go_on(awaits, has_progressed, tick, &shared.patience);
    }

    pub(super) fn awaits(&self) -> Awaits {
        if self.stage == Stage::Lingering {
            return Awaits::End;
        }
        if !self.wire.is_clear() {
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
