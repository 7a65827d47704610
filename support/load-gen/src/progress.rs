//! How far a run has come, for whoever watches it.

use std::{
    sync::{
        Barrier, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// What a run tells its observer several times a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What is going on.
    pub phase: Phase,
    /// Since the load began.
    pub elapsed: Duration,
    /// Expected until no request leaves any more; not known while connecting.
    pub left: Option<Duration>,
    /// From 0 to 1, by time or by number of requests, whichever ends the run.
    pub done: f64,
    /// Successful requests a second over about the last second.
    pub rate: f64,
    /// Successful requests so far.
    pub succeeded: u64,
    /// Failed requests so far.
    pub failed: u64,
    /// The 99th percentile of latency so far; with several threads, the worst of theirs.
    pub p99: Duration,
}

/// The part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Connections are being opened; no request has left.
    Connecting {
        /// Open so far.
        opened: usize,
        /// To be opened.
        wanted: usize,
    },
    /// Requests leave and are not counted yet.
    WarmUp,
    /// Requests leave and are counted.
    Measuring,
    /// No request leaves any more; the last answers are on their way.
    Draining,
}

/// What the threads of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The clock of the run: all its times are nanoseconds since here.
    origin: Instant,
    /// When the load began, once it has.
    start_ns: OnceLock<u64>,
    /// All threads begin their load together.
    connected: Barrier,
    stop: AtomicBool,
    failed: AtomicBool,
    over: AtomicBool,
    /// Connections opened in the connect phase.
    pub(crate) opened: AtomicUsize,
    snapshots: Vec<Mutex<Snapshot>>,
}

/// The state of one thread, published a few times a second.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Snapshot {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) p99_ns: u64,
}

impl Shared {
    /// For `loops` event loops and `others` threads that begin with them.
    pub(crate) fn new(loops: usize, others: usize) -> Self {
        Self {
            origin: Instant::now(),
            start_ns: OnceLock::new(),
            connected: Barrier::new(loops + others),
            stop: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            over: AtomicBool::new(false),
            opened: AtomicUsize::new(0),
            snapshots: (0..loops).map(|_| Mutex::default()).collect(),
        }
    }

    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Waits for all threads. The time at which the load begins, or nothing when one of them failed
    /// to connect.
    pub(crate) fn begin_together(&self, connected: bool) -> Option<u64> {
        // Relaxed here and below: a lone flag each, and the barrier orders this one.
        self.failed.fetch_or(!connected, Ordering::Relaxed);
        self.connected.wait();
        if self.failed.load(Ordering::Relaxed) {
            return None;
        }
        Some(*self.start_ns.get_or_init(|| self.now_ns()))
    }

    pub(crate) fn start_ns(&self) -> Option<u64> {
        self.start_ns.get().copied()
    }

    /// Ends the run early.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The load is over, and so are the slow clients beside it.
    pub(crate) fn finish(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn publish(&self, thread: usize, snapshot: Snapshot) {
        *self.snapshots[thread].lock().expect("nobody panics with the lock") = snapshot;
    }

    /// All threads together.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut sum = Snapshot::default();
        for snapshot in &self.snapshots {
            let snapshot = *snapshot.lock().expect("nobody panics with the lock");
            sum.succeeded += snapshot.succeeded;
            sum.failed += snapshot.failed;
            sum.p99_ns = sum.p99_ns.max(snapshot.p99_ns);
        }
        sum
    }
}
