//! Lab test: what the writer and its outboxes take from the heap, counted.
//!
//! What always holds: once there are as many chunks as the load needs, nothing is allocated, neither
//! by a loop nor by the writer's thread; and what waits never takes more memory than it may.
//!
//! The counting allocator is the whole program's. So all of it is one test.

#[expect(dead_code, reason = "each lab uses its part of the rig")]
mod rig;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

use craft1_final::writer::disk::Disk;
use craft1_final::writer::{Options, Outbox, Waker, Writer};
use craft1_phase3::json;
use craft1_phase4::ack::Ack;
use testkit::{DataFolder, wait_until};

use rig::{Call, Fate, Gate, disk, line, options};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// How often each count is taken. What else the program allocates meanwhile can only add to it.
const TRIES: usize = 5;

/// Rings, counters and buffers beside the chunks.
const REST_BYTES: usize = 512 * 1024;

fn start(folder: &DataFolder, options: Options, disk: Disk) -> (Writer, Outbox, Arc<AtomicUsize>) {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let waker: Waker = Box::new(move || {
        count.fetch_add(1, SeqCst);
    });
    let (writer, mut outboxes) =
        Writer::start_on(disk, &folder.data_file(), json::parse, options, vec![waker]).unwrap();
    (writer, outboxes.remove(0), woken)
}

/// Turns of a hundred requests each, until all of them are stored.
fn turns(writer: &Writer, outbox: &mut Outbox, line: &str) {
    let before = writer.status().stored_metrics;
    for _ in 0..50 {
        for _ in 0..100 {
            outbox.lines().extend_from_slice(line.as_bytes());
            outbox.take(1);
        }
        outbox.flush(Instant::now());
        while outbox.verdict().is_some() {}
    }
    wait_until("all is stored", || {
        outbox.flush(Instant::now());
        while outbox.verdict().is_some() {}
        writer.status().stored_metrics == before + 50 * 100
    });
}

/// Blocks that the program takes in its quietest try.
fn blocks(mut work: impl FnMut()) -> u64 {
    let mut count = || {
        let before = dhat::HeapStats::get().total_blocks;
        work();
        dhat::HeapStats::get().total_blocks - before
    };
    (0..TRIES).map(|_| count()).min().expect("one try or more")
}

/// What waits for a writer that stands still, in bytes of the heap. Once the writer has gone on, no
/// more than `staying_max` of it stays.
fn bytes_that_wait(options: Options, line: &str, staying_max: usize) -> usize {
    let folder = DataFolder::new();
    let gate = Gate::default();
    let at_the_gate = gate.clone();
    let held = disk(move |call| {
        if call == Call::Write {
            at_the_gate.pass();
        }
        Fate::Works
    });
    let before = dhat::HeapStats::get().curr_bytes;
    let (writer, mut outbox, _) = start(&folder, options, held);
    while outbox.has_room() {
        outbox.lines().extend_from_slice(line.as_bytes());
        outbox.take(1);
        outbox.flush(Instant::now());
    }
    let waiting = dhat::HeapStats::get().curr_bytes - before;
    gate.open();
    wait_until("the memory is given back", || {
        outbox.flush(Instant::now());
        while outbox.verdict().is_some() {}
        dhat::HeapStats::get().curr_bytes <= before + staying_max
    });
    drop(outbox);
    writer.finish().unwrap();
    waiting
}

#[test]
fn nothing_is_allocated_for_a_request_and_what_waits_is_bounded() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let line = line("cpu_usage");
    for ack in [Ack::Accepted, Ack::Stored, Ack::Durable] {
        let folder = DataFolder::new();
        let (writer, mut outbox, woken) = start(&folder, options(ack), disk(|_| Fate::Works));
        turns(&writer, &mut outbox, &line);
        assert_eq!(blocks(|| turns(&writer, &mut outbox, &line)), 0, "{ack:?}");
        assert!(woken.load(SeqCst) > 0);
        drop(outbox);
        writer.finish().unwrap();
    }

    for queue_bytes in [1, 8, 32].map(|it| it * 1024 * 1024) {
        for (ack, line) in [
            (Ack::Accepted, line.repeat(100)),
            (Ack::Stored, line.repeat(100)),
            // Longer than a chunk.
            (Ack::Stored, line.repeat(40_000)),
        ] {
            let options = Options { queue_bytes: queue_bytes as u64, ..options(ack) };
            let waiting = bytes_that_wait(options, &line, queue_bytes + REST_BYTES);
            // A request that is taken last may exceed the bound by itself; a vector doubles.
            let bound = queue_bytes + 2 * line.len() + REST_BYTES;
            assert!(waiting <= bound, "{waiting} bytes wait, over {bound}");
        }
    }
}
