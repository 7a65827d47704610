//! How the consumer sleeps and is woken, and how it learns that no producer is left.
//!
//! What always holds: the consumer puts `SLEEPING` into `tail` only where nothing is claimed that was
//! not popped. Whoever then changes `tail` first, by a claim or because the last producer goes, wakes
//! it afterwards. A wake-up can come late, and
//! then finds the consumer awake or asleep again: it looks again and goes on sleeping.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::{CLOSED, Consumer, Presence, Ring, SLEEPING};
use crate::ring::sync::{
    Ordering::{Acquire, Relaxed, Release},
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

    /// Whether every element was popped and no producer is left. What the producers did before is seen
    /// then, as if their threads had been joined.
    pub fn is_closed(&self) -> bool {
        // Pairs with the Release in `Presence::drop`.
        self.ring.tail.load(Acquire) == self.head | CLOSED
    }

    /// Sleeps until there is a reason to look again, or nothing is `left` of the time.
    pub(super) fn sleep(&mut self, left: impl Fn() -> Option<Duration>) {
        *self.ring.sleeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(current());
        let (awake, asleep) = (self.head, self.head | SLEEPING);
        // Relaxed: whoever finds us asleep locks `sleeper` after that, and so after we did.
        if self.ring.tail.compare_exchange(awake, asleep, Relaxed, Relaxed).is_err() {
            // The next slot is claimed and will be filled in a moment, or the last producer has gone.
            yield_now();
            return;
        }
        // Relaxed: this tells only whether to sleep. `peek` and `is_closed` look at the rest.
        while self.ring.tail.load(Relaxed) == asleep {
            match left() {
                Some(Duration::ZERO) => break,
                left => park(left),
            }
        }
        // A claim has taken it out, but the last producer leaves it, and so does time.
        self.ring.tail.fetch_and(!SLEEPING, Relaxed);
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
        // Pairs with the Acquire load in `Consumer::is_closed`: whatever the producers did is seen,
        // because `Arc` has ordered what the others did before this.
        if self.0.tail.fetch_or(CLOSED, Release) & SLEEPING != 0 {
            self.0.wake();
        }
    }
}
