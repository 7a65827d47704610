//! What it costs to hand a job to another thread: the pool, a thread for each job, and a channel of
//! the standard library with threads around it.
//!
//! `cargo bench -p craft1-phase2 --bench pool`. A job does nothing but count, so what is left is the
//! hand-over: a lock, a wake and a switch. A round is over when its last job is done.

use std::sync::atomic::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire},
};
use std::sync::{Mutex, mpsc};
use std::thread::{self, Thread};

use craft1_phase2::pool::Pool;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Jobs of a round.
const JOBS: usize = 100;

/// As many as a server starts unless it is told otherwise.
const WORKERS: usize = 64;

/// Wakes the thread that made it when the last job of a round is done.
struct Latch {
    left: AtomicUsize,
    waiting: Thread,
}

impl Latch {
    fn new() -> Self {
        Self { left: AtomicUsize::new(0), waiting: thread::current() }
    }

    /// Calls `submit` for each job of a round, and waits for the last of them.
    fn round(&self, mut submit: impl FnMut()) {
        self.left.fetch_add(JOBS, AcqRel);
        for _ in 0..JOBS {
            submit();
        }
        while self.left.load(Acquire) > 0 {
            thread::park();
        }
    }

    fn count_down(&self) {
        // Publishes the job's work, and the last one takes all of it over.
        if self.left.fetch_sub(1, AcqRel) == 1 {
            self.waiting.unpark();
        }
    }
}

fn hand_over(criterion: &mut Criterion) {
    let latch = Latch::new();
    let mut group = criterion.benchmark_group("a hundred jobs");
    group.throughput(Throughput::Elements(JOBS as u64));

    let pool = Pool::new(WORKERS, JOBS);
    let submit = || pool.try_submit(()).expect("there is room for a round");
    pool.run(
        |()| latch.count_down(),
        || group.bench_function("pool", |bencher| bencher.iter(|| latch.round(submit))),
    )
    .expect("as many threads");

    let (sender, receiver) = mpsc::sync_channel(JOBS);
    let receiver = Mutex::new(receiver);
    let next = || receiver.lock().expect("no job panics").recv();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Ok(()) = next() {
                    latch.count_down();
                }
            });
        }
        group.bench_function("channel behind a lock", |bencher| {
            bencher.iter(|| latch.round(|| sender.send(()).expect("the workers are there")));
        });
        drop(sender);
    });

    thread::scope(|scope| {
        group.bench_function("a thread each", |bencher| {
            bencher.iter(|| latch.round(|| drop(scope.spawn(|| latch.count_down()))));
        });
    });
}

criterion_group!(benches, hand_over);
criterion_main!(benches);
