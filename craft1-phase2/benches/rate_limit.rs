//! What a rate limit costs each request: the exact log against the counter, for one client and for
//! many, and one lock for all against a lock a shard.
//!
//! `cargo bench -p craft1-phase2 --bench rate_limit`. Time is an argument, so the clock here moves
//! by what the benchmark says, and reading a real one is not in the figures.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use craft1_phase2::rate_limit::{
    Algorithm, Capacity, ClientKey, Counter, Limit, Limiter, Log, Window,
};
use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};

const REQUESTS: u32 = 1_000;
const WINDOW_NS: u64 = 1_000_000_000;
const CLIENTS: u32 = 10_000;

/// From one request to the next, whoever's it is. Each client sends a tenth of its limit.
const BETWEEN: Duration = Duration::from_micros(1);

const ALGORITHMS: [(&str, Algorithm); 2] =
    [("log", Algorithm::Log), ("counter", Algorithm::Counter)];

fn limit() -> Limit {
    Limit::new(REQUESTS, Duration::from_nanos(WINDOW_NS)).unwrap()
}

fn keys(limiter: &Limiter, prefix: usize) -> Vec<ClientKey> {
    (0..CLIENTS).map(|id| limiter.key(format!("{prefix}-{id}").as_bytes())).collect()
}

/// One window without a map and without a lock.
fn alone<W: Window>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
    for (what, pace) in [("just below the limit", 1), ("at four times the limit", 4)] {
        let between_ns = WINDOW_NS / u64::from(REQUESTS) / pace + 1;
        let (mut window, mut now_ns) = (W::default(), 0);
        let mut next = || {
            now_ns += between_ns;
            window.check(limit(), now_ns)
        };
        // The log is as long as it gets.
        let warm_up = (0..8 * REQUESTS).filter(|_| next().is_ok()).count();
        assert!(warm_up >= REQUESTS as usize);
        group.bench_function(format!("{name}, {what}"), |bencher| bencher.iter(&mut next));
    }
}

fn one_client(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one client");
    alone::<Log>(&mut group, "log");
    alone::<Counter>(&mut group, "counter");
}

/// One thread, and 10,000 clients in turn, each well below the limit.
fn many_clients(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("10,000 clients");
    for (name, algorithm) in ALGORITHMS {
        let limiter = Limiter::new(algorithm, limit());
        let keys = keys(&limiter, 0);
        let (mut client, mut now) = (keys.iter().cycle(), Instant::now());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                now += BETWEEN;
                client.next().map(|client| limiter.check(*client, now))
            });
        });
    }
    let limiter = Limiter::new(Algorithm::Counter, limit());
    group.bench_function("making a key", |bencher| {
        bencher.iter(|| limiter.key(black_box(b"web-17.example.org")));
    });
}

/// Threads that do nothing but check, each with clients of its own.
fn threads_and_shards(criterion: &mut Criterion) {
    for threads in [2, 4] {
        let mut group = criterion.benchmark_group(format!("{threads} threads"));
        for (name, algorithm) in ALGORITHMS {
            for shards in [NonZeroUsize::MIN, Capacity::SHARDS] {
                let capacity = Capacity { shards, ..Capacity::default() };
                let mut now = Instant::now();
                let limiter = Limiter::with_capacity(algorithm, limit(), capacity, now);
                let keys: Vec<_> = (0..threads).map(|thread| keys(&limiter, thread)).collect();
                group.bench_function(format!("{name}, locks: {shards}"), |bencher| {
                    bencher.iter_custom(|checks| {
                        let from = now;
                        now += BETWEEN * u32::try_from(checks).unwrap();
                        check_at_once(&limiter, &keys, from, checks)
                    });
                });
            }
        }
    }
}

/// How long the slowest thread takes for its checks.
fn check_at_once(
    limiter: &Limiter,
    keys: &[Vec<ClientKey>],
    from: Instant,
    checks: u64,
) -> Duration {
    let all_there = Barrier::new(keys.len());
    let check = |keys: &[ClientKey]| {
        all_there.wait();
        let (begun, mut now) = (Instant::now(), from);
        for (client, _) in keys.iter().cycle().zip(0..checks) {
            now += BETWEEN;
            let _ = black_box(limiter.check(*client, now));
        }
        begun.elapsed()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = keys.iter().map(|keys| scope.spawn(|| check(keys))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap_or_default()
    })
}

criterion_group!(benches, one_client, many_clients, threads_and_shards);
criterion_main!(benches);
