//! How long things take, counted in buckets: a histogram in the Prometheus sense.
//!
//! What always holds: observing takes no lock and no memory, and a rendered histogram is one that
//! Prometheus takes: no bucket counts less than the one before it.

use std::array;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::prometheus::{self, Kind};

/// Upper ends of the buckets in microseconds, three a decade, from what a request takes from memory
/// to what a full disk may take.
pub const BUCKETS_US: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 10_000_000,
];

/// Durations by size.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS_US.len()],
    count: AtomicU64,
    sum_ns: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS_US.len()],
            count: AtomicU64::new(0),
            sum_ns: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        self.observe_times(duration, 1);
    }

    /// Counts a duration that was the same for `times` requests.
    pub fn observe_times(&self, duration: Duration, times: u64) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.iter().position(|bound_us| nanoseconds <= bound_us * 1_000);
        if let Some(bucket) = bucket {
            self.buckets[bucket].fetch_add(times, Relaxed);
        }
        self.count.fetch_add(times, Relaxed);
        self.sum_ns.fetch_add(nanoseconds.saturating_mul(times), Relaxed);
    }

    /// Writes it as the metric `name`, whose unit is seconds.
    pub fn render(&self, name: &str, help: &'static str, text: &mut String) {
        prometheus::family(text, name, Kind::Histogram, help);
        self.snapshot().render(name, "", text);
    }

    fn snapshot(&self) -> Snapshot {
        let buckets: [u64; BUCKETS_US.len()] =
            array::from_fn(|index| self.buckets[index].load(Relaxed));
        // One may be counted between the buckets and here. It must not lower the total.
        let count = self.count.load(Relaxed).max(buckets.iter().sum());
        Snapshot { buckets, count, sum_ns: self.sum_ns.load(Relaxed) }
    }
}

/// The counts of a histogram at one moment, however they were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// How many fell into each of [`BUCKETS_US`] and not into the one before it.
    pub buckets: [u64; BUCKETS_US.len()],
    /// How many there are, those beyond the last bucket included.
    pub count: u64,
    /// All of them together.
    pub sum_ns: u64,
}

impl Snapshot {
    /// Writes the samples of one series of the metric `name`. `labels` are those that it has beside
    /// `le`, as `route="ingest"`, or nothing.
    ///
    /// A bucket of the format counts everything up to its bound, those before it included.
    pub fn render(&self, name: &str, labels: &str, text: &mut String) {
        let (comma, braced) = match labels {
            "" => ("", String::new()),
            labels => (",", format!("{{{labels}}}")),
        };
        let mut up_to_here = 0;
        for (bound_us, bucket) in BUCKETS_US.iter().zip(&self.buckets) {
            up_to_here += bucket;
            let bound_s = *bound_us as f64 / 1e6;
            let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound_s}\"}} {up_to_here}");
        }
        let Self { count, sum_ns, .. } = self;
        let sum_s = *sum_ns as f64 / 1e9;
        let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{name}_sum{braced} {sum_s}\n{name}_count{braced} {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_counts_everything_up_to_its_bound() {
        let histogram = Histogram::default();
        for (duration_us, times) in [(50, 1), (51, 1), (100_000, 2), (60_000_000, 1)] {
            histogram.observe_times(Duration::from_micros(duration_us), times);
        }
        let mut text = String::new();
        histogram.render("wait_seconds", "Time spent waiting.", &mut text);
        for line in [
            "# TYPE wait_seconds histogram",
            "wait_seconds_bucket{le=\"0.00005\"} 1",
            "wait_seconds_bucket{le=\"0.0001\"} 2",
            "wait_seconds_bucket{le=\"0.05\"} 2",
            "wait_seconds_bucket{le=\"0.1\"} 4",
            "wait_seconds_bucket{le=\"10\"} 4",
            "wait_seconds_bucket{le=\"+Inf\"} 5",
            "wait_seconds_sum 60.200101",
            "wait_seconds_count 5",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_series_carries_its_labels_in_every_sample() {
        let mut snapshot = Snapshot { count: 3, sum_ns: 1_500_000_000, ..Snapshot::default() };
        snapshot.buckets[0] = 2;
        let mut text = String::new();
        snapshot.render("wait_seconds", "route=\"a\"", &mut text);
        for line in [
            "wait_seconds_bucket{route=\"a\",le=\"0.00005\"} 2",
            "wait_seconds_bucket{route=\"a\",le=\"10\"} 2",
            "wait_seconds_bucket{route=\"a\",le=\"+Inf\"} 3",
            "wait_seconds_sum{route=\"a\"} 1.5",
            "wait_seconds_count{route=\"a\"} 3",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    }
}
