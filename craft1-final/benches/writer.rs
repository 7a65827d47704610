//! What it costs a loop and the writer to store a request, and how fast a start reads a file.
//!
//! `cargo bench -p craft1-final --bench writer`. Turns of one and of 64 requests go through an outbox
//! and, for comparison, one vector a request through a channel, with a thread that gathers in the same
//! way. Under `accepted` nobody waits, and the disk takes everything at once, so what is measured is
//! what a loop spends, and not how fast a page cache fills. The writer's thread runs beside it.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::IoSlice;
use std::thread;
use std::time::{Duration, Instant};

use craft1_final::writer::disk::Disk;
use craft1_final::writer::{Options, Outbox, Waker, Writer};
use craft1_phase1::recovery;
use craft1_phase3::json;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use testkit::DataFolder;

const LINE: &[u8] =
    b"{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"cpu_usage\",\"value\":85.5}\n";

/// Requests of a turn.
const TURNS: [usize; 2] = [1, 64];

/// Lines that wait in the channel at most: as many as fit into the memory of the outbox.
const LINES_MAX: usize = 64 * 1024 * 1024 / LINE.len();

/// What the writer writes at once.
const GROUP_BYTES_MAX: usize = 1024 * 1024;

/// How long the writer lets lines gather.
const LINGER: Duration = Duration::from_millis(5);

fn turns(criterion: &mut Criterion) {
    for requests in TURNS {
        let mut group = criterion.benchmark_group(format!("a turn of {requests}"));
        group.throughput(Throughput::Elements(requests as u64));
        let folder = DataFolder::new();
        let options = Options { linger: LINGER, segment_bytes: u64::MAX, ..Options::default() };
        let wakers: Vec<Waker> = vec![Box::new(|| ())];
        let (writer, mut outboxes) =
            Writer::start_on(bottomless(), &folder.data_file(), json::parse, options, wakers)
                .expect("a writer");
        let outbox = &mut outboxes[0];
        group.bench_function("through an outbox", |bencher| {
            bencher.iter(|| turn(outbox, requests));
        });
        drop(outboxes);
        writer.finish().expect("the end");

        let (sender, receiver) = crossbeam_channel::bounded::<Vec<u8>>(LINES_MAX);
        let writer = thread::spawn(move || gather(&receiver));
        group.bench_function("through a channel", |bencher| {
            bencher.iter(|| {
                for _ in 0..requests {
                    sender.send(black_box(LINE).to_vec()).expect("a writer");
                }
            });
        });
        drop(sender);
        writer.join().expect("no panic");
    }
}

/// A disk that takes everything and keeps nothing.
fn bottomless() -> Disk {
    let write = Box::new(|_: &File, buffers: &[IoSlice<'_>]| {
        Ok(buffers.iter().map(|buffer| black_box(buffer).len()).sum())
    });
    Disk { write, ..Disk::default() }
}

fn turn(outbox: &mut Outbox, requests: usize) {
    let now = Instant::now();
    while !outbox.has_room() {
        thread::yield_now();
        outbox.flush(now);
    }
    for _ in 0..requests {
        outbox.lines().extend_from_slice(black_box(LINE));
        outbox.take(1);
    }
    outbox.flush(now);
}

/// Groups of what waits until nothing does, then a pause, as our writer does.
fn gather(receiver: &crossbeam_channel::Receiver<Vec<u8>>) {
    let mut group = Vec::new();
    while let Ok(lines) = receiver.recv() {
        group.extend_from_slice(&lines);
        for lines in receiver.try_iter() {
            if group.len() >= GROUP_BYTES_MAX {
                black_box(&group);
                group.clear();
            }
            group.extend_from_slice(&lines);
        }
        black_box(&group);
        group.clear();
        thread::sleep(LINGER);
    }
}

fn starts(criterion: &mut Criterion) {
    const BYTES: usize = 16 * 1024 * 1024;
    let folder = DataFolder::new();
    let text = LINE.repeat(BYTES / LINE.len());
    fs::write(folder.data_file(), &text).expect("room");
    let mut group = criterion.benchmark_group("a start");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
    group.bench_function("16 MiB", |bencher| {
        bencher.iter(|| {
            let file = File::open(folder.data_file()).expect("a file");
            recovery::scan(file, json::parse, &mut |damage| panic!("{damage}")).expect("its length")
        });
    });
    group.finish();
}

criterion_group!(benches, turns, starts);
criterion_main!(benches);
