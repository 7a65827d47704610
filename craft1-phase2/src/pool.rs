//! A fixed number of workers, and a bounded queue of jobs in front of them.
//!
//! What always holds: from its start to its end the pool has as many workers as it was made with,
//! and never more jobs inside than its workers and its backlog have room for. Whoever submits never
//! waits: a job that there is no room for comes back at once. A job that was taken is done, also
//! while the pool closes, and jobs begin in the order in which they came.
//!
//! The bounded buffer between producers and consumers is Dijkstra's ("Cooperating sequential
//! processes", 1965). A lock with a condition to wait on is Hoare's monitor (1974), and that whoever
//! wakes must look again, because somebody else may have been faster, is from Mesa (Lampson and
//! Redell, 1980). [`Condvar::wait_while`] looks again for us.
//!
//! First come, first served is fair, and has a price: under overload everybody waits for the whole
//! backlog, and those who have given up meanwhile are served in vain, in front of those who still
//! wait. A backlog is therefore as long as clients are patient, and not as long as memory allows.
//! Servers at Facebook took the newest first under overload (Maurer, "Fail at Scale", 2015).

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::Instant;

use craft1_phase1::histogram::Histogram;
use craft1_phase1::prometheus;

/// Workers with a bounded backlog. It serves during [`Pool::run`].
#[derive(Debug)]
pub struct Pool<J> {
    state: Mutex<State<J>>,
    /// Notified when a job is queued, and when the pool closes.
    changed: Condvar,
    wait: Histogram,
    worker_count: usize,
    backlog_max: usize,
    /// How a worker's thread is made.
    thread: fn() -> thread::Builder,
}

/// What a pool is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Workers that there are.
    pub workers: usize,
    /// Those of them that have a job.
    pub busy: usize,
    /// Jobs that no worker is free for.
    pub queue_depth: usize,
    /// As many of them as there may be.
    pub backlog_max: usize,
    /// Jobs that panicked. Each has cost a worker, which was replaced.
    pub panics: u64,
}

#[derive(Debug)]
struct State<J> {
    queue: VecDeque<Queued<J>>,
    is_open: bool,
    workers: usize,
    busy: usize,
    panics: u64,
}

#[derive(Debug)]
struct Queued<J> {
    job: J,
    since: Instant,
}

impl<J> Pool<J> {
    /// A pool of `workers` threads, where `backlog_max` more jobs can wait. Nothing runs yet.
    pub fn new(workers: usize, backlog_max: usize) -> Self {
        let (queue, is_open) = (VecDeque::new(), false);
        Self {
            state: Mutex::new(State { queue, is_open, workers: 0, busy: 0, panics: 0 }),
            changed: Condvar::new(),
            wait: Histogram::default(),
            worker_count: workers,
            backlog_max,
            thread: || thread::Builder::new().name("worker".into()),
        }
    }

    // ANCHOR: submit
    /// Queues a job, or gives it back where there is no room or the pool is closed.
    ///
    /// What counts is how many jobs are inside. A job that a free worker is about to take does not
    /// use up the backlog, however long that worker needs to wake.
    pub fn try_submit(&self, job: J) -> Result<(), J> {
        // ANCHOR: try_submit
        let mut state = self.lock();
        let inside = state.busy + state.queue.len();
        if !state.is_open || inside >= state.workers.saturating_add(self.backlog_max) {
            return Err(job);
        }
        state.queue.push_back(Queued { job, since: Instant::now() });
        drop(state);
        // One job needs one worker. To wake them all would let the others look in vain.
        self.changed.notify_one();
        Ok(())
        // ANCHOR_END: try_submit
    }

    /// Waits for the next job. There is none once the pool is closed and its queue empty.
    fn next(&self) -> Option<J> {
        // ANCHOR: next
        let must_wait = |state: &mut State<J>| state.queue.is_empty() && state.is_open;
        let state = self.changed.wait_while(self.lock(), must_wait);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let Queued { job, since } = state.queue.pop_front()?;
        state.busy += 1;
        self.wait.observe(since.elapsed());
        Some(job)
        // ANCHOR_END: next
    }
    // ANCHOR_END: submit

    /// Takes no more jobs. Those inside are done.
    pub fn close(&self) {
        self.lock().is_open = false;
        self.changed.notify_all();
    }

    /// Whether no job is inside.
    pub fn is_idle(&self) -> bool {
        let state = self.lock();
        state.busy == 0 && state.queue.is_empty()
    }

    /// What it is busy with, as of one moment.
    pub fn load(&self) -> Load {
        let state = self.lock();
        let State { workers, busy, panics, .. } = *state;
        let queue_depth = (busy + state.queue.len()).saturating_sub(workers);
        Load { workers, busy, queue_depth, backlog_max: self.backlog_max, panics }
    }

    /// Appends its gauges and how long jobs waited, as Prometheus text.
    pub fn render(&self, text: &mut String) {
        let Load { workers, busy, queue_depth, backlog_max, panics } = self.load();
        for (name, value, help) in [
            ("workers", workers as u64, "Workers there are."),
            ("busy_workers", busy as u64, "Workers that serve a connection."),
            ("queue_depth", queue_depth as u64, "Connections that wait for a worker."),
            ("queue_limit", backlog_max as u64, "Connections that may wait for a worker."),
            ("panics_total", panics, "Connections whose worker panicked."),
        ] {
            prometheus::number(text, &format!("ingest_pool_{name}"), help, value);
        }
        let help = "Time that a connection waited for a worker.";
        self.wait.render("ingest_pool_wait_seconds", help, text);
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        // No job runs under the lock, and each change to the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Send> Pool<J> {
    // ANCHOR: run
    /// Starts the workers, each of which calls `work` with one job after the other, and calls
    /// `submit` meanwhile. When `submit` returns, the pool closes, and `run` returns once every job
    /// that was taken is done.
    ///
    /// # Errors
    /// Where the system has no thread for one of the workers, before `submit` is called. To find out
    /// at the start is better than to have fewer workers than were asked for under load.
    pub fn run<T>(&self, work: impl Fn(J) + Sync, submit: impl FnOnce() -> T) -> io::Result<T> {
        // ANCHOR: serve
        let work = &work;
        // The scope joins every thread before it ends.
        thread::scope(|scope| {
            // Dropped before that, so that the workers come to their end, also where `submit` panics.
            let _open = Open::new(self);
            for number in 1..=self.worker_count {
                self.hire(scope, work).map_err(|error| self.no_thread(number, &error))?;
                self.lock().workers += 1;
            }
            Ok(submit())
        })
        // ANCHOR_END: serve
    }
    // ANCHOR_END: run

    fn hire<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        work: &'scope (impl Fn(J) + Sync),
    ) -> io::Result<()> {
        (self.thread)().spawn_scoped(scope, move || self.work(scope, work)).map(drop)
    }

    fn no_thread(&self, number: usize, error: &io::Error) -> io::Error {
        let count = self.worker_count;
        io::Error::new(error.kind(), format!("cannot start worker {number} of {count}: {error}"))
    }

    // ANCHOR: worker
    /// A worker's life.
    ///
    /// A panic ends one job and one worker. What it left behind in the thread, a half-changed
    /// thread-local for example, goes with the thread; what it shares with others is behind locks
    /// that take a panic into account, which is what `AssertUnwindSafe` asserts. The successor is
    /// started by the thread that ends, an idea of the `threadpool` crate, which does it in a
    /// destructor. Where the system has no thread to give, the old one goes on: a pool that shrinks
    /// with every panic would be gone one day.
    fn work<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        work: &'scope (impl Fn(J) + Sync),
    ) {
        // ANCHOR: work
        while let Some(job) = self.next() {
            let has_panicked = catch_unwind(AssertUnwindSafe(|| work(job))).is_err();
            self.finish(has_panicked);
            if has_panicked && self.hire(scope, work).is_ok() {
                return;
            }
        }
        self.lock().workers -= 1;
        // ANCHOR_END: work
    }
    // ANCHOR_END: worker

    fn finish(&self, has_panicked: bool) {
        let mut state = self.lock();
        state.busy -= 1;
        state.panics += u64::from(has_panicked);
    }
}

/// A pool that takes jobs until this is dropped.
struct Open<'a, J>(&'a Pool<J>);

impl<'a, J> Open<'a, J> {
    fn new(pool: &'a Pool<J>) -> Self {
        pool.lock().is_open = true;
        Self(pool)
    }
}

impl<J> Drop for Open<'_, J> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
