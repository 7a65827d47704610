//! What the writer knows of itself.
//!
//! What always holds: counting takes no lock. Each number is right for itself; two of them read
//! together may be a group apart, which is why every access is `Relaxed`. What was taken is counted
//! by its event loop in a cell that nobody else writes.
//!
//! Requests by [`Counters::syncs`] is how many acknowledgements share one sync.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use craft1_phase1::histogram::Histogram;
use crossbeam_utils::CachePadded;

use super::failure::{Failed, Failure, Step};

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) outboxes: Vec<CachePadded<Taken>>,
    pub(super) stored_metrics: AtomicU64,
    pub(super) stored_requests: AtomicU64,
    pub(super) unstored_metrics: AtomicU64,
    pub(super) unstored_requests: AtomicU64,
    /// Chunks that were written, and the calls that it took.
    pub(super) chunks: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) written_bytes: AtomicU64,
    pub(super) syncs: AtomicU64,
    /// From the receipt of a chunk's first request to its end in the file, for each request.
    pub(super) lag: Histogram,
    pub(super) open_bytes: AtomicU64,
    pub(super) closed_bytes: AtomicU64,
    pub(super) closed_segments: AtomicU64,
    pub(super) deleted_segments: AtomicU64,
    pub(super) deleted_bytes: AtomicU64,
    failed: [AtomicU64; Step::OF_THE_DISK.len()],
    failure: Mutex<Option<Failure>>,
    /// The end is near: what fails now is not tried again.
    pub(super) is_stopping: AtomicBool,
}

/// What one event loop has taken. Only its outbox writes here.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) metrics: AtomicU64,
    /// Whether most of its memory waits to be written.
    pub(super) is_nearly_full: AtomicBool,
}

/// How the writer is doing: for `GET /health` and `GET /ready`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Metrics that were taken and are neither stored nor given up.
    pub queue_size: u64,
    /// Metrics in the file since the start.
    pub stored_metrics: u64,
    /// Three quarters of what an event loop may keep are waiting to be written.
    pub is_nearly_full: bool,
    /// What keeps metrics from being stored at the moment; its text says what to do.
    pub failure: Option<Failure>,
}

impl Status {
    /// Whether nothing can be stored at the moment.
    pub fn is_failing(&self) -> bool {
        self.failure.is_some()
    }
}

impl Counters {
    pub(super) fn new(outboxes: usize) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            outboxes: (0..outboxes).map(|_| CachePadded::default()).collect(),
            stored_metrics: zero(),
            stored_requests: zero(),
            unstored_metrics: zero(),
            unstored_requests: zero(),
            chunks: zero(),
            writes: zero(),
            written_bytes: zero(),
            syncs: zero(),
            lag: Histogram::default(),
            open_bytes: zero(),
            closed_bytes: zero(),
            closed_segments: zero(),
            deleted_segments: zero(),
            deleted_bytes: zero(),
            failed: [const { AtomicU64::new(0) }; Step::OF_THE_DISK.len()],
            failure: Mutex::new(None),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// Counts a step that failed. Returns whether it is another failure than the one before.
    pub(super) fn failed(&self, failed: &Failed) -> bool {
        self.failed[failed.step as usize].fetch_add(1, Relaxed);
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.replace(failed.failure()) != Some(failed.failure())
    }

    /// Counts one that does not keep metrics from being stored.
    pub(super) fn failed_aside(&self, step: Step) {
        self.failed[step as usize].fetch_add(1, Relaxed);
    }

    /// The disk is back. Returns whether it had been away.
    pub(super) fn recovered(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    pub(super) fn status(&self) -> Status {
        // What is done is read first: it never exceeds what was taken.
        let stored_metrics = self.stored_metrics.load(Relaxed);
        let done = stored_metrics + self.unstored_metrics.load(Relaxed);
        let taken: u64 = self.outboxes.iter().map(|it| it.metrics.load(Relaxed)).sum();
        Status {
            queue_size: taken.saturating_sub(done),
            stored_metrics,
            is_nearly_full: self.outboxes.iter().any(|it| it.is_nearly_full.load(Relaxed)),
            failure: *self.failure.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    pub(super) fn render(&self, text: &mut String) {
        for (name, kind, help, value) in NUMBERS {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            let _ = writeln!(text, "{name} {}", value(self));
        }
        self.render_failures(text);
        let name = "ingest_stored_lag_seconds";
        let help = "From a request's receipt to where a 202 says that its metrics are.";
        self.lag.render(name, help, text);
    }

    fn render_failures(&self, text: &mut String) {
        let name = "ingest_writer_failures_total";
        let help = "What the disk refused to the writer, by step.";
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
        for step in Step::OF_THE_DISK {
            let count = self.failed[step as usize].load(Relaxed);
            let _ = writeln!(text, "{name}{{step=\"{}\"}} {count}", step.as_str());
        }
    }
}

/// A metric that is one number: its name, its type, its meaning, and what it is now.
type Number = (&'static str, &'static str, &'static str, fn(&Counters) -> u64);

const NUMBERS: [Number; 14] = [
    ("ingest_queue_size", "gauge", "Metrics that wait to be written.", |it| it.status().queue_size),
    ("ingest_stored_metrics_total", "counter", "Metrics in the data file.", |it| {
        get(&it.stored_metrics)
    }),
    ("ingest_stored_requests_total", "counter", "Requests whose metrics were stored.", |it| {
        get(&it.stored_requests)
    }),
    ("ingest_unstored_metrics_total", "counter", "Metrics that were taken and given up.", |it| {
        get(&it.unstored_metrics)
    }),
    ("ingest_unstored_requests_total", "counter", "The requests that brought them.", |it| {
        get(&it.unstored_requests)
    }),
    ("ingest_written_bytes_total", "counter", "Bytes that were appended.", |it| {
        get(&it.written_bytes)
    }),
    ("ingest_written_chunks_total", "counter", "Chunks in which loops handed them over.", |it| {
        get(&it.chunks)
    }),
    ("ingest_writes_total", "counter", "System calls that appended them.", |it| get(&it.writes)),
    ("ingest_syncs_total", "counter", "Syncs of the data file.", |it| get(&it.syncs)),
    ("ingest_closed_segments", "gauge", "Closed segments that are kept.", |it| {
        get(&it.closed_segments)
    }),
    ("ingest_retained_bytes", "gauge", "Bytes of all segments, the open one included.", |it| {
        get(&it.open_bytes) + get(&it.closed_bytes)
    }),
    ("ingest_deleted_segments_total", "counter", "Segments that --retain had no room for.", |it| {
        get(&it.deleted_segments)
    }),
    ("ingest_deleted_bytes_total", "counter", "Their bytes.", |it| get(&it.deleted_bytes)),
    ("ingest_writer_failing", "gauge", "1 while nothing can be stored.", |it| {
        it.status().is_failing().into()
    }),
];

fn get(cell: &AtomicU64) -> u64 {
    cell.load(Relaxed)
}
