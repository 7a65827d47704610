//! My tests of the rate limit. Time is an argument, so none of them waits.

use std::time::Instant;

use craft1_phase2::rate_limit::{Algorithm, Capacity, Limiter};

/// A limiter like `10/1s` whose clock begins at `start`.
fn limiter(algorithm: Algorithm, limit: &str, start: Instant) -> Limiter {
    Limiter::with_capacity(algorithm, limit.parse().unwrap(), Capacity::default(), start)
}

/// How many of so many requests of this client are taken at this moment.
fn taken(limiter: &Limiter, id: &[u8], now: Instant, requests: usize) -> usize {
    (0..requests).filter(|_| limiter.check(limiter.key(id), now).is_ok()).count()
}

#[test]
fn a_first_request_is_taken() {
    let start = Instant::now();
    for algorithm in [Algorithm::Log, Algorithm::Counter] {
        assert_eq!(taken(&limiter(algorithm, "2/10s", start), b"a", start, 1), 1);
    }
}
