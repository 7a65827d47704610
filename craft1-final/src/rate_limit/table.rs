//! The windows of many clients, for all threads, in a fixed number of slots.
//!
//! A client's key says which set it is in, and the set has [`WAYS`] slots: a check looks at two
//! cache lines, whatever the number of clients. A slot is two words, whose it is and its window.
//! Where a set has no slot for a newcomer, the client that was silent longest makes room.
//!
//! What always holds:
//! - A window is only ever what `Counter::check` made of it, or unused. So no slot admits more
//!   than the limit allows, whatever threads do to it at once.
//! - A window is made unused only by the thread that has the slot for itself, between two keys.
//! - Who is still in its window makes room only where all of its set are. Then it is forgotten,
//!   starts anew, and a counter says so, as in phase 2.
//! - Whoever sends is not who was silent longest: nobody is forgotten while it hammers, unless
//!   [`WAYS`] others of its set do as well.
//!
//! Two words are not one, and that leaves two races, which cost less than a lock and are bounded:
//! - Threads that bring the same newcomer at once may give it two slots. Each counts the request
//!   that it has in hand; from then on all find the first of the two. So a newcomer may get one
//!   request a thread more than its limit, once.
//! - A thread that has found its client's slot may come to count in it only after another thread has
//!   given it to a newcomer. So the newcomer may get one request a thread less than its limit, once,
//!   and a request of the one before it may be judged by the newcomer's window.
//!
//! Orderings: the newcomer's key is written with `Release` and read with `Acquire`, so who finds a
//! client finds its window too, and not what the one before it left there. Windows are `Relaxed`:
//! each is one word, and nothing else is published through it.

#[cfg(loom)]
use loom::sync::atomic::AtomicU64;
#[cfg(not(loom))]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use craft1_phase2::limit::{Limit, Refused};

use super::packed::{UNUSED, pack, unpack};

/// Slots in a set: two cache lines, which Intel's processors fetch at once.
const WAYS: usize = if cfg!(loom) { 2 } else { 8 };

/// The key of nobody. Every client's key has its lowest bit, so this is none.
const EMPTY: u64 = 0;

/// The key of a slot that a thread has for itself, because it gives it to a newcomer.
const CHANGING_HANDS: u64 = 2;

/// The windows of all clients.
#[derive(Debug)]
pub(super) struct Table {
    limit: Limit,
    sets: Box<[Set]>,
    clients: AtomicU64,
    evicted: AtomicU64,
    forgotten: AtomicU64,
}

/// How many clients there are, and what became of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Census {
    /// Those that have a slot.
    pub(super) clients: u64,
    /// Those that made room when they were idle.
    pub(super) evicted: u64,
    /// Those that had to make room before they were.
    pub(super) forgotten: u64,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Set([Slot; WAYS]);

#[derive(Debug)]
struct Slot {
    /// Whose it is, or one of the two that nobody has.
    key: AtomicU64,
    /// Its window, packed.
    window: AtomicU64,
}

impl Default for Slot {
    fn default() -> Self {
        Self { key: AtomicU64::new(EMPTY), window: AtomicU64::new(UNUSED) }
    }
}

impl Table {
    /// With room for `clients_max`, rounded up to whole sets.
    pub(super) fn new(limit: Limit, clients_max: usize) -> Self {
        let sets = (0..clients_max.div_ceil(WAYS)).map(|_| Set::default()).collect();
        let count = || AtomicU64::new(0);
        Self { limit, sets, clients: count(), evicted: count(), forgotten: count() }
    }

    /// Admits a request of this client at this time, or says when it would be.
    pub(super) fn check(&self, key: u64, now_ns: u64) -> Result<(), Refused> {
        let set = self.set(key);
        let key = key | 1;
        let bucket = now_ns / self.limit.window_ns();
        loop {
            if let Some(slot) = set.find(key) {
                return slot.admit(self.limit, now_ns);
            }
            // With fewer threads than slots in a set, they never change hands all at once.
            let Some((slot, silent)) = set.longest_silent(bucket) else { return Ok(()) };
            if self.take_over(slot, silent, key) {
                return slot.admit(self.limit, now_ns);
            }
        }
    }

    /// Counts the clients.
    pub(super) fn census(&self) -> Census {
        Census {
            clients: self.clients.load(Relaxed),
            evicted: self.evicted.load(Relaxed),
            forgotten: self.forgotten.load(Relaxed),
        }
    }

    /// By the high bits of the key, because the lowest is not always its own.
    #[expect(clippy::cast_possible_truncation, reason = "it is less than the number of sets")]
    fn set(&self, key: u64) -> &Set {
        let index = (u128::from(key) * self.sets.len() as u128) >> 64;
        &self.sets[index as usize]
    }

    /// Gives a slot to a newcomer, unless another thread was faster.
    fn take_over(&self, slot: &Slot, Silent { key: old_key, buckets }: Silent, key: u64) -> bool {
        if slot.key.compare_exchange(old_key, CHANGING_HANDS, Relaxed, Relaxed).is_err() {
            return false;
        }
        // An exchange as every other change of a window is: loom cannot order a store among them.
        slot.window.swap(UNUSED, Relaxed);
        // Pairs with the load in `find`.
        slot.key.store(key, Release);
        let count = match (old_key, buckets) {
            (EMPTY, _) => &self.clients,
            // Requests of this bucket and of the one before it still counted.
            (_, ..2) => &self.forgotten,
            _ => &self.evicted,
        };
        count.fetch_add(1, Relaxed);
        true
    }
}

impl Set {
    fn find(&self, key: u64) -> Option<&Slot> {
        self.0.iter().find(|slot| slot.key.load(Acquire) == key)
    }

    /// The first empty slot, or else the one with the longest silence. Threads that see the same
    /// choose the same, and only one of them gets it.
    fn longest_silent(&self, bucket: u64) -> Option<(&Slot, Silent)> {
        let slots = self.0.iter().filter_map(|slot| Some((slot, slot.silence(bucket)?)));
        // Reversed, because of several equals the last is the greatest.
        slots.rev().max_by_key(|(_, silent)| silent.buckets)
    }
}

/// Who might make room, as it was seen.
struct Silent {
    key: u64,
    /// Buckets since its last request that was admitted. Who is refused all the time has one in
    /// this bucket or in the one before.
    buckets: u64,
}

impl Slot {
    fn silence(&self, bucket: u64) -> Option<Silent> {
        let key = self.key.load(Relaxed);
        let last_bucket = || unpack(self.window.load(Relaxed), bucket).bucket;
        let buckets = match key {
            CHANGING_HANDS => return None,
            EMPTY => u64::MAX,
            _ => bucket.saturating_sub(last_bucket()),
        };
        Some(Silent { key, buckets })
    }

    fn admit(&self, limit: Limit, now_ns: u64) -> Result<(), Refused> {
        let bucket = now_ns / limit.window_ns();
        let mut seen = self.window.load(Relaxed);
        loop {
            let mut counter = unpack(seen, bucket);
            // A thread that read the clock before another may come behind it. It counts as having
            // come at the same time.
            let at_ns = now_ns.max(counter.bucket * limit.window_ns());
            counter.check(limit, at_ns)?;
            match self.window.compare_exchange_weak(seen, pack(counter), Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
