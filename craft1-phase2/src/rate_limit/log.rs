//! The exact way: the time of each admitted request, as long as it is in the window.
//!
//! What always holds: no window, wherever it begins, has more admitted requests than the limit, and
//! a request is refused only when the window that ends with it is full. A window of one second is
//! the last 999,999,999 ns and now: what was admitted a whole second ago is outside.
//!
//! The price is memory: 8 bytes a request in the window, up to the limit, and up to four times that
//! where there were more just before.

use std::collections::VecDeque;

use super::generations::slot_bytes;
use super::{Limit, Refused, Window};

/// What one time takes.
const TIME_BYTES: usize = size_of::<u64>();

/// How many times a log makes room for at once, when its first request comes.
const TIMES_MIN: usize = 4;

/// A log this many times as long as what is in it gives memory back. Half of that is kept, so that
/// it has to grow or shrink by a factor before anything is copied again.
const SPARE_FACTOR: usize = 4;

/// The admitted requests of one client.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Those that were in the window when the last request came, in order.
    admitted_ns: VecDeque<u64>,
}

impl Log {
    /// What a client takes that sends up to four requests in a window, its place in the tables
    /// included. The allocator adds its own.
    pub const CLIENT_BYTES: usize = slot_bytes::<Self>() + TIMES_MIN * TIME_BYTES;

    /// Each time goes in once and out once, so a request pays for itself, however many go here.
    fn expire(&mut self, window_ns: u64, now_ns: u64) {
        // ANCHOR: expire
        while self.admitted_ns.front().is_some_and(|at_ns| at_ns + window_ns <= now_ns) {
            self.admitted_ns.pop_front();
        }
        // ANCHOR_END: expire
    }

    /// Gives back what a burst took.
    fn trim(&mut self) {
        let len = self.admitted_ns.len().max(TIMES_MIN);
        if self.admitted_ns.capacity() > SPARE_FACTOR * len {
            self.admitted_ns.shrink_to(SPARE_FACTOR / 2 * len);
        }
    }
}

impl Window for Log {
    fn check(&mut self, limit: Limit, now_ns: u64) -> Result<(), Refused> {
        // ANCHOR: check
        self.expire(limit.window_ns(), now_ns);
        match self.admitted_ns.front() {
            Some(oldest_ns) if self.admitted_ns.len() >= limit.requests() as usize => {
                Err(Refused::after_ns(oldest_ns + limit.window_ns() - now_ns))
            }
            _ => {
                self.trim();
                self.admitted_ns.push_back(now_ns);
                Ok(())
            }
        }
        // ANCHOR_END: check
    }

    fn heap_bytes(&self) -> usize {
        self.admitted_ns.capacity() * TIME_BYTES
    }

    /// A deque doubles, so it can be twice as long as what is in it.
    fn heap_bytes_max(limit: Limit) -> usize {
        (2 * limit.requests() as usize).max(TIMES_MIN) * TIME_BYTES
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
