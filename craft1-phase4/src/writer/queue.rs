//! What waits for the writer: batches that many requests fill and one thread empties.
//!
//! What always holds: the queue never holds more than its bounds, what the thread has in its hands
//! included; batches are taken in the order in which they were begun, each with the lines of whole
//! requests; and whoever waits for a verdict gets one.
//!
//! To hand over is to copy the lines behind those that wait, under a lock that nobody holds for
//! longer than that. It costs no allocation, no switch to another thread and, unless the writer is
//! asleep because there was nothing to do, no system call: while it lets lines gather, nobody wakes
//! it but the request that fills a batch.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use craft1_phase1::service::Unstored;
use tokio::sync::watch;

use super::Options;
use super::failure::Failure;
use super::numbers::{Load, Numbers};
use crate::ack::Ack;

/// Emptied buffers that are kept to be filled again: the one that was just written, and the one that
/// fills meanwhile.
const SPARE_BUFFERS_MAX: usize = 2;

/// The queue between the requests and the writer's thread.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) options: Options,
    state: Mutex<State>,
    /// The thread waits on it, and nobody else.
    thread: Condvar,
}

/// Lines of whole requests that are written together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) lines: Vec<u8>,
    pub(super) load: Load,
    /// Where requests wait: one message for all of them.
    verdict: Option<watch::Sender<Option<Verdict>>>,
}

/// What became of a batch.
pub(super) type Verdict = Result<(), Unstored>;

/// Where a request hears what became of its batch.
pub(super) type Waiter = watch::Receiver<Option<Verdict>>;

#[derive(Debug, Default)]
struct State {
    /// The last one is being filled.
    batches: VecDeque<Batch>,
    spare_buffers: Vec<Vec<u8>>,
    /// What the thread waits for, where it does and nobody has called it yet.
    rest: Option<Rest>,
    is_closed: bool,
    numbers: Numbers,
}

/// What the thread can wait for, beside the end.
#[derive(Debug, Clone, Copy)]
enum Rest {
    /// For anything to be handed over.
    Lines,
    /// For a batch to be full, or this long.
    FullBatch(Duration),
    /// This long.
    Time(Duration),
}

impl Queue {
    pub(super) fn new(options: Options) -> Self {
        Self { options, state: Mutex::default(), thread: Condvar::new() }
    }

    /// Takes the lines of one request over. Returns where to hear what becomes of them, unless it is
    /// enough to know that they wait.
    pub(super) fn push(&self, lines: &[u8], metrics: usize) -> Result<Option<Waiter>, Unstored> {
        // ANCHOR: push
        let load = Load { bytes: lines.len(), requests: 1, metrics: metrics as u64 };
        let mut state = self.lock();
        if let Some(reason) = state.objection(load, &self.options) {
            state.numbers.refuse(load, reason);
            return Err(reason);
        }
        let batch = state.batch_with_room(load, &self.options);
        batch.lines.extend_from_slice(lines);
        batch.load += load;
        let waiter = batch.verdict.as_ref().map(watch::Sender::subscribe);
        state.numbers.take(load, self.options.ack);
        let calls = state.calls_the_thread();
        drop(state);
        if calls {
            self.thread.notify_one();
        }
        Ok(waiter)
        // ANCHOR_END: push
    }

    /// For the thread: waits for the next batch. `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Batch> {
        // ANCHOR: take
        let mut state = self.lock();
        // Whoever waits for a verdict is not made to wait for company as well: what comes while one
        // batch is written is the next one.
        if self.options.ack == Ack::Accepted {
            state = self.rest(state, Rest::FullBatch(self.options.linger));
        }
        state = self.rest(state, Rest::Lines);
        state.batches.pop_front()
        // ANCHOR_END: take
    }

    /// For the thread: the next batch, if there is one.
    pub(super) fn try_take(&self) -> Option<Batch> {
        self.lock().batches.pop_front()
    }

    /// For the thread: waits, unless the queue is closed, and says whether it is.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        self.rest(self.lock(), Rest::Time(pause)).is_closed
    }

    /// For the thread: tells whoever waits what became of a batch that was taken.
    pub(super) fn settle(&self, batch: Batch, verdict: Verdict) {
        let Batch { lines, load, verdict: waiting } = batch;
        let mut state = self.lock();
        state.numbers.settle(load, verdict, self.options.ack);
        state.keep(lines);
        drop(state);
        if let Some(waiting) = waiting {
            waiting.send_replace(Some(verdict));
        }
    }

    /// For the thread: what keeps it from writing from now on, or that nothing does. Returns what
    /// it was before.
    pub(super) fn set_failure(&self, failure: Option<Failure>) -> Option<Failure> {
        mem::replace(&mut self.lock().numbers.failure, failure)
    }

    /// Takes nothing more. What waits is still to be written.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.thread.notify_one();
    }

    /// Takes nothing more, and forgets what waits: there is nobody left to write it.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.numbers.failure = Some(Failure::Defect);
        // Whoever waits hears it, because the other end of its channel is gone.
        state.batches.clear();
    }

    pub(super) fn numbers(&self) -> Numbers {
        self.lock().numbers
    }

    fn rest<'q>(&'q self, mut state: MutexGuard<'q, State>, rest: Rest) -> MutexGuard<'q, State> {
        state.rest = Some(rest);
        let goes_on = |state: &mut State| !state.is_over(rest);
        state = match rest {
            Rest::Lines => {
                self.thread.wait_while(state, goes_on).unwrap_or_else(PoisonError::into_inner)
            }
            Rest::FullBatch(time) | Rest::Time(time) => {
                let waited = self.thread.wait_timeout_while(state, time, goes_on);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.rest = None;
        state
    }

    /// A poisoned lock is taken all the same: nothing panics between two halves of a change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Why there is no room for `load`, if there is none.
    fn objection(&self, load: Load, options: &Options) -> Option<Unstored> {
        let waiting = self.numbers.waiting;
        // ANCHOR: bound
        // One request always has room: else one that is longer than the bound never had.
        let is_full = waiting.requests >= options.queue_requests_max
            || (waiting.requests > 0 && waiting.bytes + load.bytes > options.queue_bytes_max);
        // ANCHOR_END: bound
        match self.numbers.failure {
            Some(Failure::Defect) => Some(Unstored::Unwritable),
            _ if self.is_closed => Some(Unstored::Stopping),
            // Who would only hear `Ok` once it is written hears at once that it is not.
            Some(_) if is_full || options.ack != Ack::Accepted => Some(Unstored::Unwritable),
            _ => is_full.then_some(Unstored::QueueFull),
        }
    }

    /// The batch that is being filled, or a new one where it is full.
    fn batch_with_room(&mut self, load: Load, options: &Options) -> &mut Batch {
        // ANCHOR: batch_with_room
        let has_room = |batch: &Batch| batch.lines.len() + load.bytes <= options.batch_bytes_max;
        if !self.batches.back().is_some_and(has_room) {
            let new_buffer = || Vec::with_capacity(options.batch_bytes_max);
            let lines = self.spare_buffers.pop().unwrap_or_else(new_buffer);
            let verdict = (options.ack != Ack::Accepted).then(|| watch::Sender::new(None));
            self.batches.push_back(Batch { lines, load: Load::default(), verdict });
        }
        self.batches.back_mut().expect("there is one now")
        // ANCHOR_END: batch_with_room
    }

    /// Whether the thread is to be woken; once for each rest.
    fn calls_the_thread(&mut self) -> bool {
        let is_over = self.rest.is_some_and(|rest| self.is_over(rest));
        if is_over {
            self.rest = None;
        }
        is_over
    }

    fn is_over(&self, rest: Rest) -> bool {
        let is_there = match rest {
            Rest::Lines => !self.batches.is_empty(),
            // The first one is full once a second one is begun.
            Rest::FullBatch(_) => self.batches.len() > 1,
            Rest::Time(_) => false,
        };
        is_there || self.is_closed
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        if self.spare_buffers.len() < SPARE_BUFFERS_MAX {
            buffer.clear();
            self.spare_buffers.push(buffer);
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
