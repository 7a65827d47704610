//! What the server knows of itself, as Prometheus text.
//!
//! What always holds: counting waits for nobody and takes no locked instruction. Every event loop
//! counts in cells of its own, on cache lines of its own, which only it writes: so a count is a
//! load, an addition and a store, all `Relaxed`, because no other memory is published through them.
//! Who renders adds the loops up. Each number is right for itself; two of them read together may be
//! a few requests apart.
//!
//! One writer a cell is an old idea of network stacks, per-CPU statistics ("Is Parallel Programming
//! Hard, And, If So, What Can You Do About It?", Paul `McKenney`, chapter 5). Here the type keeps
//! the rule: a [`Meter`] can be neither cloned nor shared between threads.
//!
//! The text is the Prometheus exposition format 0.0.4. Names begin with `ingest_`, end in their unit
//! or in `_total`, and are those of the earlier phases where they mean the same.

use std::array;
use std::cell::Cell;
use std::fmt::{Display, Write as _};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use craft1_phase1::histogram::{BUCKETS_US, Snapshot};
use craft1_phase1::service::{Call, Unstored};
use craft1_phase4::ack::Ack;
use crossbeam_utils::CachePadded;

/// The statuses there can be: one cell each.
const STATUSES: usize = 600;

/// What all loops count, for whoever wants to read it.
#[derive(Debug)]
pub struct Telemetry {
    loops: Vec<Arc<CachePadded<Cells>>>,
    ack: Ack,
}

/// Where one event loop counts.
#[derive(Debug)]
pub struct Meter {
    cells: Arc<CachePadded<Cells>>,
    /// A meter may move to another thread and must not be in two of them: it is not `Sync`.
    one_thread: PhantomData<Cell<()>>,
}

/// What a request was for: the label `route` of its latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /metrics`
    Ingest,
    /// `GET /metrics`
    Telemetry,
    /// `/health`
    Health,
    /// `/ready`
    Ready,
    /// Whatever has no route, and what could not be read as a request at all.
    Other,
}

/// Why a request that wanted to bring metrics brought none, or had not the chance to: the label
/// `reason` of the drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// 400, 411, 413, 415 and the like: the request or its body breaks a rule.
    Malformed,
    /// 401: no token, or an unknown one.
    Unauthorized,
    /// 429: its client has had enough.
    RateLimited,
    /// 408: it did not come in time.
    TooSlow,
    /// 503: the writer is behind.
    QueueFull,
    /// 503: the data file cannot be written.
    Unwritable,
    /// 503: the server stops.
    Stopping,
}

impl From<Unstored> for Dropped {
    fn from(why: Unstored) -> Self {
        match why {
            Unstored::Unwritable => Self::Unwritable,
            Unstored::QueueFull => Self::QueueFull,
            Unstored::Stopping => Self::Stopping,
        }
    }
}

impl Telemetry {
    /// The meters of so many loops, and where they are read. `ack` is what a 202 means.
    pub fn new(loops: usize, ack: Ack) -> (Self, Vec<Meter>) {
        let loops: Vec<_> = (0..loops).map(|_| Arc::default()).collect();
        let meters = loops.iter().map(Arc::clone);
        let meters = meters.map(|cells| Meter { cells, one_thread: PhantomData }).collect();
        (Self { loops, ack }, meters)
    }

    /// Metrics that were answered with 202.
    pub fn accepted_metrics(&self) -> u64 {
        self.sum(|cells| &cells.accepted_metrics)
    }

    /// Connections that are open in all loops.
    pub fn open_connections(&self) -> u64 {
        self.loops.iter().map(|cells| cells.open_connections()).sum()
    }

    /// Adds everything, as Prometheus text.
    pub fn render(&self, text: &mut String) {
        self.render_requests(text);
        self.render_durations(text);
        for (name, help, cell) in COUNTERS {
            family(text, name, "counter", help);
            sample(text, name, "", self.sum(cell));
        }
        self.render_loops(text);
    }

    fn render_requests(&self, text: &mut String) {
        let name = "ingest_requests_total";
        family(text, name, "counter", "Requests that were answered, by status.");
        for status in 0..STATUSES {
            let count = self.sum(|cells| &cells.requests_by_status[status]);
            if count > 0 {
                sample(text, name, &label("status", status), count);
            }
        }
        let name = "ingest_dropped_requests_total";
        family(text, name, "counter", "Requests whose metrics were not taken, by reason.");
        for reason in Dropped::ALL {
            let count = self.sum(|cells| &cells.dropped[reason as usize]);
            sample(text, name, &label("reason", reason.as_str()), count);
        }
    }

    fn render_durations(&self, text: &mut String) {
        let name = "ingest_request_duration_seconds";
        let help = "From a request's last byte to its answer, by route and by what a 202 means.";
        family(text, name, "histogram", help);
        for route in Route::ALL {
            let ack = if route == Route::Ingest { ack_word(self.ack) } else { "none" };
            let labels = format!("{},{}", label("route", route.as_str()), label("ack", ack));
            self.durations(route).render(name, &labels, text);
        }
    }

    fn render_loops(&self, text: &mut String) {
        let name = "ingest_open_connections";
        family(text, name, "gauge", "Connections that are open.");
        sample(text, name, "", self.open_connections());
        let name = "ingest_loop_connections";
        family(text, name, "gauge", "Connections that are open, by event loop.");
        for (index, cells) in self.loops.iter().enumerate() {
            sample(text, name, &label("loop", index), cells.open_connections());
        }
        let name = "ingest_loop_busy_seconds_total";
        family(text, name, "counter", "Time in which an event loop did not wait, by event loop.");
        for (index, cells) in self.loops.iter().enumerate() {
            let busy_s = cells.busy_ns.get() as f64 / 1e9;
            sample(text, name, &label("loop", index), busy_s);
        }
    }

    fn durations(&self, route: Route) -> Snapshot {
        let mut all = Snapshot::default();
        for cells in &self.loops {
            let own = &cells.durations[route as usize];
            for (sum, bucket) in all.buckets.iter_mut().zip(&own.buckets) {
                *sum += bucket.get();
            }
            all.count += own.beyond.get();
            all.sum_ns += own.sum_ns.get();
        }
        all.count += all.buckets.iter().sum::<u64>();
        all
    }

    fn sum(&self, cell: impl Fn(&Cells) -> &Count) -> u64 {
        self.loops.iter().map(|cells| cell(cells).get()).sum()
    }
}

impl Meter {
    /// Counts an answer, before it is sent: who asks for the counters finds its last answer there.
    pub fn answered(&self, status: u16) {
        self.cells.requests_by_status[usize::from(status)].add(1);
    }

    /// Counts how long so many answers took, from the request's last byte to the answer's last.
    pub fn took(&self, route: Route, answers: u64, duration: Duration) {
        self.cells.durations[route as usize].observe(answers, duration);
    }

    /// Counts metrics that were answered with 202.
    pub fn accepted(&self, metrics: usize) {
        self.cells.accepted_metrics.add(metrics as u64);
    }

    /// Counts a request whose metrics were not taken.
    pub fn dropped(&self, reason: Dropped) {
        self.cells.dropped[reason as usize].add(1);
    }

    /// Counts bytes that clients sent.
    pub fn received(&self, len: usize) {
        self.cells.received_bytes.add(len as u64);
    }

    /// Counts bytes that were sent to clients.
    pub fn sent(&self, len: usize) {
        self.cells.sent_bytes.add(len as u64);
    }

    /// Counts a connection that begins.
    pub fn opened_connection(&self) {
        self.cells.opened_connections.add(1);
    }

    /// Counts a connection that ends.
    pub fn closed_connection(&self) {
        self.cells.closed_connections.add(1);
    }

    /// Counts a connection that was turned away.
    pub fn refused_connection(&self) {
        self.cells.refused_connections.add(1);
    }

    /// Connections of this loop that are open.
    pub fn open_connections(&self) -> u64 {
        self.cells.open_connections()
    }

    /// Counts time in which the loop did not wait.
    pub fn busy(&self, duration: Duration) {
        self.cells.busy_ns.add(nanoseconds(duration));
    }
}

impl Route {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Ingest, Self::Telemetry, Self::Health, Self::Ready, Self::Other];

    /// The route of a request.
    pub fn of(call: &Call<'_>) -> Self {
        match (call.path, call.method) {
            ("/metrics", "POST") => Self::Ingest,
            ("/metrics", _) => Self::Telemetry,
            ("/health", _) => Self::Health,
            ("/ready", _) => Self::Ready,
            _ => Self::Other,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Telemetry => "telemetry",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Other => "other",
        }
    }
}

impl Dropped {
    const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Unauthorized,
        Self::RateLimited,
        Self::TooSlow,
        Self::QueueFull,
        Self::Unwritable,
        Self::Stopping,
    ];

    /// What the status of an answer says of why: all of it but why there is no room.
    pub const fn by_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthorized,
            408 => Self::TooSlow,
            429 => Self::RateLimited,
            503 => Self::QueueFull,
            _ => Self::Malformed,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::RateLimited => "rate_limited",
            Self::TooSlow => "too_slow",
            Self::QueueFull => "queue_full",
            Self::Unwritable => "unwritable",
            Self::Stopping => "stopping",
        }
    }
}

/// A metric that is one number: its name, its meaning, and where a loop counts it.
type Counter = (&'static str, &'static str, fn(&Cells) -> &Count);

const COUNTERS: [Counter; 5] = [
    ("ingest_accepted_metrics_total", "Metrics that were answered with 202.", |cells| {
        &cells.accepted_metrics
    }),
    ("ingest_received_bytes_total", "Bytes that clients sent.", |cells| &cells.received_bytes),
    ("ingest_sent_bytes_total", "Bytes that were sent to clients.", |cells| &cells.sent_bytes),
    ("ingest_connections_total", "Connections that were taken.", |cells| &cells.opened_connections),
    ("ingest_refused_connections_total", "Connections that there was no room for.", |cells| {
        &cells.refused_connections
    }),
];

/// What one loop counts.
#[derive(Debug)]
struct Cells {
    requests_by_status: [Count; STATUSES],
    durations: [Durations; Route::ALL.len()],
    dropped: [Count; Dropped::ALL.len()],
    accepted_metrics: Count,
    received_bytes: Count,
    sent_bytes: Count,
    opened_connections: Count,
    closed_connections: Count,
    refused_connections: Count,
    busy_ns: Count,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            requests_by_status: array::from_fn(|_| Count::default()),
            durations: array::from_fn(|_| Durations::default()),
            dropped: array::from_fn(|_| Count::default()),
            accepted_metrics: Count::default(),
            received_bytes: Count::default(),
            sent_bytes: Count::default(),
            opened_connections: Count::default(),
            closed_connections: Count::default(),
            refused_connections: Count::default(),
            busy_ns: Count::default(),
        }
    }
}

impl Cells {
    /// The one that ends is read first: a reader that is slow may see one too few closed and never
    /// more closed than opened.
    fn open_connections(&self) -> u64 {
        let closed = self.closed_connections.get();
        self.opened_connections.get().saturating_sub(closed)
    }
}

/// A number that one thread writes and any thread reads.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    /// Not `fetch_add`: nobody else writes here, so nothing can come in between.
    fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A histogram that one thread writes.
#[derive(Debug, Default)]
struct Durations {
    buckets: [Count; BUCKETS_US.len()],
    /// Longer than the last bucket.
    beyond: Count,
    sum_ns: Count,
}

impl Durations {
    /// From the first bucket on: most requests end there.
    fn observe(&self, count: u64, duration: Duration) {
        let duration_ns = nanoseconds(duration);
        let bucket = BUCKETS_US.iter().position(|bound_us| duration_ns <= bound_us * 1_000);
        bucket.map_or(&self.beyond, |index| &self.buckets[index]).add(count);
        self.sum_ns.add(duration_ns.saturating_mul(count));
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const fn ack_word(ack: Ack) -> &'static str {
    match ack {
        Ack::Accepted => "accepted",
        Ack::Stored => "stored",
        Ack::Durable => "durable",
    }
}

fn label(name: &str, value: impl Display) -> String {
    format!("{name}=\"{value}\"")
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn sample(text: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = match labels {
        "" => writeln!(text, "{name} {value}"),
        labels => writeln!(text, "{name}{{{labels}}} {value}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(telemetry: &Telemetry) -> String {
        let mut text = String::new();
        telemetry.render(&mut text);
        text
    }

    #[track_caller]
    fn assert_lines(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.lines().any(|it| it == *line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn the_loops_are_added_up() {
        let (telemetry, meters) = Telemetry::new(2, Ack::Stored);
        for meter in &meters {
            meter.answered(202);
            meter.accepted(3);
            meter.received(10);
            meter.sent(20);
            meter.opened_connection();
            meter.dropped(Dropped::QueueFull);
        }
        meters[0].answered(505);
        meters[1].closed_connection();
        meters[1].refused_connection();
        meters[1].busy(Duration::from_millis(1_500));
        assert_eq!((telemetry.accepted_metrics(), telemetry.open_connections()), (6, 1));
        assert_lines(
            &render(&telemetry),
            &[
                "ingest_requests_total{status=\"202\"} 2",
                "ingest_requests_total{status=\"505\"} 1",
                "ingest_dropped_requests_total{reason=\"queue_full\"} 2",
                "ingest_dropped_requests_total{reason=\"malformed\"} 0",
                "ingest_accepted_metrics_total 6",
                "ingest_received_bytes_total 20",
                "ingest_sent_bytes_total 40",
                "ingest_connections_total 2",
                "ingest_refused_connections_total 1",
                "ingest_open_connections 1",
                "ingest_loop_connections{loop=\"0\"} 1",
                "ingest_loop_connections{loop=\"1\"} 0",
                "ingest_loop_busy_seconds_total{loop=\"1\"} 1.5",
            ],
        );
    }

    #[test]
    fn a_latency_is_told_by_route_and_by_what_a_202_means() {
        let (telemetry, meters) = Telemetry::new(1, Ack::Durable);
        for duration_us in [50, 51, 60_000_000] {
            meters[0].took(Route::Ingest, 2, Duration::from_micros(duration_us));
        }
        meters[0].took(Route::Health, 1, Duration::ZERO);
        let name = "ingest_request_duration_seconds";
        let (ingest, health) =
            ("route=\"ingest\",ack=\"durable\"", "route=\"health\",ack=\"none\"");
        assert_lines(
            &render(&telemetry),
            &[
                &format!("{name}_bucket{{{ingest},le=\"0.00005\"}} 2"),
                &format!("{name}_bucket{{{ingest},le=\"0.0001\"}} 4"),
                &format!("{name}_bucket{{{ingest},le=\"10\"}} 4"),
                &format!("{name}_bucket{{{ingest},le=\"+Inf\"}} 6"),
                &format!("{name}_sum{{{ingest}}} 120.000202"),
                &format!("{name}_count{{{ingest}}} 6"),
                &format!("{name}_count{{{health}}} 1"),
            ],
        );
    }

    #[test]
    fn a_request_is_counted_for_its_route() {
        for (method, path, route) in [
            ("POST", "/metrics", Route::Ingest),
            ("GET", "/metrics", Route::Telemetry),
            ("HEAD", "/health", Route::Health),
            ("GET", "/ready", Route::Ready),
            ("GET", "/metrics/", Route::Other),
            ("", "", Route::Other),
        ] {
            assert_eq!(Route::of(&Call { method, path, ..Call::default() }), route, "{path}");
        }
    }

    #[test]
    fn every_metric_says_what_it_means_and_of_what_kind_it_is_once() {
        let (telemetry, _meters) = Telemetry::new(3, Ack::Accepted);
        let text = render(&telemetry);
        let mut families = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                families.push(rest.split_once(' ').expect("a meaning").0);
            } else if !line.starts_with("# TYPE ") {
                let name = families.last().expect("a family comes before its samples");
                assert!(line.starts_with(name), "{line} stands below {name}");
            }
        }
        let count = families.len();
        families.sort_unstable();
        families.dedup();
        assert_eq!(families.len(), count, "{text}");
    }

    #[test]
    fn what_is_counted_elsewhere_meanwhile_is_not_lost() {
        let (telemetry, meters) = Telemetry::new(4, Ack::Accepted);
        std::thread::scope(|scope| {
            for meter in meters {
                scope.spawn(move || (0..10_000).for_each(|_| meter.accepted(1)));
            }
        });
        assert_eq!(telemetry.accepted_metrics(), 40_000);
    }
}
