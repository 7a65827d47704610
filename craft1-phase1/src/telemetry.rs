//! What the server knows of itself, as Prometheus text.
//!
//! What always holds: counting takes no lock, so it never makes one request wait for another. Each
//! number is right for itself; two of them read together may be a few requests apart, which is why
//! every access is `Relaxed`: no other memory is published through them.
//!
//! Names begin with `ingest_`.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::histogram::Histogram;
use crate::prometheus::{self, Kind};
use crate::service::Health;

/// The statuses there can be: one cell each.
const STATUSES: usize = 600;

/// Counters of one server.
#[derive(Debug)]
pub struct Telemetry {
    requests_by_status: [AtomicU64; STATUSES],
    duration: Histogram,
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
            duration: Histogram::default(),
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
        self.duration.observe(duration);
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

    /// How many connections are open.
    pub fn open_connections(&self) -> usize {
        self.open_connections.load(Relaxed)
    }

    /// Everything, as Prometheus text. How far the metrics have come is known by whoever stores them.
    pub fn render(&self, health: Health) -> String {
        let mut text = String::new();
        let help = "Requests that were answered, by status.";
        prometheus::family(&mut text, "ingest_requests_total", Kind::Counter, help);
        for (status, count) in self.requests_by_status.iter().enumerate() {
            let count = count.load(Relaxed);
            if count > 0 {
                let _ = writeln!(text, "ingest_requests_total{{status=\"{status}\"}} {count}");
            }
        }
        for (name, value, help) in [
            ("accepted_metrics_total", health.accepted, "Metrics that were answered with 202."),
            ("stored_metrics_total", health.stored, "Metrics that are in the file."),
            ("queue_size", health.queue_size, "Metrics accepted that are not in the file yet."),
            ("received_bytes_total", self.received_bytes.load(Relaxed), "Bytes that clients sent."),
            ("sent_bytes_total", self.sent_bytes.load(Relaxed), "Bytes that clients were sent."),
            (
                "refused_connections_total",
                self.refused_connections.load(Relaxed),
                "Connections turned away because there was no room.",
            ),
            ("open_connections", self.open_connections() as u64, "Connections that are open."),
        ] {
            prometheus::number(&mut text, &format!("ingest_{name}"), help, value);
        }
        let help = "Time from a request's last byte to its answer's first.";
        self.duration.render("ingest_request_duration_seconds", help, &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEALTH: Health = Health { queue_size: 1, accepted: 3, stored: 2 };

    #[test]
    fn says_how_far_the_metrics_have_come() {
        let text = Telemetry::default().render(HEALTH);
        for line in [
            "ingest_accepted_metrics_total 3",
            "ingest_stored_metrics_total 2",
            "ingest_queue_size 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn counts_requests_by_status_and_only_those_that_came() {
        let telemetry = Telemetry::default();
        telemetry.answered(202, Duration::ZERO);
        telemetry.answered(202, Duration::ZERO);
        telemetry.answered(505, Duration::ZERO);
        let text = telemetry.render(HEALTH);
        let requests: Vec<_> = text.lines().filter(|it| it.contains("status=")).collect();
        assert_eq!(
            requests,
            ["ingest_requests_total{status=\"202\"} 2", "ingest_requests_total{status=\"505\"} 1"]
        );
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
        assert!(telemetry.render(HEALTH).contains("\ningest_open_connections 0\n"));
    }
}
