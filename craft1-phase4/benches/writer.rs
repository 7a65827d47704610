//! What it costs a request to hand its lines over: `cargo bench -p craft1-phase4 --bench writer`.
//!
//! `hand over` is the way into the queue alone, with a disk that takes everything at once: what a
//! request pays at `accepted`. Beside it stands the bounded channel that one would take otherwise.
//! `until written` is the whole way on a real disk, for many requests at once: what each of them
//! adds, not how long it waits. A request of phase 1 pays for a write of its own.

use std::hint::black_box;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use craft1_phase1::service::Unstored;
use craft1_phase3::json;
use craft1_phase4::ack::Ack;
use craft1_phase4::writer::{Options, QUEUE_BYTES_MAX, Storage, Writer};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use testkit::DataFolder;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinSet;

const LINE: &[u8] =
    b"{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"cpu_usage\",\"value\":85.5}\n";

/// Requests that are in flight at once: connections, in a server.
const IN_FLIGHT: usize = 64;

/// What our writer writes at once. Without it a batch that others keep filling would never end.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// A disk that takes everything and keeps nothing.
struct Nowhere;

impl Storage for Nowhere {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn cut(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn renew(&mut self) -> io::Result<u64> {
        Ok(0)
    }
}

/// What a future gives that does not wait.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("at `accepted` nobody waits"),
    }
}

fn hand_over(criterion: &mut Criterion) {
    for metrics in [1, 100] {
        let lines = LINE.repeat(metrics);
        let mut group = criterion.benchmark_group(format!("hand over/{metrics} metrics"));
        group.throughput(Throughput::Elements(metrics as u64));
        let writer = Writer::start(Nowhere, 0, Options::new(Ack::Accepted)).expect("a thread");
        group.bench_function("our queue", |bencher| {
            bencher.iter(|| {
                let append = || writer.append(black_box(&lines).clone(), metrics);
                while at_once(append()) == Err(Unstored::QueueFull) {
                    thread::yield_now();
                }
            });
        });
        // No more memory than our queue has.
        let places = (QUEUE_BYTES_MAX / lines.len()).min(32 * 1024);
        let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(places);
        let reader = thread::spawn(move || {
            let mut batch = Vec::new();
            while let Some(lines) = receiver.blocking_recv() {
                batch.extend_from_slice(&lines);
                while batch.len() < BATCH_BYTES_MAX
                    && let Ok(lines) = receiver.try_recv()
                {
                    batch.extend_from_slice(&lines);
                }
                black_box(&batch);
                batch.clear();
            }
        });
        group.bench_function("a channel of tokio", |bencher| {
            bencher.iter(|| {
                let mut lines = black_box(&lines).clone();
                while let Err(TrySendError::Full(back)) = sender.try_send(lines) {
                    lines = back;
                    thread::yield_now();
                }
            });
        });
        drop(sender);
        reader.join().expect("it reads to the end");
    }
}

/// Hands over `requests` requests, [`IN_FLIGHT`] at a time, and waits for all of them.
fn append_many(runtime: &Runtime, writer: &Writer, requests: u64) -> Duration {
    let left = Arc::new(AtomicU64::new(requests));
    let started = Instant::now();
    runtime.block_on(async {
        let mut clients = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let (writer, left) = (writer.clone(), Arc::clone(&left));
            clients.spawn(async move {
                while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                    writer.append(LINE.to_vec(), 1).await.expect("room");
                }
            });
        }
        clients.join_all().await;
    });
    started.elapsed()
}

fn until_written(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("until written/1 metrics");
    group.throughput(Throughput::Elements(1));
    group.bench_function("phase 1", |bencher| {
        bencher.iter_custom(|iterations| {
            let folder = DataFolder::new();
            let file = folder.data_file();
            let writer =
                craft1_phase1::writer::Writer::open(&file, json::parse, |_| ()).expect("a file");
            let started = Instant::now();
            (0..iterations).for_each(|_| writer.append(black_box(LINE)).expect("room"));
            started.elapsed()
        });
    });
    for (name, ack) in [("stored", Ack::Stored), ("durable", Ack::Durable)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let folder = DataFolder::new();
                let options = Options::new(ack);
                let writer = Writer::open(&folder.data_file(), json::parse, options, |_| ())
                    .expect("a file");
                append_many(&runtime, &writer, iterations)
            });
        });
    }
}

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
}

criterion_group! {
    name = benches;
    config = short();
    targets = hand_over, until_written
}
criterion_main!(benches);
