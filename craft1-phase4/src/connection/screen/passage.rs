//! What the screen in front of hyper and the answers behind it know of each other.
//!
//! What always holds: both are parts of one task, so the numbers need no order among them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use craft1_phase1::http::{Refusal, Response};

/// The requests of a connection that are with hyper.
#[derive(Debug, Default)]
pub struct Passage {
    unanswered: AtomicUsize,
    has_ended: AtomicBool,
    ends_unasked: AtomicBool,
    broken: OnceLock<Broken>,
}

/// Why the last request of a connection is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It breaks a rule.
    Refused(Refusal),
    /// Its client stopped sending in the middle of it.
    Cut,
    /// It took too long.
    Slow,
}

impl Passage {
    /// Whether the request that is to be answered next is broken. It is the last one then.
    pub fn broken(&self) -> Option<Broken> {
        self.broken.get().copied().filter(|_| self.unanswered.load(Relaxed) <= 1)
    }

    /// Notes an answer, and says whether no other is owed.
    pub fn answer_is_last(&self) -> bool {
        let left = self.unanswered.load(Relaxed).saturating_sub(1);
        self.unanswered.store(left, Relaxed);
        left == 0
    }

    /// Whether no more requests will come.
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Relaxed)
    }

    /// Notes that the client is told of an end that it has not asked for. It may be sending already.
    pub fn end_unasked(&self) {
        self.ends_unasked.store(true, Relaxed);
    }

    pub(super) fn ends_unasked(&self) -> bool {
        self.ends_unasked.load(Relaxed)
    }

    pub(super) fn hand_over(&self, heads: usize) {
        self.unanswered.store(self.unanswered.load(Relaxed) + heads, Relaxed);
    }

    pub(super) fn end(&self) {
        self.has_ended.store(true, Relaxed);
    }

    pub(super) fn end_broken(&self, why: Broken) {
        // The first reason is the reason.
        let _ = self.broken.set(why);
        self.end();
        self.end_unasked();
    }
}

impl From<Broken> for Response {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Refused(refusal) => Self::error(refusal.status(), refusal, None),
            Broken::Cut => Self::error(400, "the connection ended inside the request", None),
            Broken::Slow => Self::error(408, "the request is too slow", None),
        }
    }
}
