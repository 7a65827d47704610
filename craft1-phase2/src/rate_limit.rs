//! At most so many requests of one client in any window of time, and 429 for the rest.
//!
//! What always holds: no client's requests use up the window of another; a refusal says when the
//! same request would be taken, and counts for nothing itself; and what is remembered of clients
//! has a bound in bytes. Time is an argument, so a test moves the clock.
//!
//! Two algorithms for one client's window, each without a map, a lock or a clock:
//!
//! | | [`Log`] | [`Counter`] |
//! |---|---|---|
//! | remembers | the time of each admitted request | two numbers |
//! | admits in any window | never more than the limit | never more than twice the limit |
//! | refuses | only when the window is full | perhaps earlier: it estimates |
//! | a client below the limit, evenly | is never refused | is never refused |
//! | bytes a client | 144, and 8 to 32 for each request beyond four | 76 |
//!
//! `limit.rs` and `counter.rs` stand beside this file, because a later phase keeps them and replaces
//! the rest. Around the two algorithms, whichever it is:
//!
//! | file | what |
//! |---|---|
//! | [`client`] | any name of a client to a key of 128 bits |
//! | `generations` | the windows of many clients; who is idle leaves; the bound on memory |
//! | [`shards`] | many of these behind a lock each, so that threads seldom meet |
//!
//! The counter is Cloudflare's ("How we built rate limiting capable of scaling to millions of
//! domains", Julien Desgats, 2017). The log is the definition of a sliding window, written down.

pub mod client;
mod generations;
pub mod log;
pub mod shards;

use std::net::IpAddr;
use std::time::Instant;

use craft1_phase1::prometheus;

pub use client::ClientKey;
pub use log::Log;
pub use shards::{Capacity, Shards};

pub use crate::counter::Counter;
pub use crate::limit::{BadLimit, Limit, Refused};
use generations::slot_bytes;

/// Says of each request whether its client has had enough.
///
/// ```
/// use craft1_phase2::rate_limit::{Algorithm, Limiter};
/// use std::time::{Duration, Instant};
///
/// let limiter = Limiter::new(Algorithm::Log, "2/1s".parse()?);
/// let (client, now) = (limiter.key(b"web-17"), Instant::now());
/// assert!(limiter.check(client, now).is_ok());
/// assert!(limiter.check(client, now).is_ok());
/// let refused = limiter.check(client, now).unwrap_err();
/// assert_eq!(refused.retry_after, Duration::from_secs(1));
/// assert!(limiter.check(client, now + refused.retry_after).is_ok());
/// # Ok::<(), craft1_phase2::rate_limit::BadLimit>(())
/// ```
#[derive(Debug)]
pub enum Limiter {
    /// Exact.
    Log(Shards<Log>),
    /// Estimating.
    Counter(Shards<Counter>),
    /// Everybody may send what they like.
    Off,
}

/// How a client's requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Algorithm {
    /// Exact; remembers the time of each request in the window
    Log,
    /// Two numbers a client; a burst may get up to twice the limit in a window
    Counter,
    /// No limit
    Off,
}

/// The requests of one client: the algorithm alone.
///
/// Time is in nanoseconds since any fixed moment and never goes back; `limit` is always the same.
pub trait Window: Default {
    /// Admits a request at this time, or says when it would be.
    fn check(&mut self, limit: Limit, now_ns: u64) -> Result<(), Refused>;

    /// Bytes that it holds on the heap now.
    fn heap_bytes(&self) -> usize;

    /// The most of them that there can be.
    fn heap_bytes_max(limit: Limit) -> usize;
}

impl Limiter {
    /// With the capacity that suits a server.
    pub fn new(algorithm: Algorithm, limit: Limit) -> Self {
        Self::with_capacity(algorithm, limit, Capacity::default(), Instant::now())
    }

    /// With a capacity of your own. No time before `start` is told from it, and the buckets of
    /// [`Counter`] begin there.
    pub fn with_capacity(
        algorithm: Algorithm,
        limit: Limit,
        capacity: Capacity,
        start: Instant,
    ) -> Self {
        match algorithm {
            Algorithm::Log => Self::Log(Shards::new(limit, capacity, start)),
            Algorithm::Counter => Self::Counter(Shards::new(limit, capacity, start)),
            Algorithm::Off => Self::Off,
        }
    }

    /// The key of a client that says who it is.
    pub fn key(&self, id: &[u8]) -> ClientKey {
        match self {
            Self::Log(shards) => shards.hasher().key(id),
            Self::Counter(shards) => shards.hasher().key(id),
            Self::Off => ClientKey::default(),
        }
    }

    /// The key of a client that does not. No id has the same one, also if it spells the address.
    pub fn key_of_peer(&self, peer: IpAddr) -> ClientKey {
        match self {
            Self::Log(shards) => shards.hasher().key_of_peer(peer),
            Self::Counter(shards) => shards.hasher().key_of_peer(peer),
            Self::Off => ClientKey::default(),
        }
    }

    /// Admits a request of this client now, or says when it would be.
    pub fn check(&self, client: ClientKey, now: Instant) -> Result<(), Refused> {
        match self {
            Self::Log(shards) => shards.check(client, now),
            Self::Counter(shards) => shards.check(client, now),
            Self::Off => Ok(()),
        }
    }

    /// Adds what it knows of itself, as Prometheus text.
    ///
    /// `ingest_rate_limit_forgotten_total` should stay at zero. Where it rises, so many clients
    /// came within a window that some were forgotten before it ended, and could start anew.
    pub fn render(&self, text: &mut String) {
        let census = match self {
            Self::Log(shards) => shards.census(),
            Self::Counter(shards) => shards.census(),
            Self::Off => return,
        };
        for (name, value, help) in [
            ("clients", census.clients, "Clients whose requests are remembered."),
            ("evicted_total", census.evicted, "Clients that left because they were silent."),
            ("forgotten_total", census.forgotten, "Clients that left before their window ended."),
        ] {
            prometheus::number(text, &format!("ingest_rate_limit_{name}"), help, value);
        }
    }
}

impl Counter {
    /// What a client takes, its place in the tables included.
    pub const CLIENT_BYTES: usize = slot_bytes::<Self>();
}

impl Window for Counter {
    fn check(&mut self, limit: Limit, now_ns: u64) -> Result<(), Refused> {
        Self::check(self, limit, now_ns)
    }

    fn heap_bytes(&self) -> usize {
        0
    }

    fn heap_bytes_max(_limit: Limit) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::thread;

    use super::*;

    const ALGORITHMS: [Algorithm; 2] = [Algorithm::Log, Algorithm::Counter];

    fn limiter(algorithm: Algorithm, limit: &str) -> Limiter {
        Limiter::new(algorithm, limit.parse().unwrap())
    }

    #[test]
    fn threads_that_come_at_once_share_one_window() {
        const THREADS: usize = 8;
        const CHECKS: usize = 500;
        for algorithm in ALGORITHMS {
            let limiter = limiter(algorithm, "1000/1h");
            let (busy, now) = (limiter.key(b"busy"), Instant::now());
            let (busy_admitted, others_admitted) = (AtomicUsize::new(0), AtomicUsize::new(0));
            thread::scope(|scope| {
                for thread in 0..THREADS {
                    let (limiter, busy_admitted, others_admitted) =
                        (&limiter, &busy_admitted, &others_admitted);
                    scope.spawn(move || {
                        for check in 0..CHECKS {
                            let other = limiter.key(format!("{thread} {check}").as_bytes());
                            let is_admitted =
                                |client| usize::from(limiter.check(client, now).is_ok());
                            busy_admitted.fetch_add(is_admitted(busy), Relaxed);
                            others_admitted.fetch_add(is_admitted(other), Relaxed);
                        }
                    });
                }
            });
            assert_eq!(busy_admitted.into_inner(), 1_000, "{algorithm:?}");
            assert_eq!(others_admitted.into_inner(), THREADS * CHECKS, "{algorithm:?}");
        }
    }

    #[test]
    fn off_admits_everything_and_shows_nothing() {
        let limiter = limiter(Algorithm::Off, "1/1h");
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
        for algorithm in ALGORITHMS {
            let limiter = limiter(algorithm, "1/1h");
            let now = Instant::now();
            for id in ["a", "b", "a"] {
                let _ = limiter.check(limiter.key(id.as_bytes()), now);
            }
            let mut text = String::new();
            limiter.render(&mut text);
            let samples: Vec<_> = text.lines().filter(|it| !it.starts_with('#')).collect();
            assert_eq!(
                samples,
                [
                    "ingest_rate_limit_clients 2",
                    "ingest_rate_limit_evicted_total 0",
                    "ingest_rate_limit_forgotten_total 0",
                ]
            );
        }
    }
}
