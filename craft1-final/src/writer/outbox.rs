//! One event loop's way to the writer.
//!
//! What always holds: lines are appended once, where the writer will write them from; they reach the
//! file in the order in which they were taken, those of a request next to each other; and a verdict
//! tells of requests in the same order. The memory of an outbox is bounded, and nothing is allocated
//! once it has as much as the load needs: chunks come back from the writer and are filled again.
//!
//! The loop fills one chunk while the writer has others. At the end of a turn the chunk goes to the
//! writer if that has nothing else to do, or not much; else it stays and is filled further. So the
//! writer is given a few large chunks when it is slow, and small ones at once when it is not. It
//! wakes the loop whenever it gives chunks back, and the turn that follows hands over what stayed.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use craft1_phase1::service::Unstored;
use craft1_phase4::ack::Ack;

use super::counters::{Counters, Taken};
use super::pause::Pause;
use crate::ring::{mpsc, spsc_cached};

/// Room in a new chunk, in bytes. Twice what is handed over at once, so that a request of a thousand
/// metrics fits behind what is there already.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;

/// A chunk of this size goes to the writer, whatever that does: large enough to make the cost of a
/// system call vanish, small enough for several of them to stay in a second-level cache.
const FULL_BYTES: usize = CHUNK_BYTES / 2;

/// Under `accepted` nobody waits for the writer, which has one chunk of a loop while the next one is
/// filled.
const IN_FLIGHT_ACCEPTED: usize = 1;

/// Where clients wait, each turn's lines go to the writer, so that its next group is there when it
/// is done with the one before. More turns than this do not fit into a sync of a good disk.
const IN_FLIGHT_WAITING: usize = 64;

/// How long a turn waits at most for a writer that is behind: 5 ms, in which a client does not feel
/// refused and a disk takes megabytes. In steps, because it is enough that one chunk comes back.
const CATCH_UP_STEPS: usize = 20;
const CATCH_UP_STEP: Duration = Duration::from_micros(250);

/// The number of a request that was taken. It grows by one with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What became of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The last of them. The first one is behind the last of the verdict before.
    pub up_to: Ticket,
    /// Whether their metrics are where a 202 says that they are.
    pub result: Result<(), Unstored>,
}

/// Lines of some requests, on their way to the writer.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) lines: Vec<u8>,
    /// When the first request was received.
    pub(super) since: Instant,
    /// The number of the outbox.
    pub(super) outbox: u32,
    pub(super) requests: u32,
    pub(super) metrics: u32,
}

/// A chunk on its way back.
#[derive(Debug)]
pub(super) struct Emptied {
    pub(super) lines: Vec<u8>,
    pub(super) requests: u32,
    pub(super) result: Result<(), Unstored>,
}

/// Where an event loop puts the lines of its requests.
///
/// In each turn the loop [`take`](Self::take)s what it appended to [`lines`](Self::lines) for each
/// request, asks for every [`verdict`](Self::verdict), and [`flush`](Self::flush)es at the end, also
/// where the turn brought nothing. It has a turn whenever its waker was called. Dropping an outbox
/// hands over what it still has.
#[derive(Debug)]
pub struct Outbox {
    number: u32,
    writer: mpsc::Producer<Chunk>,
    emptied: spsc_cached::Consumer<Emptied>,
    filling: Filling,
    /// Full chunks of this turn.
    full: Vec<Filling>,
    /// Chunks to be filled.
    free: Vec<Vec<u8>>,
    /// Chunks that the writer has.
    in_flight: usize,
    in_flight_max: usize,
    /// Room in all chunks, wherever they are.
    room_bytes: usize,
    room_bytes_max: usize,
    taken: Ticket,
    answered: Ticket,
    ack: Ack,
    pause: Pause,
    counters: Arc<Counters>,
}

/// The chunk that is being filled.
#[derive(Debug, Default)]
struct Filling {
    lines: Vec<u8>,
    /// Up to here they were taken.
    taken_len: usize,
    /// Room in it when it was counted last.
    room_bytes: usize,
    since: Option<Instant>,
    requests: u32,
    metrics: u32,
}

impl Filling {
    fn has_room(&self) -> bool {
        self.lines.len() < FULL_BYTES && self.room_bytes > 0
    }
}

/// How many chunks an outbox with so much memory can have.
pub(super) const fn chunks_max(room_bytes_max: usize) -> usize {
    room_bytes_max / CHUNK_BYTES
}

/// An outbox cannot do with less: a chunk to be filled and one to be written.
pub(super) const ROOM_BYTES_MIN: usize = 2 * CHUNK_BYTES;

impl Outbox {
    /// # Panics
    /// If `room_bytes_max` is below [`ROOM_BYTES_MIN`].
    pub(super) fn new(
        number: u32,
        room_bytes_max: usize,
        ack: Ack,
        writer: mpsc::Producer<Chunk>,
        emptied: spsc_cached::Consumer<Emptied>,
        pause: Pause,
        counters: Arc<Counters>,
    ) -> Self {
        assert!(room_bytes_max >= ROOM_BYTES_MIN, "an outbox needs {ROOM_BYTES_MIN} bytes");
        let wanted = if ack == Ack::Accepted { IN_FLIGHT_ACCEPTED } else { IN_FLIGHT_WAITING };
        let mut outbox = Self {
            number,
            writer,
            emptied,
            filling: Filling::default(),
            full: Vec::with_capacity(chunks_max(room_bytes_max)),
            free: Vec::with_capacity(chunks_max(room_bytes_max)),
            in_flight: 0,
            in_flight_max: wanted.min(chunks_max(room_bytes_max) / 2),
            room_bytes: 0,
            room_bytes_max,
            taken: Ticket(0),
            answered: Ticket(0),
            ack,
            pause,
            counters,
        };
        outbox.filling = outbox.empty();
        outbox
    }

    /// Whether another request may be taken. Where not, it is to be answered 503: the disk is slower
    /// than the clients, and the memory for what waits is used up.
    pub fn has_room(&self) -> bool {
        self.filling.has_room() || !self.free.is_empty() || self.may_allocate()
    }

    /// Where the lines of the request at hand are appended.
    pub fn lines(&mut self) -> &mut Vec<u8> {
        if self.filling.room_bytes == 0 && self.filling.lines.is_empty() {
            self.filling = self.empty();
        }
        &mut self.filling.lines
    }

    /// Takes what was appended since the last request as the lines of one more, and `metrics` as
    /// their number.
    pub fn take(&mut self, metrics: usize) -> Ticket {
        let filling = &mut self.filling;
        filling.taken_len = filling.lines.len();
        filling.requests += 1;
        // A request has at most a thousand, and a chunk is handed over long before four billion.
        filling.metrics += u32::try_from(metrics).unwrap_or(u32::MAX);
        self.room_bytes += filling.lines.capacity() - filling.room_bytes;
        filling.room_bytes = filling.lines.capacity();
        let cell = &self.cells().metrics;
        // Not `fetch_add`: nobody else writes here.
        cell.store(cell.load(Relaxed) + metrics as u64, Relaxed);
        if self.filling.lines.len() >= FULL_BYTES {
            let next = self.empty();
            self.full.push(mem::replace(&mut self.filling, next));
        }
        self.taken.0 += 1;
        self.taken
    }

    /// Forgets what was appended since the last request.
    pub fn undo(&mut self) {
        self.filling.lines.truncate(self.filling.taken_len);
    }

    /// Ends a turn: hands over what was taken, unless the writer is busy and there is little of it.
    /// `now` is when the requests of this turn were received.
    ///
    /// # Panics
    /// If much more was taken than there was room for.
    pub fn flush(&mut self, now: Instant) {
        self.undo();
        if self.ack == Ack::Accepted {
            while self.recycle().is_some() {}
        }
        self.hand_over_full(now);
        if self.filling.requests > 0 {
            self.filling.since.get_or_insert(now);
            if self.in_flight < self.in_flight_max {
                let next = self.empty();
                let filled = mem::replace(&mut self.filling, next);
                self.push(filled, now);
            }
        }
        if self.ack == Ack::Accepted {
            self.let_the_writer_catch_up();
        }
        self.cells().is_nearly_full.store(self.is_nearly_full(), Relaxed);
    }

    fn is_nearly_full(&self) -> bool {
        self.in_flight >= (3 * chunks_max(self.room_bytes_max)).div_ceil(4)
    }

    /// Clients who wait for a moment are better off than clients who are refused, and where the two
    /// threads share a processor, the loop would keep the writer from working. A disk that is slow for
    /// longer shows in 503.
    fn let_the_writer_catch_up(&mut self) {
        for _ in 0..CATCH_UP_STEPS {
            while self.recycle().is_some() {}
            if !self.is_nearly_full() {
                return;
            }
            self.pause.wait(CATCH_UP_STEP);
        }
    }

    /// The next verdict, in the order of tickets. There is none under `accepted`, which promises
    /// nothing that would have to be waited for.
    pub fn verdict(&mut self) -> Option<Verdict> {
        if self.ack == Ack::Accepted {
            return None;
        }
        self.recycle()
    }

    /// Takes back a chunk that the writer is done with.
    fn recycle(&mut self) -> Option<Verdict> {
        let Emptied { mut lines, requests, result } = self.emptied.pop()?;
        self.in_flight -= 1;
        if lines.capacity() > CHUNK_BYTES {
            // It grew for a request of unusual size. Its memory is for many.
            self.room_bytes -= lines.capacity();
        } else {
            lines.clear();
            self.free.push(lines);
        }
        self.answered.0 += u64::from(requests);
        Some(Verdict { up_to: self.answered, result })
    }

    fn hand_over_full(&mut self, now: Instant) {
        let mut full = mem::take(&mut self.full);
        full.drain(..).for_each(|filled| self.push(filled, now));
        // Back to where its memory is used again.
        self.full = full;
    }

    fn push(&mut self, Filling { lines, since, requests, metrics, .. }: Filling, now: Instant) {
        let since = since.unwrap_or(now);
        let chunk = Chunk { lines, since, outbox: self.number, requests, metrics };
        self.writer.push(chunk).expect("the ring has a place for every chunk of every outbox");
        self.in_flight += 1;
    }

    /// An empty chunk, or one without room where all of them are in use.
    fn empty(&mut self) -> Filling {
        let lines = match self.free.pop() {
            Some(lines) => lines,
            None if self.may_allocate() => {
                self.room_bytes += CHUNK_BYTES;
                Vec::with_capacity(CHUNK_BYTES)
            }
            None => Vec::new(),
        };
        Filling { room_bytes: lines.capacity(), lines, ..Filling::default() }
    }

    fn may_allocate(&self) -> bool {
        self.room_bytes + CHUNK_BYTES <= self.room_bytes_max
    }

    fn cells(&self) -> &Taken {
        &self.counters.outboxes[self.number as usize]
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.undo();
        let now = Instant::now();
        self.hand_over_full(now);
        if self.filling.requests > 0 {
            let filled = mem::take(&mut self.filling);
            self.push(filled, now);
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
