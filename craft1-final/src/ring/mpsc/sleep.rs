//! How the consumer sleeps and is woken, and how it learns that no producer is left.
//!
//! What always holds: while [`SLEEPING`] is in `tail`, nothing is claimed that was not popped. Who
//! takes it out by claiming or by closing wakes the consumer afterwards. A wake-up can come late, and
//! then finds the consumer awake or asleep again: it looks again and goes on sleeping.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::{CLOSED, Consumer, Presence, Ring, SLEEPING, position};
use crate::ring::sync::{
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    current, park, yield_now,
};

/// Why [`Consumer::wait`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// There is an element.
    Ready,
    /// There is none, and no producer is left to push one.
    Closed,
    /// There was none in time.
    TimedOut,
}

impl<T> Consumer<T> {
    /// Waits for an element; where there is a timeout, no longer than that.
    ///
    /// It sleeps at once and does not spin: a processor that it would spin on is one that producers
    /// could use.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Woken {
        // Later than the clock can tell is never.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let left = || deadline.map(|it| it.saturating_duration_since(Instant::now()));
        loop {
            if self.peek() {
                return Woken::Ready;
            }
            if self.is_closed() {
                return Woken::Closed;
            }
            if left() == Some(Duration::ZERO) {
                return Woken::TimedOut;
            }
            self.sleep(left);
        }
    }

    /// Whether every element was popped and no producer is left.
    pub fn is_closed(&self) -> bool {
        // Pairs with the Release in `Presence::drop`: what they pushed is seen by now.
        self.ring.tail.load(Acquire) == self.head | CLOSED
    }

    /// Sleeps until there is a reason to look again, or nothing is `left` of the time.
    pub(super) fn sleep(&mut self, left: impl Fn() -> Option<Duration>) {
        *self.ring.sleeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(current());
        let (awake, asleep) = (self.head, self.head | SLEEPING);
        // Release pairs with the Acquire of `Producer::claim` and of `Presence::drop`: whoever finds
        // us asleep finds our thread.
        if self.ring.tail.compare_exchange(awake, asleep, Release, Relaxed).is_err() {
            // The next slot is claimed and will be filled in a moment, or the last producer has gone.
            yield_now();
            return;
        }
        // Relaxed: this tells only whether to sleep. `peek` and `is_closed` look at the rest.
        while self.ring.tail.load(Relaxed) == asleep {
            let left = left();
            if left == Some(Duration::ZERO) {
                self.ring.tail.fetch_and(!SLEEPING, Relaxed);
            } else {
                park(left);
            }
        }
    }
}

impl<T> Ring<T> {
    pub(super) fn wake(&self) {
        // The thread stays there. A wake-up that comes late must not take it from the next one.
        if let Some(thread) = &*self.sleeper.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.unpark();
        }
    }
}

impl<T> Drop for Presence<T> {
    fn drop(&mut self) {
        let Self(ring) = self;
        // Nobody else claims any more, and `Arc` has ordered what the others did before.
        let end = position(ring.tail.load(Relaxed));
        // Release pairs with the Acquire in `is_closed`; Acquire pairs with the Release in `sleep`.
        if ring.tail.swap(end | CLOSED, AcqRel) & SLEEPING != 0 {
            ring.wake();
        }
    }
}
