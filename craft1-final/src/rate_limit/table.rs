//! The windows of many clients, for all threads, in a fixed number of slots.
//!
//! A client's key says which set it is in, and the set has [`WAYS`] slots: a check looks at two
//! cache lines, whatever the number of clients. A slot is two words, whose it is and its window.
//! Where a set has no slot for a newcomer, the client that was silent longest makes room.
//!
//! What always holds:
//! - A window is only ever what [`Counter::check`] made of it, or unused. So no slot admits more
//!   than the limit allows, whatever threads do to it at once.
//! - Who is still in its window makes room only where all of its set are. Then it is forgotten,
//!   starts anew, and a counter says so, as in phase 2.
//! - Whoever sends is not who was silent longest: nobody is forgotten while it hammers, unless
//!   [`WAYS`] others of its set do as well.
//!
//! Two words are not one, and that leaves two races, which cost less than a lock and are bounded:
//! - Threads that bring the same newcomer at once may give it two slots. Each counts the request
//!   that it has in hand; from then on all find the first of the two. So a newcomer may get one
//!   request a thread more than its limit, once.
//! - A client may be counted in its slot while another takes it over, behind the moment in which the
//!   window was made unused. The newcomer inherits that and is refused so much earlier, at most for
//!   the rest of a window. It never gets more.
//!
//! Orderings: a key is written with `Release` and read with `Acquire`, so who finds itself in a slot
//! finds its window too, and not what the one before it left there. Windows are `Relaxed`: each is
//! one word, and nothing else is published through it.

#[cfg(loom)]
use loom::sync::atomic::AtomicU64;
#[cfg(not(loom))]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use craft1_phase2::limit::{Limit, Refused};

use super::packed::{UNUSED, pack, unpack};

/// Slots in a set: two cache lines, which Intel's processors fetch at once.
const WAYS: usize = if cfg!(loom) { 2 } else { 8 };

/// The key of nobody. A key always has its lowest bit.
const EMPTY: u64 = 0;

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
    /// Whose it is, or [`EMPTY`].
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
        loop {
            let found = set.find(key).or_else(|| self.take_over(set, key, now_ns));
            if let Some(slot) = found {
                return slot.admit(self.limit, now_ns);
            }
            // Somebody else was faster. Each time one of all threads goes on, so this ends.
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

    /// Gives the slot of who was silent longest to a newcomer, unless another thread uses it.
    fn take_over<'a>(&self, set: &'a Set, key: u64, now_ns: u64) -> Option<&'a Slot> {
        let bucket = now_ns / self.limit.window_ns();
        let (slot, silent) = set.longest_silent(bucket)?;
        let Silent { key: old_key, window, buckets } = silent;
        slot.window.compare_exchange(window, UNUSED, Relaxed, Relaxed).ok()?;
        slot.key.compare_exchange(old_key, key, Release, Relaxed).ok()?;
        let count = match (old_key, buckets) {
            (EMPTY, _) => &self.clients,
            // Requests of this bucket and of the one before it still counted.
            (_, ..2) => &self.forgotten,
            _ => &self.evicted,
        };
        count.fetch_add(1, Relaxed);
        Some(slot)
    }
}

impl Set {
    fn find(&self, key: u64) -> Option<&Slot> {
        self.0.iter().find(|slot| slot.key.load(Acquire) == key)
    }

    /// The first empty slot, or else the one with the longest silence. All threads that see the same
    /// choose the same, and only one of them gets it.
    fn longest_silent(&self, bucket: u64) -> Option<(&Slot, Silent)> {
        let slots = self.0.iter().map(|slot| (slot, slot.silence(bucket)));
        // Reversed, because of several equals the last is the greatest.
        slots.rev().max_by_key(|(_, silent)| silent.buckets)
    }
}

/// Who might make room, as it was seen.
struct Silent {
    key: u64,
    window: u64,
    /// Buckets since its last request that was admitted. Who is refused all the time has one in
    /// this bucket or in the one before.
    buckets: u64,
}

impl Slot {
    fn silence(&self, bucket: u64) -> Silent {
        let key = self.key.load(Relaxed);
        let window = self.window.load(Relaxed);
        let buckets = match key {
            EMPTY => u64::MAX,
            _ => bucket.saturating_sub(unpack(window, bucket).bucket),
        };
        Silent { key, window, buckets }
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
