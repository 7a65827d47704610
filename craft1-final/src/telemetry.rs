//! What the server knows of itself, as Prometheus text.
//!
//! What always holds: counting waits for nobody and takes no locked instruction. Every event loop
//! counts in cells of its own, on cache lines of its own, which only it writes. Who renders adds the
//! loops up. Each number is right for itself; two of them read together may be a few requests apart.
//!
//! | file | what |
//! |---|---|
//! | `cells` | the numbers of one loop, and a histogram |
//! | `meter` | the one way to write them |
//! | `route`, `dropped` | what a request was for, and why it brought nothing |
//!
//! One writer a cell is an old idea of network stacks, per-CPU statistics ("Is Parallel Programming
//! Hard, And, If So, What Can You Do About It?", Paul `McKenney`, chapter 5).
//!
//! The text is the Prometheus exposition format 0.0.4. Names begin with `ingest_`, end in their unit
//! or in `_total`, and are those of the earlier phases where they mean the same.

mod cells;
mod dropped;
mod meter;
mod route;

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use craft1_phase1::histogram::Snapshot;
use craft1_phase1::prometheus::{self, Kind, family};
use craft1_phase4::ack::Ack;
use crossbeam_utils::CachePadded;

use self::cells::{Cells, Count, STATUSES};

pub use self::dropped::Dropped;
pub use self::meter::Meter;
pub use self::route::Route;

/// What all loops count, for whoever wants to read it.
#[derive(Debug)]
pub struct Telemetry {
    loops: Vec<Arc<CachePadded<Cells>>>,
    ack: Ack,
}

impl Telemetry {
    /// The meters of so many loops, and where they are read. `ack` is what a 202 means.
    pub fn new(loops: usize, ack: Ack) -> (Self, Vec<Meter>) {
        let loops: Vec<_> = (0..loops).map(|_| Arc::default()).collect();
        let meters = loops.iter().map(Arc::clone).map(Meter::new).collect();
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

    /// Memory that clients make a loop keep, in bytes: the one in which it is most.
    pub fn most_buffered_bytes(&self) -> u64 {
        self.loops.iter().map(|cells| cells.buffered_bytes.get()).max().unwrap_or(0)
    }

    /// Adds everything, as Prometheus text.
    pub fn render(&self, text: &mut String) {
        self.render_requests(text);
        self.render_durations(text);
        for (name, help, cell) in COUNTERS {
            prometheus::number(text, name, help, self.sum(cell));
        }
        self.render_loops(text);
    }

    fn render_requests(&self, text: &mut String) {
        let name = "ingest_requests_total";
        family(text, name, Kind::Counter, "Requests that were answered, by status.");
        for status in 0..STATUSES {
            let count = self.sum(|cells| &cells.requests_by_status[status]);
            if count > 0 {
                sample(text, name, &label("status", status), count);
            }
        }
        let name = "ingest_dropped_requests_total";
        family(text, name, Kind::Counter, "Requests whose metrics were not taken, by reason.");
        for reason in Dropped::ALL {
            let count = self.sum(|cells| &cells.dropped[reason as usize]);
            sample(text, name, &label("reason", reason.as_str()), count);
        }
    }

    fn render_durations(&self, text: &mut String) {
        let name = "ingest_request_duration_seconds";
        let help = "From a request's last byte to its answer, by route and by what a 202 means.";
        family(text, name, Kind::Histogram, help);
        for route in Route::ALL {
            let ack = if route == Route::Ingest { ack_word(self.ack) } else { "none" };
            let labels = format!("{},{}", label("route", route.as_str()), label("ack", ack));
            self.durations(route).render(name, &labels, text);
        }
    }

    fn render_loops(&self, text: &mut String) {
        let help = "Connections that are open.";
        prometheus::number(text, "ingest_open_connections", help, self.open_connections());
        let name = "ingest_loop_connections";
        family(text, name, Kind::Gauge, "Connections that are open, by event loop.");
        for (index, cells) in self.loops.iter().enumerate() {
            sample(text, name, &label("loop", index), cells.open_connections());
        }
        let name = "ingest_loop_buffered_bytes";
        let help = "Memory for requests that are not complete and answers that are not taken.";
        family(text, name, Kind::Gauge, help);
        for (index, cells) in self.loops.iter().enumerate() {
            sample(text, name, &label("loop", index), cells.buffered_bytes.get());
        }
        let name = "ingest_loop_busy_seconds_total";
        family(
            text,
            name,
            Kind::Counter,
            "Time in which an event loop did not wait, by event loop.",
        );
        for (index, cells) in self.loops.iter().enumerate() {
            let busy_s = cells.busy_ns.get() as f64 / 1e9;
            sample(text, name, &label("loop", index), busy_s);
        }
    }

    fn durations(&self, route: Route) -> Snapshot {
        let mut all = Snapshot::default();
        for cells in &self.loops {
            cells.durations[route as usize].add_to(&mut all);
        }
        all
    }

    fn sum(&self, cell: impl Fn(&Cells) -> &Count) -> u64 {
        self.loops.iter().map(|cells| cell(cells).get()).sum()
    }
}

/// A metric that is one number: its name, its meaning, and where a loop counts it.
type Counter = (&'static str, &'static str, fn(&Cells) -> &Count);

const COUNTERS: [Counter; 6] = [
    ("ingest_accepted_metrics_total", "Metrics that were answered with 202.", |cells| {
        &cells.accepted_metrics
    }),
    ("ingest_received_bytes_total", "Bytes that clients sent.", |cells| &cells.received_bytes),
    ("ingest_sent_bytes_total", "Bytes that were sent to clients.", |cells| &cells.sent_bytes),
    ("ingest_connections_total", "Connections that were taken.", |cells| &cells.opened_connections),
    ("ingest_refused_connections_total", "Connections that there was no room for.", |cells| {
        &cells.refused_connections
    }),
    (
        "ingest_cut_off_connections_total",
        "Connections whose answers there was no room for.",
        |it| &it.cut_off_connections,
    ),
];

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

fn sample(text: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = writeln!(text, "{name}{{{labels}}} {value}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
            meter.cut_off();
        }
        meters[0].answered(505);
        meters[1].closed_connection();
        meters[1].refused_connection();
        meters[0].buffered(70);
        meters[0].buffered(7);
        meters[1].buffered(5);
        meters[1].busy(Duration::from_millis(1_500));
        assert_eq!((telemetry.accepted_metrics(), telemetry.open_connections()), (6, 1));
        assert_eq!(telemetry.most_buffered_bytes(), 7);
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
                "ingest_cut_off_connections_total 2",
                "ingest_loop_buffered_bytes{loop=\"1\"} 5",
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
