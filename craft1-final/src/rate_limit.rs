//! At most so many requests of one client in any window of time, and 429 for the rest, without a
//! lock.
//!
//! What always holds: a check waits for nobody and allocates nothing; what is remembered of clients
//! is allocated once, when the server starts; a refusal says when the same request would be taken,
//! and counts for nothing itself. Time is an argument, so a test moves the clock.
//!
//! A window is the two numbers of [`Counter`], and its arithmetic is phase 2's, imported from there:
//! so the answers are the same under the same clock, which `tests/limiter_of_phase2.rs` holds. New
//! is where the numbers are kept. Phase 2 has tables that grow and move, and a lock before each.
//! Here a window is packed into one word, so that a check is one compare-and-swap, and the words
//! stand in a table that never changes its shape.
//!
//! | file | what |
//! |---|---|
//! | `packed` | a window in 64 bits |
//! | `table` | sets of slots; who was silent longest makes room |
//!
//! A table of sets is how processors build their caches (Alan J. Smith, "Cache Memories", 1982), and
//! they have the same reasons: a bounded search, no pointer to follow, and nothing that moves.
//!
//! [`Counter`]: craft1_phase2::counter::Counter

mod packed;
mod table;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Instant;

use craft1_phase1::prometheus;
use craft1_phase2::limit::{Limit, Refused};
use craft1_phase2::owner::owner;

use table::Table;

/// Says of each request whether its client has had enough.
///
/// ```
/// use craft1_final::rate_limit::{Algorithm, Limiter};
/// use std::time::Instant;
///
/// let limiter = Limiter::new(Algorithm::Counter, "2/1s".parse()?);
/// let (client, now) = (limiter.key(b"web-17"), Instant::now());
/// assert!(limiter.check(client, now).is_ok());
/// assert!(limiter.check(client, now).is_ok());
/// let refused = limiter.check(client, now).unwrap_err();
/// assert!(limiter.check(client, now + refused.retry_after).is_ok());
/// # Ok::<(), craft1_phase2::limit::BadLimit>(())
/// ```
#[derive(Debug)]
pub enum Limiter {
    /// Two numbers a client.
    Counter(Windows),
    /// Everybody may send what they like.
    Off,
}

/// How a client's requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Algorithm {
    /// Two numbers a client; a burst may get up to twice the limit in a window
    Counter,
    /// No limit
    Off,
}

/// A client, as a keyed hash of its name or its address.
///
/// Names are neither kept nor shown, and nobody can choose names whose keys meet: the hash is
/// `SipHash` (Jean-Philippe Aumasson and Daniel J. Bernstein, 2012) with random numbers of this
/// process. 63 of its bits count, half as many as in phase 2 and half the time to make them. With
/// n clients the odds that any two share a window are n² / 2^64: for the 262,144 that are remembered
/// by default, one in 2^28.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientKey(u64);

/// The windows of all clients, for all threads.
#[derive(Debug)]
pub struct Windows {
    hasher: RandomState,
    start: Instant,
    table: Table,
}

impl Limiter {
    /// How many clients are remembered. Beyond it the one that was silent longest is forgotten. A
    /// client takes 16 bytes, so this is 4 MiB, taken at the start.
    pub const CLIENTS_MAX: NonZeroUsize = NonZeroUsize::new(256 * 1024).unwrap();

    /// With room for [`Limiter::CLIENTS_MAX`] clients.
    pub fn new(algorithm: Algorithm, limit: Limit) -> Self {
        Self::with_capacity(algorithm, limit, Self::CLIENTS_MAX, Instant::now())
    }

    /// With room for a number of clients of your own. No time before `start` is told from it, and
    /// the buckets of time begin there.
    pub fn with_capacity(
        algorithm: Algorithm,
        limit: Limit,
        clients_max: NonZeroUsize,
        start: Instant,
    ) -> Self {
        match algorithm {
            Algorithm::Counter => {
                let table = Table::new(limit, clients_max.get());
                Self::Counter(Windows { hasher: RandomState::new(), start, table })
            }
            Algorithm::Off => Self::Off,
        }
    }

    /// The key of a client that says who it is.
    pub fn key(&self, id: &[u8]) -> ClientKey {
        match self {
            Self::Counter(windows) => ClientKey(windows.hasher.hash_one(id)),
            Self::Off => ClientKey::default(),
        }
    }

    /// The key of a client that does not. No id has the same one, also if it spells the address.
    pub fn key_of_peer(&self, peer: IpAddr) -> ClientKey {
        match self {
            // An address and an id can have the same bytes. This says which of them it was.
            Self::Counter(windows) => ClientKey(windows.hasher.hash_one(("peer", owner(peer)))),
            Self::Off => ClientKey::default(),
        }
    }

    /// Admits a request of this client now, or says when it would be.
    pub fn check(&self, client: ClientKey, now: Instant) -> Result<(), Refused> {
        match self {
            Self::Counter(windows) => {
                let since_start = now.saturating_duration_since(windows.start);
                // 64 bits of nanoseconds are five hundred years.
                let now_ns = u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX);
                windows.table.check(client.0, now_ns)
            }
            Self::Off => Ok(()),
        }
    }

    /// Adds what it knows of itself, as Prometheus text.
    ///
    /// `ingest_rate_limit_forgotten_total` should stay at zero. Where it rises, so many clients
    /// came within a window that some were forgotten before it ended, and could start anew.
    pub fn render(&self, text: &mut String) {
        let Self::Counter(windows) = self else { return };
        let census = windows.table.census();
        for (name, help, value) in [
            ("clients", "Clients that are remembered.", census.clients),
            ("evicted_total", "Idle clients that made room.", census.evicted),
            ("forgotten_total", "Clients that had to make room.", census.forgotten),
        ] {
            prometheus::number(text, &format!("ingest_rate_limit_{name}"), help, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::thread;

    use super::*;

    fn limiter(limit: &str) -> Limiter {
        Limiter::new(Algorithm::Counter, limit.parse().unwrap())
    }

    #[test]
    fn threads_that_come_at_once_share_one_window() {
        const THREADS: usize = 8;
        const CHECKS: usize = 500;
        let limiter = limiter("1000/1h");
        let (busy, now) = (limiter.key(b"busy"), Instant::now());
        assert!(limiter.check(busy, now).is_ok());
        let (busy_admitted, others_admitted) = (AtomicUsize::new(1), AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (limiter, busy_admitted, others_admitted) =
                    (&limiter, &busy_admitted, &others_admitted);
                scope.spawn(move || {
                    for check in 0..CHECKS {
                        let other = limiter.key(format!("{thread} {check}").as_bytes());
                        let is_admitted = |client| usize::from(limiter.check(client, now).is_ok());
                        busy_admitted.fetch_add(is_admitted(busy), Relaxed);
                        others_admitted.fetch_add(is_admitted(other), Relaxed);
                    }
                });
            }
        });
        assert_eq!(busy_admitted.into_inner(), 1_000);
        assert_eq!(others_admitted.into_inner(), THREADS * CHECKS);
    }

    #[test]
    fn an_id_has_one_key_and_no_other_id_has_it() {
        let limiter = limiter("1/1s");
        let key = |id: u32| limiter.key(&id.to_le_bytes());
        assert_eq!(key(7), key(7));
        assert_eq!((0..10_000).map(|id| key(id).0).collect::<HashSet<_>>().len(), 10_000);
    }

    #[test]
    fn another_process_has_other_keys() {
        assert_ne!(limiter("1/1s").key(b"a"), limiter("1/1s").key(b"a"));
    }

    #[test]
    fn an_id_that_spells_an_address_is_not_that_address() {
        let limiter = limiter("1/1s");
        let address = limiter.key_of_peer([97, 98, 99, 100].into());
        for id in [&b"97.98.99.100"[..], b"abcd", b"peerabcd", b"peer97.98.99.100"] {
            assert_ne!(limiter.key(id), address);
        }
    }

    #[test]
    fn addresses_that_one_customer_has_are_one_client() {
        let limiter = limiter("1/1s");
        let key = |peer: &str| limiter.key_of_peer(peer.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::1"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    }

    #[test]
    fn a_time_before_the_start_counts_as_the_start() {
        let before = Instant::now();
        let start = before + std::time::Duration::from_secs(1);
        let limit = "1/1h".parse().unwrap();
        let limiter =
            Limiter::with_capacity(Algorithm::Counter, limit, Limiter::CLIENTS_MAX, start);
        let client = limiter.key(b"a");
        assert!(limiter.check(client, before).is_ok());
        assert_eq!(limiter.check(client, before), limiter.check(client, start));
    }

    #[test]
    fn off_admits_everything_and_shows_nothing() {
        let limiter = Limiter::new(Algorithm::Off, "1/1h".parse().unwrap());
        let (client, peer) = (limiter.key(b"a"), limiter.key_of_peer([127, 0, 0, 1].into()));
        let now = Instant::now();
        for client in [client, client, peer, peer] {
            assert_eq!(limiter.check(client, now), Ok(()));
        }
        let mut text = String::new();
        limiter.render(&mut text);
        assert_eq!(text, "");
    }

    #[test]
    fn shows_how_many_clients_it_remembers() {
        let limiter = limiter("1/1h");
        for id in ["a", "b", "a"] {
            let _ = limiter.check(limiter.key(id.as_bytes()), Instant::now());
        }
        let mut text = String::new();
        limiter.render(&mut text);
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "ingest_rate_limit_clients 2",
                "ingest_rate_limit_evicted_total 0",
                "ingest_rate_limit_forgotten_total 0"
            ]
        );
    }
}
