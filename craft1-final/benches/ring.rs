//! What an element costs on its way from one core to another: each rung of the ladder, and the rings
//! and channels that others have made.
//!
//! `cargo bench -p craft1-final --bench ring`. An element has 48 bytes, as a chunk of lines for the
//! writer has at most. Everybody waits in the same way: a side that finds the ring full or empty backs
//! off, longer each time. A round is over when the last element is popped.

#[path = "ring/peers.rs"]
mod peers;
#[path = "ring/race.rs"]
mod race;

use std::sync::{Arc, mpsc as std_mpsc};

use craft1_final::ring::{mpsc, mutex, spsc, spsc_cached};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_queue::ArrayQueue;

use race::{Pop, Push, race};

/// Room for a few batches of each producer.
const CAPACITY: usize = 1024;

/// Elements of a round.
const ROUND: usize = 16_384;

/// Elements of a batch.
const BATCH: usize = 64;

/// Measurements of a contest. Each lasts long enough that starting the threads does not count.
const SAMPLES: usize = 20;

fn one_producer(criterion: &mut Criterion) {
    for (name, batch) in [("one producer, one by one", 1), ("one producer, 64 at once", BATCH)] {
        let mut group = contest(criterion, name);
        enter(&mut group, "spsc", batch, || one(spsc::channel(CAPACITY)));
        enter(&mut group, "spsc_cached", batch, || one(spsc_cached::channel(CAPACITY)));
        enter(&mut group, "rtrb", batch, || one(rtrb::RingBuffer::new(CAPACITY)));
        shared(&mut group, batch, 1);
    }
}

fn four_producers(criterion: &mut Criterion) {
    for (name, batch) in [("four producers, one by one", 1), ("four producers, 64 at once", BATCH)]
    {
        shared(&mut contest(criterion, name), batch, 4);
    }
}

fn contest<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(ROUND as u64)).sample_size(SAMPLES);
    group
}

/// Those that take any number of producers.
fn shared(group: &mut BenchmarkGroup<'_, WallTime>, batch: usize, producers: usize) {
    enter(group, "mutex", batch, || {
        let ring = mutex::Ring::new(CAPACITY);
        (vec![ring.clone(); producers], ring)
    });
    enter(group, "mpsc", batch, || {
        let (producer, consumer) = mpsc::channel(CAPACITY);
        (vec![producer; producers], consumer)
    });
    enter(group, "crossbeam ArrayQueue", batch, || {
        let queue = Arc::new(ArrayQueue::new(CAPACITY));
        (vec![Arc::clone(&queue); producers], queue)
    });
    enter(group, "crossbeam-channel", batch, || {
        let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
        (vec![sender; producers], receiver)
    });
    enter(group, "std sync_channel", batch, || {
        let (sender, receiver) = std_mpsc::sync_channel(CAPACITY);
        (vec![sender; producers], receiver)
    });
}

fn one<P, C>((producer, consumer): (P, C)) -> (Vec<P>, C) {
    (vec![producer], consumer)
}

/// Measures rounds of one of them.
fn enter<P: Push, C: Pop>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    batch: usize,
    make: impl Fn() -> (Vec<P>, C),
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let (producers, consumer) = make();
            let count = usize::try_from(rounds).expect("not that many") * ROUND;
            race(count, batch, producers, consumer)
        });
    });
}

criterion_group!(benches, one_producer, four_producers);
criterion_main!(benches);
