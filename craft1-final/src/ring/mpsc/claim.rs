//! How a producer gets slots of its own, and what becomes of them.
//!
//! What always holds: each slot that was claimed is stamped, and a consumer that the claim found asleep
//! is woken after that, also where an iterator panics in between.

#![expect(unsafe_code, reason = "as in mpsc.rs, of which this is a part")]

use crossbeam_utils::Backoff;

use super::{FILLED, Producer, Ring, SKIPPED, SLEEPING, STEP, position};
use crate::ring::sync::Ordering::{Acquire, Relaxed, Release};

/// Slots that one producer owns. When it goes, they are all stamped.
pub(super) struct Claim<'a, T> {
    ring: &'a Ring<T>,
    /// The first one that is not filled yet.
    next: usize,
    end: usize,
    must_wake: bool,
}

impl<T> Producer<T> {
    /// Takes up to `wanted` slots, at least one unless none is free or wanted.
    pub(super) fn claim(&mut self, wanted: usize) -> Option<Claim<'_, T>> {
        let backoff = Backoff::new();
        let mut tail = self.ring.tail.load(Relaxed);
        loop {
            if self.room(tail) < wanted {
                tail = self.look();
            }
            let count = wanted.min(self.room(tail));
            if count == 0 {
                return None;
            }
            let (first, must_wake) = (position(tail), tail & SLEEPING != 0);
            let end = first.wrapping_add(count * STEP);
            // Relaxed: nothing is published by a claim, and `look` has acquired the slots. Of all who
            // try, one changes this value of `tail`.
            match self.ring.tail.compare_exchange_weak(tail, end, Relaxed, Relaxed) {
                Ok(_) => return Some(Claim { ring: &self.ring, next: first, end, must_wake }),
                Err(now) => tail = now,
            }
            backoff.spin();
        }
    }

    /// Looks how far the consumer is, and then at `tail`, which is never behind that.
    pub(super) fn look(&mut self) -> usize {
        // Pairs with the Release store in `Consumer::publish`: the slots up to there have been read.
        // It also makes `tail` at least as new as the consumer knew it.
        self.head = self.ring.head.load(Acquire);
        self.ring.tail.load(Relaxed)
    }

    /// How many slots are free by what we know of the consumer.
    pub(super) fn room(&self, tail: usize) -> usize {
        let used = position(tail).wrapping_sub(self.head) / STEP;
        // Others can have claimed more than that, if they know of it that it went on.
        self.ring.slots.len().saturating_sub(used)
    }
}

impl<T> Claim<'_, T> {
    pub(super) fn is_used_up(&self) -> bool {
        self.next == self.end
    }

    /// Fills the next slot.
    ///
    /// # Panics
    /// Where there is none.
    pub(super) fn fill(&mut self, element: T) {
        assert!(!self.is_used_up(), "each claimed slot is filled once");
        // SAFETY: the slot is ours alone from the claim to the stamp, and what the consumer did with
        // it happened before the claim.
        unsafe { self.ring.at(self.next).slot.write(element) };
        self.stamp(FILLED);
    }

    fn stamp(&mut self, flag: usize) {
        // Pairs with the Acquire load in `Consumer::peek`: the slot is written.
        self.ring.at(self.next).stamp.store(self.next | flag, Release);
        self.next = self.next.wrapping_add(STEP);
    }
}

impl<T> Drop for Claim<'_, T> {
    fn drop(&mut self) {
        // An iterator ended too early or panicked. The consumer must not wait for the rest.
        while !self.is_used_up() {
            self.stamp(SKIPPED);
        }
        if self.must_wake {
            self.ring.wake();
        }
    }
}
