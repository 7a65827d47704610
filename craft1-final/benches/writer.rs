//! What it costs a loop and the writer to store a request, and how fast a start reads a file.
//!
//! `cargo bench -p craft1-final --bench writer`. Turns of one and of 64 requests go through an outbox
//! and, for comparison, one vector a request through a channel, with a thread that gathers and writes
//! in the same way. Under `accepted` nobody waits, so what is measured is what a loop spends; the
//! writer's thread runs beside it.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use craft1_final::writer::{Options, Outbox, Writer};
use craft1_phase1::recovery;
use craft1_phase3::json;
use craft1_phase4::ack::Ack;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use testkit::DataFolder;

const LINE: &[u8] =
    b"{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"cpu_usage\",\"value\":85.5}\n";

/// Requests of a turn.
const TURNS: [usize; 2] = [1, 64];

/// Files that a bench leaves behind while it runs.
const RETAIN_BYTES: u64 = 256 * 1024 * 1024;

fn turns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a turn");
    for requests in TURNS {
        group.throughput(Throughput::Elements(requests as u64));
        let folder = DataFolder::new();
        let options = Options {
            ack: Ack::Accepted,
            segment_bytes: RETAIN_BYTES / 4,
            retain_bytes: Some(RETAIN_BYTES),
            ..Options::default()
        };
        let waker: Box<dyn Fn() + Send> = Box::new(|| ());
        let (writer, mut outboxes) =
            Writer::start(&folder.data_file(), json::parse, options, vec![waker])
                .expect("a writer");
        let outbox = &mut outboxes[0];
        group.bench_function(format!("{requests} through an outbox"), |bencher| {
            bencher.iter(|| turn(outbox, requests));
        });
        drop(outboxes);
        writer.finish().expect("the end");

        let file = File::create(folder.path().join("channel")).expect("a file");
        let (sender, receiver) = crossbeam_channel::bounded::<Vec<u8>>(32_768);
        let writer = thread::spawn(move || gather(&receiver, file));
        group.bench_function(format!("{requests} through a channel"), |bencher| {
            bencher.iter(|| {
                for _ in 0..requests {
                    sender.send(LINE.to_vec()).expect("a writer");
                }
            });
        });
        drop(sender);
        writer.join().expect("no panic");
    }
    group.finish();
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

/// What waits, then a pause, as our writer does.
fn gather(receiver: &crossbeam_channel::Receiver<Vec<u8>>, mut file: File) {
    let mut pending = Vec::new();
    while let Ok(lines) = receiver.recv() {
        pending.extend_from_slice(&lines);
        receiver.try_iter().for_each(|lines| pending.extend_from_slice(&lines));
        file.write_all(&pending).expect("room");
        if file.metadata().expect("its length").len() > RETAIN_BYTES {
            file.set_len(0).expect("an empty file");
        }
        pending.clear();
        thread::sleep(Duration::from_millis(5));
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
