//! Lab tests: what belongs to a group, what does not fit into it, and when its loops are woken.
//!
//! What the writer's thread does is told by the disk and by the wakers, which it calls itself, so it
//! comes in one order. A waker plays its loop as well: it looks for verdicts the moment it is called.

#[expect(dead_code, reason = "each lab uses its part of the rig")]
mod rig;

use std::fs::File;
use std::io::{IoSlice, Write};
use std::iter;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use craft1_final::writer::disk::Disk;
use craft1_final::writer::{Outbox, Waker, Writer};
use craft1_phase3::json;
use craft1_phase4::ack::Ack;
use testkit::{DEADLINE, DataFolder, Watchdog};

use rig::{Gate, line, options};

/// Most chunks of a group: no more fit into one system call that the writer makes.
const CHUNKS_MAX: usize = 64;

/// A chunk of so many bytes goes to the writer by itself, and eight of them are all that a group takes.
const CHUNK_BYTES: usize = 128 * 1024;

/// What the writer's thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// So many bytes in one call.
    Wrote(usize),
    Synced,
    /// The loop of this number, which found so many verdicts.
    Woke(usize, usize),
}

use Deed::{Synced, Woke, Wrote};

/// An outbox, where both the test and the waker find it.
type Place = Arc<Mutex<Option<Outbox>>>;

/// A writer with loops that are played.
struct Played {
    writer: Writer,
    outboxes: Vec<Place>,
    deeds: Receiver<Deed>,
    /// Every sync waits here until it is opened.
    gate: Gate,
    _folder: DataFolder,
}

impl Played {
    fn start(ack: Ack, loops: usize) -> Self {
        let (folder, gate) = (DataFolder::new(), Gate::default());
        let (sender, deeds) = channel();
        let outboxes: Vec<_> = (0..loops).map(|_| Place::default()).collect();
        let waker = |(number, place)| waker(number, Arc::clone(place), sender.clone());
        let wakers = iter::zip(0.., &outboxes).map(waker).collect();
        let disk = disk(gate.clone(), sender);
        let path = folder.data_file();
        let (writer, started) =
            Writer::start_on(disk, &path, json::parse, options(ack), wakers).unwrap();
        for (place, outbox) in iter::zip(&outboxes, started) {
            *place.lock().unwrap() = Some(outbox);
        }
        Self { writer, outboxes, deeds, gate, _folder: folder }
    }

    /// A turn of a loop in which one request comes.
    fn send(&self, number: usize, lines: &str) {
        let mut place = self.outboxes[number].lock().unwrap();
        let outbox = place.as_mut().unwrap();
        outbox.lines().extend_from_slice(lines.as_bytes());
        outbox.take(1);
        outbox.flush(Instant::now());
    }

    #[track_caller]
    fn next(&self) -> Deed {
        self.deeds.recv_timeout(DEADLINE).expect("the writer goes on")
    }

    /// The calls in which so many bytes are written.
    #[track_caller]
    fn writes_of(&self, bytes: usize) -> Vec<usize> {
        let mut writes = Vec::new();
        while writes.iter().sum::<usize>() < bytes {
            if let Wrote(len) = self.next() {
                writes.push(len);
            }
        }
        writes
    }

    fn end(self) {
        let _watchdog = Watchdog::start();
        self.outboxes.iter().for_each(|place| drop(place.lock().unwrap().take()));
        self.writer.finish().unwrap();
    }
}

fn waker(number: usize, place: Place, deeds: Sender<Deed>) -> Waker {
    Box::new(move || {
        let mut place = place.lock().unwrap();
        let verdicts = iter::from_fn(|| place.as_mut()?.verdict()).count();
        deeds.send(Woke(number, verdicts)).unwrap_or_default();
    })
}

fn disk(gate: Gate, deeds: Sender<Deed>) -> Disk {
    let told = deeds.clone();
    let write = move |mut file: &File, buffers: &[IoSlice<'_>]| {
        let len = file.write_vectored(buffers)?;
        told.send(Wrote(len)).unwrap_or_default();
        Ok(len)
    };
    let sync = move |_: &File| {
        gate.pass();
        deeds.send(Synced).unwrap_or_default();
        Ok(())
    };
    Disk { write: Box::new(write), sync: Box::new(sync), ..Disk::default() }
}

#[test]
fn a_loop_is_woken_when_its_lines_are_stored_and_its_verdict_is_there() {
    let line = line("m");
    let wrote = Wrote(line.len());
    for (ack, expected) in
        [(Ack::Stored, &[wrote, Woke(0, 1)][..]), (Ack::Durable, &[wrote, Synced, Woke(0, 1)])]
    {
        let played = Played::start(ack, 1);
        played.gate.open();
        for _ in 0..3 {
            played.send(0, &line);
            let deeds: Vec<_> = expected.iter().map(|_| played.next()).collect();
            assert_eq!(deeds, expected, "{ack:?}");
        }
        played.end();
    }
}

#[test]
fn a_loop_is_woken_once_a_group_however_many_of_its_chunks_are_in_it() {
    let line = line("m");
    let played = Played::start(Ack::Durable, 2);
    played.send(0, &line);
    assert_eq!(played.next(), Wrote(line.len()));
    // While that is synced.
    for number in [0, 1, 0, 1, 0] {
        played.send(number, &line);
    }
    played.gate.open();
    assert_eq!(
        [(); 4].map(|()| played.next()),
        [Synced, Woke(0, 1), Wrote(5 * line.len()), Synced]
    );
    let mut woken = [(); 2].map(|()| played.next());
    woken.sort_unstable();
    assert_eq!(woken, [Woke(0, 3), Woke(1, 2)]);
    played.end();
}

#[test]
fn a_group_takes_so_many_chunks_and_the_others_are_the_next_one() {
    let line = line("m");
    let played = Played::start(Ack::Durable, 2);
    played.send(0, &line);
    assert_eq!(played.next(), Wrote(line.len()));
    for (number, requests) in [(0, CHUNKS_MAX - 1), (1, CHUNKS_MAX)] {
        (0..requests).for_each(|_| played.send(number, &line));
    }
    played.gate.open();
    let writes = played.writes_of((2 * CHUNKS_MAX - 1) * line.len());
    assert_eq!(writes, [CHUNKS_MAX * line.len(), (CHUNKS_MAX - 1) * line.len()]);
    played.end();
}

#[test]
fn a_group_that_has_a_mebibyte_takes_no_further_chunk() {
    let line = line("m");
    let lines = line.repeat(CHUNK_BYTES.div_ceil(line.len()));
    let played = Played::start(Ack::Durable, 1);
    played.send(0, &line);
    assert_eq!(played.next(), Wrote(line.len()));
    (0..20).for_each(|_| played.send(0, &lines));
    played.gate.open();
    let writes = played.writes_of(20 * lines.len());
    assert_eq!(writes, [8, 8, 4].map(|chunks| chunks * lines.len()));
    played.end();
}
