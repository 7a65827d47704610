//! What the writer's thread has done to the disk so far, and how long the disk took for it.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use craft1_phase1::histogram::Histogram;
use craft1_phase1::prometheus::{self, Kind};

use super::numbers::{Load, Numbers};

/// Counted by the thread, read by whoever asks. No other memory is published through them, which is
/// why every access is `Relaxed`.
#[derive(Debug, Default)]
pub(super) struct Counters {
    writes: Histogram,
    syncs: Histogram,
    written_bytes: AtomicU64,
    written_requests: AtomicU64,
    failures: AtomicU64,
    renewals: AtomicU64,
}

impl Counters {
    pub(super) fn wrote(&self, load: Load, duration: Duration) {
        self.writes.observe(duration);
        self.written_bytes.fetch_add(load.bytes as u64, Relaxed);
        self.written_requests.fetch_add(load.requests as u64, Relaxed);
    }

    pub(super) fn synced(&self, duration: Duration) {
        self.syncs.observe(duration);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub(super) fn renewed(&self, renewals: u64) {
        self.renewals.store(renewals, Relaxed);
    }

    /// These and the queue's numbers as Prometheus text. What `Telemetry` says already is not
    /// repeated.
    pub(super) fn render(&self, numbers: &Numbers, text: &mut String) {
        for (name, help, value) in [
            ("queue_bytes", "Bytes that wait to be written.", numbers.waiting.bytes as u64),
            (
                "queue_requests",
                "Requests that wait to be written.",
                numbers.waiting.requests as u64,
            ),
            ("written_bytes_total", "Bytes written to the data file.", load(&self.written_bytes)),
            (
                "written_requests_total",
                "Requests written to the data file; by the number of writes, the mean batch.",
                load(&self.written_requests),
            ),
            ("disk_failures_total", "Writes and syncs that failed.", load(&self.failures)),
            ("disk_failing", "Whether the last of them did.", numbers.failure.is_some().into()),
            (
                "renewed_data_files_total",
                "Data files that were put aside because a sync had failed.",
                load(&self.renewals),
            ),
        ] {
            prometheus::number(text, &format!("ingest_{name}"), help, value);
        }
        render_refused(numbers, text);
        let help = "Time of a write to the data file.";
        self.writes.render("ingest_write_duration_seconds", help, text);
        let help = "Time of a sync of the data file.";
        self.syncs.render("ingest_sync_duration_seconds", help, text);
    }
}

fn render_refused(numbers: &Numbers, text: &mut String) {
    let name = "ingest_refused_metrics_total";
    prometheus::family(text, name, Kind::Counter, "Metrics that were not stored, by reason.");
    for (reason, count) in [
        ("unwritable", numbers.refused_unwritable),
        ("queue_full", numbers.refused_queue_full),
        ("stopping", numbers.refused_stopping),
    ] {
        let _ = writeln!(text, "{name}{{reason=\"{reason}\"}} {count}");
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
