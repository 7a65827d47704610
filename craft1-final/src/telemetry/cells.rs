//! Where one event loop counts.
//!
//! What always holds: one thread writes, any thread reads, and neither waits. So a count is a load,
//! an addition and a store, all `Relaxed`: no other memory is published through them.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use craft1_phase1::histogram::{BUCKETS_US, Snapshot};

use super::dropped::Dropped;
use super::route::Route;

/// The statuses there can be: one cell each.
pub(super) const STATUSES: usize = 600;

/// What one loop counts.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) requests_by_status: [Count; STATUSES],
    pub(super) durations: [Durations; Route::ALL.len()],
    pub(super) dropped: [Count; Dropped::ALL.len()],
    pub(super) accepted_metrics: Count,
    pub(super) received_bytes: Count,
    pub(super) sent_bytes: Count,
    pub(super) opened_connections: Count,
    pub(super) closed_connections: Count,
    pub(super) refused_connections: Count,
    pub(super) cut_off_connections: Count,
    pub(super) buffered_bytes: Count,
    pub(super) busy_ns: Count,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            requests_by_status: array::from_fn(|_| Count::default()),
            durations: array::from_fn(|_| Durations::default()),
            dropped: array::from_fn(|_| Count::default()),
            accepted_metrics: Count::default(),
            received_bytes: Count::default(),
            sent_bytes: Count::default(),
            opened_connections: Count::default(),
            closed_connections: Count::default(),
            refused_connections: Count::default(),
            cut_off_connections: Count::default(),
            buffered_bytes: Count::default(),
            busy_ns: Count::default(),
        }
    }
}

impl Cells {
    /// The one that ends is read first: a reader that is slow may see one too few closed and never
    /// more closed than opened.
    pub(super) fn open_connections(&self) -> u64 {
        let closed = self.closed_connections.get();
        self.opened_connections.get().saturating_sub(closed)
    }
}

/// A number that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// Not `fetch_add`: nobody else writes here, so nothing can come in between.
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A histogram that one thread writes.
#[derive(Debug, Default)]
pub(super) struct Durations {
    buckets: [Count; BUCKETS_US.len()],
    /// Longer than the last bucket.
    beyond: Count,
    sum_ns: Count,
}

impl Durations {
    /// From the first bucket on: most requests end there.
    pub(super) fn observe(&self, count: u64, duration: Duration) {
        let duration_ns = nanoseconds(duration);
        let bucket = BUCKETS_US.iter().position(|bound_us| duration_ns <= bound_us * 1_000);
        bucket.map_or(&self.beyond, |index| &self.buckets[index]).add(count);
        self.sum_ns.add(duration_ns.saturating_mul(count));
    }

    /// Adds what was observed so far.
    pub(super) fn add_to(&self, all: &mut Snapshot) {
        for (sum, bucket) in all.buckets.iter_mut().zip(&self.buckets) {
            let count = bucket.get();
            *sum += count;
            all.count += count;
        }
        all.count += self.beyond.get();
        all.sum_ns += self.sum_ns.get();
    }
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
