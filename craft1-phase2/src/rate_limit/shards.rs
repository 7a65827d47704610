//! Many tables of clients side by side, each behind a lock of its own.
//!
//! What always holds: a client is always in the same shard, so its requests are counted in one
//! place and in one order; a check takes one lock and does nothing under it that grows with the
//! number of clients, except when a table has to grow.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::client::ClientHasher;
use super::generations::{Census, Generations};
use super::{ClientKey, Limit, Refused, Window};

/// How many clients are remembered, and how seldom threads meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Locks. With one, every thread waits for every other.
    pub shards: NonZeroUsize,
    /// Bytes for all clients of all shards. When they are used up, the longest silent clients are
    /// forgotten. The allocator's own bytes come on top, and the old table while one grows.
    pub bytes_max: usize,
}

impl Capacity {
    /// Many more than the threads of a pool, so that two of them seldom want the same one.
    pub const SHARDS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

    /// Room for a million clients that send a few requests in a window each, at a limit like
    /// 1000/1s, whichever the algorithm; and a bearable part of a small server's memory.
    pub const BYTES_MAX: usize = 256 * 1024 * 1024;
}

impl Default for Capacity {
    fn default() -> Self {
        Self { shards: Self::SHARDS, bytes_max: Self::BYTES_MAX }
    }
}

/// The windows of all clients, for all threads.
#[derive(Debug)]
pub struct Shards<W> {
    hasher: ClientHasher,
    start: Instant,
    parts: Box<[Shard<W>]>,
}

/// Two cache lines, which is what Intel's processors fetch at once: a thread that takes one lock
/// does not slow down who takes the next.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<W>(Mutex<Generations<W>>);

impl<W: Window> Shards<W> {
    /// Nobody has sent anything yet. Times before `start` count as `start`.
    pub fn new(limit: Limit, capacity: Capacity, start: Instant) -> Self {
        let count = capacity.shards.get();
        let shard = || Shard(Mutex::new(Generations::new(limit, capacity.bytes_max / count)));
        let parts = std::iter::repeat_with(shard).take(count).collect();
        Self { hasher: ClientHasher::default(), start, parts }
    }

    /// Makes the keys of clients.
    pub fn hasher(&self) -> &ClientHasher {
        &self.hasher
    }

    /// Admits a request of this client now, or says when it would be.
    pub fn check(&self, client: ClientKey, now: Instant) -> Result<(), Refused> {
        let since_start = now.saturating_duration_since(self.start);
        // 64 bits of nanoseconds are five hundred years.
        let now_ns = u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX);
        let mut shard = self.shard(client).lock();
        let leaving = shard.advance(now_ns);
        let verdict = shard.check(client);
        drop(shard);
        drop(leaving);
        verdict
    }

    /// Counts the clients, one shard after the other.
    pub(super) fn census(&self) -> Census {
        self.parts.iter().map(|shard| shard.lock().census()).sum()
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is less than the number of shards")]
    fn shard(&self, client: ClientKey) -> &Shard<W> {
        &self.parts[(client.shard % self.parts.len() as u64) as usize]
    }
}

impl<W> Shard<W> {
    /// A poisoned lock is taken all the same: whatever a panic interrupts here, one client's window
    /// is behind by one request, and nothing else.
    fn lock(&self) -> MutexGuard<'_, Generations<W>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Counter, Log};
    use super::*;
    use crate::limit::{REQUESTS_MAX, WINDOW_MAX};
    use crate::model::{WINDOW_NS, limit};

    const WINDOW: Duration = Duration::from_nanos(WINDOW_NS);

    fn shards<W: Window>(count: usize, start: Instant) -> Shards<W> {
        let shards = NonZeroUsize::new(count).unwrap();
        Shards::new(limit(2), Capacity { shards, ..Capacity::default() }, start)
    }

    fn admitted<W: Window>(shards: &Shards<W>, id: &[u8], now: Instant) -> usize {
        let client = shards.hasher().key(id);
        (0..5).filter(|_| shards.check(client, now).is_ok()).count()
    }

    #[test]
    fn each_client_has_a_window_of_its_own_in_any_number_of_shards() {
        let start = Instant::now();
        for count in [1, 3, 64] {
            let shards = shards::<Log>(count, start);
            for (now, expected) in [(start, 2), (start, 0), (start + WINDOW, 2)] {
                for id in 0..100_u8 {
                    assert_eq!(admitted(&shards, &[id], now), expected);
                }
            }
            assert_eq!(shards.census().clients, 100);
        }
    }

    #[test]
    fn clients_are_spread_over_the_shards() {
        let start = Instant::now();
        let shards = shards::<Counter>(8, start);
        for id in 0..1_000_u32 {
            shards.check(shards.hasher().key(&id.to_le_bytes()), start).unwrap();
        }
        for shard in &shards.parts {
            // 125 each on average; that one is off by half is out of the question.
            let clients = shard.lock().census().clients;
            assert!((62..=188).contains(&clients), "{clients}");
        }
    }

    #[test]
    fn a_time_before_the_start_counts_as_the_start() {
        let before = Instant::now();
        let shards = shards::<Log>(1, before + WINDOW);
        assert_eq!(admitted(&shards, b"a", before), 2);
        let refused = shards.check(shards.hasher().key(b"a"), before).unwrap_err();
        assert_eq!(refused.retry_after, WINDOW);
    }

    #[test]
    fn the_greatest_limit_fits_into_a_shard() {
        let greatest = Limit::new(REQUESTS_MAX, WINDOW_MAX).unwrap();
        let generation_bytes = Capacity::BYTES_MAX / Capacity::SHARDS.get() / 2;
        assert!(Log::CLIENT_BYTES + Log::heap_bytes_max(greatest) <= generation_bytes);
    }

    #[test]
    fn one_panic_does_not_stop_the_others() {
        let start = Instant::now();
        let shards = shards::<Log>(1, start);
        let panicked = std::thread::scope(|scope| {
            let hold = || {
                let _guard = shards.parts[0].0.lock();
                panic!("while it holds the lock");
            };
            scope.spawn(hold).join().is_err()
        });
        assert!(panicked && shards.parts[0].0.is_poisoned());
        assert_eq!(admitted(&shards, b"a", start), 2);
    }
}
