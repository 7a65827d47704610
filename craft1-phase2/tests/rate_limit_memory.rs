//! What the rate limiter takes for very many clients, counted by the allocator.
//!
//! One test, because everything that the process allocates is counted, whoever does it.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::{Duration, Instant};

use craft1_phase2::rate_limit::{Algorithm, Capacity, Counter, Limiter, Log};
use dhat::{HeapStats, Profiler};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const MILLION: usize = 1_000_000;

/// Those who stay when the million is gone.
const REGULARS: usize = 5_000;

/// While a table grows, its old half is beside the new one. One thread grows one at a time.
const GROWTH_BYTES: usize = 1024 * 1024;

fn come(limiter: &Limiter, clients: Range<usize>, now: Instant) {
    for id in clients {
        assert_eq!(limiter.check(limiter.key(&id.to_le_bytes()), now), Ok(()));
    }
}

fn forgotten(limiter: &Limiter) -> String {
    let mut text = String::new();
    limiter.render(&mut text);
    let name = "ingest_rate_limit_forgotten_total ";
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_string()
}

/// Within one window, and then all of them gone.
fn a_million_clients(algorithm: Algorithm, client_bytes: usize) {
    let (window, start) = (Duration::from_secs(1), Instant::now());
    let limiter =
        Limiter::with_capacity(algorithm, "1000/1s".parse().unwrap(), Capacity::default(), start);
    come(&limiter, 0..MILLION, start);
    assert_eq!(forgotten(&limiter), "0");
    let million = HeapStats::get();
    assert!(million.max_bytes <= MILLION * client_bytes + GROWTH_BYTES, "{million:?}");
    assert!(million.max_bytes <= Capacity::BYTES_MAX, "{million:?}");

    // As many as it takes to move the clock of every shard.
    for windows in 2..5 {
        come(&limiter, 0..REGULARS, start + windows * window);
    }
    let after = HeapStats::get();
    assert!(after.curr_bytes <= 3 * REGULARS * client_bytes, "{after:?}");
}

/// More than there is room for.
fn too_many_clients(algorithm: Algorithm) {
    let bytes_max = 4 * 1024 * 1024;
    let capacity = Capacity { bytes_max, ..Capacity::default() };
    let limit = "10/1s".parse().unwrap();
    let start = Instant::now();
    let limiter = Limiter::with_capacity(algorithm, limit, capacity, start);
    come(&limiter, 0..MILLION / 4, start);
    assert_ne!(forgotten(&limiter), "0");
    let stats = HeapStats::get();
    assert!(stats.max_bytes <= bytes_max + GROWTH_BYTES, "{stats:?}");
}

/// Few clients, with logs that there is no room for.
fn long_logs() {
    let bytes_max = 4 * 1024 * 1024;
    let capacity = Capacity { shards: NonZeroUsize::MIN, bytes_max };
    let limit = "1000/1s".parse().unwrap();
    let start = Instant::now();
    let limiter = Limiter::with_capacity(Algorithm::Log, limit, capacity, start);
    for _ in 0..1_000 {
        come(&limiter, 0..1_000, start);
    }
    let stats = HeapStats::get();
    assert!(stats.max_bytes <= bytes_max + GROWTH_BYTES, "{stats:?}");
}

#[test]
fn what_is_remembered_of_clients_has_a_bound_in_bytes() {
    let measured: [&dyn Fn(); 5] = [
        &|| a_million_clients(Algorithm::Log, Log::CLIENT_BYTES),
        &|| a_million_clients(Algorithm::Counter, Counter::CLIENT_BYTES),
        &|| too_many_clients(Algorithm::Log),
        &|| too_many_clients(Algorithm::Counter),
        &long_logs,
    ];
    for measure in measured {
        // Only the numbers are looked at, and following where each allocation comes from takes long.
        let _counting = Profiler::builder().testing().trim_backtraces(Some(0)).build();
        measure();
    }
}
