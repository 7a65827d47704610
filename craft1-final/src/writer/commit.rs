//! The writer's thread: chunks from all event loops to the end of the file, in groups.
//!
//! What always holds: a group is what waited when the thread looked, so while one is written or
//! synced the next one gathers by itself, and the slower the disk is, the more requests share
//! a sync (group commit: `DeWitt` and others, "Implementation Techniques for Main Memory Database
//! Systems", 1984). A verdict is given when the group is where the acknowledgement says, and never
//! before. A group stands in the file whole, or not at all.
//!
//! Under `accepted` nobody waits for the thread. While there is traffic it sleeps for
//! [`Options::linger`](super::Options) between two looks, or shorter where much comes, so that no
//! loop spends a system call on waking it, and a core that it shares with a loop changes hands less
//! often. Without traffic it sleeps until the first chunk.
//!
//! Under `durable` a fast disk would sync before a crowd of clients has come together again. So after
//! a group of many requests the thread waits a moment for the next one (`PostgreSQL`'s `commit_delay`,
//! which also asks for siblings first). A client that is alone is never kept waiting.
//!
//! What the disk refuses is not lost under `accepted`: the group waits and is tried again. Under the
//! other words its clients are told at once, and so are those that come until the disk takes as
//! many blanks as that group had bytes. Nobody has to send a metric to find out.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use craft1_phase1::service::Unstored;
use craft1_phase4::ack::Ack;

use super::Waker;
use super::counters::Counters;
use super::failure::Failed;
use super::linger::Linger;
use super::outbox::{Chunk, Emptied};
use super::pause::Pause;
use super::segments::Segments;
use crate::ring::mpsc::{self, Woken};
use crate::ring::spsc_cached;

/// Chunks of one system call. The kernel takes 1,024; the last of these add nothing to a group of
/// small chunks that a sync would not hide.
const GROUP_CHUNKS_MAX: usize = 64;

/// A group that has so many bytes takes no further chunk: beyond that a write only keeps those
/// waiting who came first.
const GROUP_BYTES_MAX: usize = 1024 * 1024;

/// Requests of a group from which on its clients are a crowd, and the pause in which they come
/// together: about what a loop takes for a hundred requests, and twice what a good disk takes for a
/// sync.
const CROWD_REQUESTS: u64 = 16;
const CROWD_PAUSE: Duration = Duration::from_millis(1);

/// The thread's own: everything between the ring and the disk.
#[derive(Debug)]
pub(super) struct Committer {
    chunks: mpsc::Consumer<Chunk>,
    event_loops: Vec<EventLoop>,
    segments: Segments,
    /// What is being written.
    group: Vec<Chunk>,
    /// Whether the last group had many requests.
    is_crowded: bool,
    /// The disk refused a group, and when it is asked again.
    refusal: Option<Refusal>,
    pace: Pace,
    pause: Pause,
    counters: Arc<Counters>,
}

/// The way back to an event loop.
pub(super) struct EventLoop {
    pub(super) emptied: spsc_cached::Producer<Emptied>,
    pub(super) waker: Waker,
    /// Whether it got something that it was not woken for.
    pub(super) is_to_be_woken: bool,
}

impl std::fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventLoop").finish_non_exhaustive()
    }
}

/// When the thread does something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) ack: Ack,
    pub(super) linger: Duration,
    pub(super) retry: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Refusal {
    probe_len: usize,
    next_probe: Instant,
}

impl Committer {
    pub(super) fn new(
        chunks: mpsc::Consumer<Chunk>,
        event_loops: Vec<EventLoop>,
        segments: Segments,
        pace: Pace,
        pause: Pause,
        counters: Arc<Counters>,
    ) -> Self {
        let group = Vec::with_capacity(GROUP_CHUNKS_MAX);
        let (is_crowded, refusal) = (false, None);
        Self { chunks, event_loops, segments, group, is_crowded, refusal, pace, pause, counters }
    }

    /// Writes until every outbox is gone and nothing waits any more, and syncs.
    pub(super) fn run(mut self) -> Result<(), Failed> {
        let (mut is_flowing, mut linger) = (false, Linger::new(self.pace.linger));
        loop {
            if !is_flowing && self.chunks.wait(self.next_due()) == Woken::Closed {
                return self.segments.finish();
            }
            match self.pace.ack {
                Ack::Accepted => self.pause.wait(linger.next()),
                Ack::Durable if self.is_crowded => self.pause.wait(CROWD_PAUSE),
                Ack::Stored | Ack::Durable => {}
            }
            let committed_bytes = self.commit();
            linger.gathered(committed_bytes);
            is_flowing = committed_bytes > 0;
            self.look_after_the_disk();
        }
    }

    /// How long the thread may sleep although nothing comes.
    fn next_due(&self) -> Option<Duration> {
        let now = Instant::now();
        match self.refusal {
            Some(Refusal { next_probe, .. }) => Some(next_probe.saturating_duration_since(now)),
            None => self.segments.next_due(now),
        }
    }

    /// Commits what waits now. Returns how many bytes that were.
    fn commit(&mut self) -> u64 {
        // ANCHOR: commit
        let mut committed_bytes = 0;
        loop {
            let is_full = self.gather();
            if self.group.is_empty() {
                return committed_bytes;
            }
            committed_bytes += self.group.iter().map(|it| it.lines.len() as u64).sum::<u64>();
            let result = self.store();
            self.count(result);
            self.give_back(result);
            self.segments.release();
            if !is_full {
                return committed_bytes;
            }
        }
        // ANCHOR_END: commit
    }

    /// Returns whether there may be more than fits into the group.
    fn gather(&mut self) -> bool {
        // ANCHOR: gather
        let mut len = 0;
        while len < GROUP_BYTES_MAX && self.group.len() < GROUP_CHUNKS_MAX {
            let Some(chunk) = self.chunks.pop() else { return false };
            len += chunk.lines.len();
            self.group.push(chunk);
        }
        true
        // ANCHOR_END: gather
    }

    fn store(&mut self) -> Result<(), Unstored> {
        if self.pace.ack != Ack::Accepted && self.refusal.is_some() {
            return Err(Unstored::Unwritable);
        }
        loop {
            // Asked first: what fails after the end has begun was given its last try.
            let is_stopping = self.counters.is_stopping.load(Relaxed);
            match self.append() {
                Ok(()) => return Ok(()),
                Err(()) if self.pace.ack == Ack::Accepted && !is_stopping => {
                    self.pause.wait(self.pace.retry);
                }
                Err(()) => return Err(Unstored::Unwritable),
            }
        }
    }

    fn append(&mut self) -> Result<(), ()> {
        let mut lines = [IoSlice::new(&[]); GROUP_CHUNKS_MAX];
        for (slice, chunk) in lines.iter_mut().zip(&self.group) {
            *slice = IoSlice::new(&chunk.lines);
        }
        let lines = &mut lines[..self.group.len()];
        let len = lines.iter().map(|it| it.len()).sum();
        let result = self.segments.append(lines, Instant::now());
        self.note(result, len)
    }

    /// Asks again a disk that refused, and closes a segment that got old while nothing came.
    fn look_after_the_disk(&mut self) {
        let now = Instant::now();
        let (result, probe_len) = match self.refusal {
            Some(Refusal { next_probe, .. }) if now < next_probe => return,
            Some(Refusal { probe_len, .. }) => (self.segments.probe(probe_len), probe_len),
            None => (self.segments.age(now), 1),
        };
        let _ = self.note(result, probe_len);
    }

    /// Keeps what the disk said, for whoever asks and for the log.
    fn note(&mut self, result: Result<(), Failed>, probe_len: usize) -> Result<(), ()> {
        match result {
            Ok(()) => {
                self.refusal = None;
                if self.counters.recovered() {
                    tracing::info!("the data file can be written again");
                }
                Ok(())
            }
            Err(failed) => {
                let next_probe = Instant::now() + self.pace.retry;
                self.refusal = Some(Refusal { probe_len, next_probe });
                if self.counters.failed(&failed) {
                    tracing::error!(error = %failed.error, "{}", failed.failure());
                }
                Err(())
            }
        }
    }

    fn count(&mut self, result: Result<(), Unstored>) {
        let counters = &self.counters;
        let requests: u64 = self.group.iter().map(|it| u64::from(it.requests)).sum();
        self.is_crowded = requests >= CROWD_REQUESTS;
        let metrics = self.group.iter().map(|it| u64::from(it.metrics)).sum();
        if result.is_err() {
            counters.unstored_requests.fetch_add(requests, Relaxed);
            counters.unstored_metrics.fetch_add(metrics, Relaxed);
            return;
        }
        counters.stored_requests.fetch_add(requests, Relaxed);
        counters.stored_metrics.fetch_add(metrics, Relaxed);
        counters.chunks.fetch_add(self.group.len() as u64, Relaxed);
        let now = Instant::now();
        for chunk in &self.group {
            let lag = now.saturating_duration_since(chunk.since);
            counters.lag.observe_times(lag, u64::from(chunk.requests));
        }
    }

    /// Gives the chunks back with their verdict, and wakes each loop that got one.
    fn give_back(&mut self, result: Result<(), Unstored>) {
        // ANCHOR: give_back
        for Chunk { lines, outbox, requests, .. } in self.group.drain(..) {
            let event_loop = &mut self.event_loops[outbox as usize];
            let emptied = Emptied { lines, requests, result };
            event_loop.emptied.push(emptied).expect("the ring has a place for every chunk");
            event_loop.is_to_be_woken = true;
        }
        for event_loop in &mut self.event_loops {
            if std::mem::take(&mut event_loop.is_to_be_woken) {
                (event_loop.waker)();
            }
        }
        // ANCHOR_END: give_back
    }
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
