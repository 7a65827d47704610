//! Tests of the rate limit that find every mutant.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use craft1_phase1::service::Call;
use craft1_phase2::admission::refuse;
use craft1_phase2::rate_limit::{Algorithm, Capacity, Limiter};

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Log, Algorithm::Counter];

/// A limiter like `10/1s` whose clock begins at `start`.
fn limiter(algorithm: Algorithm, limit: &str, start: Instant) -> Limiter {
    Limiter::with_capacity(algorithm, limit.parse().unwrap(), Capacity::default(), start)
}

/// How many of so many requests of this client are taken at this moment.
fn taken(limiter: &Limiter, id: &[u8], now: Instant, requests: usize) -> usize {
    (0..requests).filter(|_| limiter.check(limiter.key(id), now).is_ok()).count()
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn no_more_than_the_limit_is_taken_at_once() {
    let start = Instant::now();
    for algorithm in ALGORITHMS {
        assert_eq!(taken(&limiter(algorithm, "3/10s", start), b"a", start, 9), 3);
    }
}

#[test]
fn a_whole_window_later_the_log_has_room_and_not_before() {
    let start = Instant::now();
    let limiter = limiter(Algorithm::Log, "1/10s", start);
    assert_eq!(taken(&limiter, b"a", start, 1), 1);
    let window = seconds(10.0);
    assert_eq!(taken(&limiter, b"a", start + window - Duration::from_nanos(1), 1), 0);
    assert_eq!(taken(&limiter, b"a", start + window, 1), 1);
}

#[test]
fn a_refusal_counts_for_nothing() {
    let start = Instant::now();
    let limiter = limiter(Algorithm::Log, "1/10s", start);
    assert_eq!(taken(&limiter, b"a", start, 1), 1);
    assert_eq!(taken(&limiter, b"a", start + seconds(5.0), 3), 0);
    assert_eq!(taken(&limiter, b"a", start + seconds(10.0), 1), 1);
}

#[test]
fn the_seconds_of_retry_after_are_rounded_up() {
    let start = Instant::now();
    let limiter = limiter(Algorithm::Log, "1/10s", start);
    assert_eq!(taken(&limiter, b"a", start, 1), 1);
    let refused = limiter.check(limiter.key(b"a"), start + seconds(2.5)).unwrap_err();
    assert_eq!((refused.retry_after, refused.retry_after_s()), (seconds(7.5), 8));
}

#[test]
fn the_counter_knows_the_bucket_before() {
    let start = Instant::now();
    let limiter = limiter(Algorithm::Counter, "10/10s", start);
    assert_eq!(taken(&limiter, b"a", start + seconds(9.9), 10), 10);
    assert!(taken(&limiter, b"a", start + seconds(10.1), 10) <= 1);
}

#[test]
fn after_a_long_silence_the_counter_begins_anew() {
    let start = Instant::now();
    let limiter = limiter(Algorithm::Counter, "10/10s", start);
    assert_eq!(taken(&limiter, b"a", start, 10), 10);
    assert_eq!(taken(&limiter, b"a", start + seconds(35.0), 20), 10);
}

#[test]
fn no_client_is_forgotten_within_its_window() {
    for algorithm in ALGORITHMS {
        for border in 1..5 {
            let start = Instant::now();
            let limiter = limiter(algorithm, "1/10s", start);
            let before = start + seconds(10.0 * f64::from(border) - 1.0);
            assert_eq!(taken(&limiter, b"a", before, 1), 1);
            assert_eq!(taken(&limiter, b"a", before + seconds(1.0), 1), 0, "{algorithm:?}");
        }
    }
}

#[test]
fn clients_behind_one_address_have_a_window_each() {
    let start = Instant::now();
    let limiter = limiter(Algorithm::Log, "1/10s", start);
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    for client_id in [Some(&b"a"[..]), Some(b"b"), None] {
        let call = Call { method: "POST", path: "/metrics", client_id, ..Call::default() };
        assert_eq!(refuse(&limiter, &call, peer, start), None);
        assert_eq!(refuse(&limiter, &call, peer, start).map(|it| it.status), Some(429));
    }
}
