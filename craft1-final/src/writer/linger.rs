//! How long lines gather before they are written, where nobody waits for it.
//!
//! What always holds: never longer than the operator says, and never so short that the thread does
//! nothing but look. In between it is so long that about as much gathers as a processor keeps close:
//! lines that are written soon after they were made are read from its cache, and not from memory.

use std::time::Duration;

/// What gathers between two writes under load: half of a second-level cache, so that a loop on the
/// same core has the other half.
const GATHERED_BYTES: u64 = 512 * 1024;

/// A thread that sleeps and looks more often than this spends more on it than the cache saves.
const SHORTEST: Duration = Duration::from_micros(250);

/// The pause between two writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linger {
    longest: Duration,
    next: Duration,
}

impl Linger {
    pub(super) fn new(longest: Duration) -> Self {
        Self { longest, next: longest }
    }

    /// The next pause.
    pub(super) fn next(self) -> Duration {
        self.next
    }

    /// Learns how much had gathered in the last one.
    pub(super) fn gathered(&mut self, bytes: u64) {
        let next_ns = self.next.as_nanos() * u128::from(GATHERED_BYTES) / u128::from(bytes.max(1));
        let next = Duration::from_nanos(u64::try_from(next_ns).unwrap_or(u64::MAX));
        self.next = next.max(SHORTEST).min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(5);

    /// The pause after so many turns in which this many bytes came in a millisecond.
    fn settled(bytes_per_ms: u64, turns: usize) -> Duration {
        let mut linger = Linger::new(LONGEST);
        for _ in 0..turns {
            let pause_us = u64::try_from(linger.next().as_micros()).unwrap();
            linger.gathered(bytes_per_ms * pause_us / 1000);
        }
        linger.next()
    }

    #[test]
    fn is_as_long_as_may_be_where_little_comes() {
        assert_eq!(Linger::new(LONGEST).next(), LONGEST);
        for bytes_per_ms in [0, 1, 10_000, 100_000] {
            assert_eq!(settled(bytes_per_ms, 3), LONGEST, "{bytes_per_ms}");
        }
    }

    #[test]
    fn is_so_long_that_half_a_cache_gathers_where_much_comes() {
        assert_eq!(settled(GATHERED_BYTES, 1), Duration::from_millis(1));
        assert_eq!(settled(GATHERED_BYTES, 5), Duration::from_millis(1));
        assert_eq!(settled(2 * GATHERED_BYTES, 5), Duration::from_micros(500));
    }

    #[test]
    fn has_a_shortest_and_finds_back() {
        assert_eq!(settled(1000 * GATHERED_BYTES, 5), SHORTEST);
        let mut linger = Linger { longest: LONGEST, next: SHORTEST };
        linger.gathered(0);
        assert_eq!(linger.next(), LONGEST);
    }

    #[test]
    fn is_never_longer_than_the_operator_says() {
        let mut linger = Linger::new(Duration::ZERO);
        linger.gathered(0);
        assert_eq!(linger.next(), Duration::ZERO);
    }
}
