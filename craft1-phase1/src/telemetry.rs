//! What the server knows of itself: counters and one histogram, as Prometheus text.
//!
//! What always holds: counting takes no lock, so it never makes one request wait for another. Each
//! number is right for itself; two of them read together may be a few requests apart, which is why
//! every access is `Relaxed`: no other memory is published through them.
//!
//! The text is the Prometheus exposition format 0.0.4. Names begin with `ingest_` and end in their
//! unit or in `_total`.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// The statuses there can be: one cell each.
const STATUSES: usize = 600;

/// Upper ends of the latency buckets in microseconds, three a decade, from what a request takes
/// from memory to what a full disk may take.
const BUCKETS_US: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 10_000_000,
];

/// Counters of one server.
#[derive(Debug)]
pub struct Telemetry {
    requests_by_status: [AtomicU64; STATUSES],
    duration_buckets: [AtomicU64; BUCKETS_US.len()],
    duration_count: AtomicU64,
    duration_sum_ns: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    stored_metrics: AtomicU64,
    refused_connections: AtomicU64,
    open_connections: AtomicUsize,
}

/// An open connection that is counted as such until this is dropped.
#[derive(Debug)]
pub struct OpenConnection<'a>(&'a Telemetry);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.open_connections.fetch_sub(1, Relaxed);
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            requests_by_status: [const { AtomicU64::new(0) }; STATUSES],
            duration_buckets: [const { AtomicU64::new(0) }; BUCKETS_US.len()],
            duration_count: AtomicU64::new(0),
            duration_sum_ns: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            stored_metrics: AtomicU64::new(0),
            refused_connections: AtomicU64::new(0),
            open_connections: AtomicUsize::new(0),
        }
    }
}

impl Telemetry {
    /// Counts an answer, and how long it took from the request's last byte to the answer's first.
    pub fn answered(&self, status: u16, duration: Duration) {
        self.requests_by_status[usize::from(status)].fetch_add(1, Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.iter().position(|bound_us| nanoseconds <= bound_us * 1_000);
        if let Some(bucket) = bucket {
            self.duration_buckets[bucket].fetch_add(1, Relaxed);
        }
        self.duration_count.fetch_add(1, Relaxed);
        self.duration_sum_ns.fetch_add(nanoseconds, Relaxed);
    }

    /// Counts bytes that a client sent.
    pub fn received(&self, len: usize) {
        self.received_bytes.fetch_add(len as u64, Relaxed);
    }

    /// Counts bytes that were sent to a client.
    pub fn sent(&self, len: usize) {
        self.sent_bytes.fetch_add(len as u64, Relaxed);
    }

    /// Counts metrics that are in the file.
    pub fn stored(&self, count: usize) {
        self.stored_metrics.fetch_add(count as u64, Relaxed);
    }

    /// How many metrics are in the file since the start.
    pub fn stored_metrics(&self) -> u64 {
        self.stored_metrics.load(Relaxed)
    }

    /// Counts a connection that was turned away.
    pub fn refused_connection(&self) {
        self.refused_connections.fetch_add(1, Relaxed);
    }

    /// Counts a connection for as long as it is open, unless there are `connections_max` already.
    /// What is shown and what is enforced are one number.
    pub fn open_connection(&self, connections_max: usize) -> Option<OpenConnection<'_>> {
        let room = |open| (open < connections_max).then_some(open + 1);
        self.open_connections.fetch_update(Relaxed, Relaxed, room).ok()?;
        Some(OpenConnection(self))
    }

    /// Everything, as Prometheus text.
    pub fn render(&self) -> String {
        let mut text = String::from("# TYPE ingest_requests_total counter\n");
        for (status, count) in self.requests_by_status.iter().enumerate() {
            let count = count.load(Relaxed);
            if count > 0 {
                let _ = writeln!(text, "ingest_requests_total{{status=\"{status}\"}} {count}");
            }
        }
        let stored = self.stored_metrics();
        for (name, kind, value) in [
            // A metric is accepted once it is stored, and nothing waits in between.
            ("accepted_metrics_total", "counter", stored),
            ("stored_metrics_total", "counter", stored),
            ("queue_size", "gauge", 0),
            ("received_bytes_total", "counter", self.received_bytes.load(Relaxed)),
            ("sent_bytes_total", "counter", self.sent_bytes.load(Relaxed)),
            ("refused_connections_total", "counter", self.refused_connections.load(Relaxed)),
            ("open_connections", "gauge", self.open_connections.load(Relaxed) as u64),
        ] {
            let _ = writeln!(text, "# TYPE ingest_{name} {kind}\ningest_{name} {value}");
        }
        self.render_durations(&mut text);
        text
    }

    /// A bucket of the format counts everything up to its bound, those before it included.
    fn render_durations(&self, text: &mut String) {
        const NAME: &str = "ingest_request_duration_seconds";
        let _ = writeln!(text, "# TYPE {NAME} histogram");
        let mut up_to_here = 0;
        for (bound_us, bucket) in BUCKETS_US.iter().zip(&self.duration_buckets) {
            up_to_here += bucket.load(Relaxed);
            let bound_s = *bound_us as f64 / 1e6;
            let _ = writeln!(text, "{NAME}_bucket{{le=\"{bound_s}\"}} {up_to_here}");
        }
        // A request may be counted between the buckets and here. It must not lower the total.
        let count = self.duration_count.load(Relaxed).max(up_to_here);
        let sum_s = self.duration_sum_ns.load(Relaxed) as f64 / 1e9;
        let _ = writeln!(text, "{NAME}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{NAME}_sum {sum_s}\n{NAME}_count {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_requests_by_status_and_only_those_that_came() {
        let telemetry = Telemetry::default();
        telemetry.answered(202, Duration::ZERO);
        telemetry.answered(202, Duration::ZERO);
        telemetry.answered(505, Duration::ZERO);
        let text = telemetry.render();
        let requests: Vec<_> = text.lines().filter(|it| it.contains("status=")).collect();
        assert_eq!(
            requests,
            ["ingest_requests_total{status=\"202\"} 2", "ingest_requests_total{status=\"505\"} 1"]
        );
    }

    #[test]
    fn a_bucket_counts_everything_up_to_its_bound() {
        let telemetry = Telemetry::default();
        for duration_us in [50, 51, 100_000, 60_000_000] {
            telemetry.answered(200, Duration::from_micros(duration_us));
        }
        let text = telemetry.render();
        for line in [
            "ingest_request_duration_seconds_bucket{le=\"0.00005\"} 1",
            "ingest_request_duration_seconds_bucket{le=\"0.0001\"} 2",
            "ingest_request_duration_seconds_bucket{le=\"0.05\"} 2",
            "ingest_request_duration_seconds_bucket{le=\"0.1\"} 3",
            "ingest_request_duration_seconds_bucket{le=\"10\"} 3",
            "ingest_request_duration_seconds_bucket{le=\"+Inf\"} 4",
            "ingest_request_duration_seconds_sum 60.100101",
            "ingest_request_duration_seconds_count 4",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn no_more_connections_are_open_than_may_be() {
        let telemetry = Telemetry::default();
        let first = telemetry.open_connection(2);
        let second = telemetry.open_connection(2);
        assert!(first.is_some() && second.is_some() && telemetry.open_connection(2).is_none());
        drop(first);
        assert!(telemetry.open_connection(2).is_some());
        drop(second);
        assert!(telemetry.render().contains("\ningest_open_connections 0\n"));
    }
}
