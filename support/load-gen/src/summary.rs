//! The result of a run: figures with their units in their names, and the whole histogram behind
//! them, so that curves can be drawn and rounds merged without a loss.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer, V2DeflateSerializer},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    event_loop::Report,
    failure::Failure,
    limit::{Evidence, Limit},
    plan::{Method, Plan},
    slow::SlowSummary,
    tally::Tally,
};

/// The version of this form. It rises when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// What a run measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What was run.
    pub plan: Plan,
    /// Length of the measurement in seconds: from the end of the warm-up to the end of the load.
    pub window_s: f64,
    /// Whether the observer ended the run early.
    pub interrupted: bool,
    /// Numbers of requests.
    pub requests: Requests,
    /// Rates over the window.
    pub rate: Rate,
    /// Latency of the successful requests: from the intended time in an open loop, from the moment
    /// at which the connection was free in a closed one, to the last byte of the response.
    pub latency: Latency,
    /// Failed requests by kind. They have no part in `latency`.
    pub failures: BTreeMap<Failure, u64>,
    /// What was wrong with the first malformed response.
    pub first_malformed: Option<String>,
    /// Sockets.
    pub connections: Connections,
    /// The slow clients, where there were any.
    pub slow: Option<SlowSummary>,
    /// The generator itself.
    pub generator: Generator,
}

/// Numbers of requests whose intended time lies in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// Answered with 200 to 299 in time.
    pub succeeded: u64,
    /// Everything else that has an outcome.
    pub failed: u64,
    /// Without an outcome, because the run was interrupted.
    pub unfinished: u64,
    /// Sent during the warm-up, and in no other figure.
    pub warm_up: u64,
}

/// Rates over the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Arrivals of an open loop, in requests a second. A closed loop offers what is taken.
    pub offered_rps: Option<f64>,
    /// Successful responses that arrived in the window, in requests a second.
    pub achieved_rps: f64,
    /// The same in metrics a second.
    pub metrics_per_s: f64,
    /// Bytes of requests a second.
    pub sent_bytes_per_s: f64,
    /// Bytes of responses a second.
    pub received_bytes_per_s: f64,
}

/// A distribution of times in microseconds, with the histogram it was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many values there are.
    pub count: u64,
    /// The smallest.
    pub min_us: f64,
    /// The arithmetic mean.
    pub mean_us: f64,
    /// Half of the values are at most this.
    pub p50_us: f64,
    /// Nine in ten.
    pub p90_us: f64,
    /// 99 in 100.
    pub p99_us: f64,
    /// 999 in 1,000.
    pub p99_9_us: f64,
    /// 9,999 in 10,000.
    pub p99_99_us: f64,
    /// The largest.
    pub max_us: f64,
    /// All values in nanoseconds: HdrHistogram's compressed V2 format in base64, which the tools
    /// around HdrHistogram read.
    pub histogram: String,
}

/// Numbers of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Begun over the whole run, warm-up included.
    pub opened: u64,
    /// Ended because of bytes that answered no request.
    pub unsolicited: u64,
    /// Local addresses that were needed, because each has a limited number of ports.
    pub source_addresses: u8,
}

/// What the generator itself did within the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Processor time of the event loops in microseconds, polling for a request that is due within
    /// microseconds left out.
    pub cpu_us: f64,
    /// The same for each successful request.
    pub cpu_us_per_request: f64,
    /// The same as a share of the cores that the threads could have used, 0 to 1.
    pub cpu_share: f64,
    /// Share of the time in which a thread could have run and had no core. Only Linux tells.
    pub core_wait_share: Option<f64>,
    /// How late the generator saw that a request was due. Only an open loop has values here.
    pub send_lag: Latency,
    /// Why the figures may show the generator and not the server. Empty is good.
    pub limits: Vec<Limit>,
}

impl Summary {
    pub(crate) fn new(
        plan: &Plan,
        reports: &[Report],
        slow: Option<SlowSummary>,
        interrupted: bool,
    ) -> Self {
        let mut tally = Tally::default();
        for report in reports {
            tally.add(&report.tally);
        }
        let longest_ns = reports.iter().map(window_ns).max().unwrap_or_default();
        let window_s = longest_ns as f64 / 1e9;
        Self {
            schema: SCHEMA,
            plan: plan.clone(),
            window_s,
            interrupted,
            requests: Requests {
                succeeded: tally.succeeded(),
                failed: tally.failed(),
                unfinished: tally.unfinished,
                warm_up: tally.warm_up,
            },
            rate: Rate::new(plan, &tally, window_s),
            latency: Latency::of(&tally.latency),
            first_malformed: tally.first_malformed.map(|malformed| malformed.to_string()),
            connections: Connections {
                opened: reports.iter().map(|report| report.opened).sum(),
                unsolicited: tally.unsolicited,
                source_addresses: reports.iter().map(|r| r.sources_used).max().unwrap_or(1),
            },
            slow,
            generator: Generator::new(reports, &tally, longest_ns),
            failures: tally.failures,
        }
    }

    /// Whether every request succeeded and nothing else was wrong on the wire.
    pub fn is_all_fine(&self) -> bool {
        self.requests.failed == 0 && self.connections.unsolicited == 0
    }
}

/// Nothing when the run was interrupted before the warm-up was over.
fn window_ns(report: &Report) -> u64 {
    report.timeline.end_ns.saturating_sub(report.timeline.measure_ns)
}

impl Rate {
    fn new(plan: &Plan, tally: &Tally, window_s: f64) -> Self {
        let per_second = |count: u64| if window_s > 0.0 { count as f64 / window_s } else { 0.0 };
        let achieved_rps = per_second(tally.succeeded_in_window);
        let metrics = if plan.method == Method::Post { plan.batch as f64 } else { 0.0 };
        Self {
            offered_rps: plan.rate().map(|_| per_second(tally.lag.len())),
            achieved_rps,
            metrics_per_s: achieved_rps * metrics,
            sent_bytes_per_s: per_second(tally.bytes_sent),
            received_bytes_per_s: per_second(tally.bytes_received),
        }
    }
}

impl Generator {
    fn new(reports: &[Report], tally: &Tally, window_ns: u64) -> Self {
        // The time that all threads together had.
        let available_us = window_ns as f64 / 1e3 * reports.len() as f64;
        let share = |us: f64| if available_us > 0.0 { us / available_us } else { 0.0 };
        let used_ns = |report: &Report| report.used.cpu_ns.saturating_sub(report.spun_ns);
        let cpu_us = reports.iter().map(used_ns).sum::<u64>() as f64 / 1e3;
        let waited_ns: Option<u64> = reports.iter().map(|report| report.used.waited_ns).sum();
        let send_lag = Latency::of(&tally.lag);
        let mut generator = Self {
            cpu_us,
            cpu_us_per_request: cpu_us / tally.succeeded_in_window.max(1) as f64,
            cpu_share: share(cpu_us),
            core_wait_share: waited_ns.map(|ns| share(ns as f64 / 1e3)),
            send_lag,
            limits: Vec::new(),
        };
        generator.limits = Limit::all_of(&Evidence {
            cpu_share: generator.cpu_share,
            core_wait_share: generator.core_wait_share,
            lag_p99_us: generator.send_lag.p99_us,
            out_of_ports: tally.failures.contains_key(&Failure::OutOfPorts),
            out_of_files: tally.failures.contains_key(&Failure::OutOfFiles),
        });
        generator
    }
}

impl Latency {
    /// Of values in nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let us = |ns: u64| ns as f64 / 1e3;
        let at = |quantile: f64| us(histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            min_us: us(if histogram.is_empty() { 0 } else { histogram.min() }),
            mean_us: histogram.mean() / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p99_9_us: at(0.999),
            p99_99_us: at(0.9999),
            max_us: us(histogram.max()),
            histogram: encode(histogram),
        }
    }

    /// The values in nanoseconds. Histograms of several rounds can be added to each other.
    pub fn histogram(&self) -> Result<Histogram<u64>, HistogramError> {
        let bytes = BASE64_STANDARD.decode(&self.histogram).map_err(|_| HistogramError::Base64)?;
        Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|_| HistogramError::Format)
    }

    /// Several rounds as one.
    pub fn merge<'a>(rounds: impl IntoIterator<Item = &'a Self>) -> Result<Self, HistogramError> {
        let mut sum = crate::tally::histogram();
        for round in rounds {
            sum.add(&round.histogram()?).map_err(|_| HistogramError::Format)?;
        }
        Ok(Self::of(&sum))
    }

    /// Pairs of a quantile from 0 to 1 and its value in nanoseconds: every value that occurred. For
    /// curves.
    pub fn curve(&self) -> Result<Vec<(f64, u64)>, HistogramError> {
        let histogram = self.histogram()?;
        let points = histogram.iter_recorded();
        Ok(points.map(|point| (point.quantile(), point.value_iterated_to())).collect())
    }
}

fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("a vector takes every byte, and counts are within the format's limits");
    BASE64_STANDARD.encode(bytes)
}

/// Why a stored histogram cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HistogramError {
    /// Not base64.
    #[error("the histogram is not base64")]
    Base64,
    /// Not HdrHistogram's V2 format, or not with our limits.
    #[error("the histogram is not in HdrHistogram's V2 format")]
    Format,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(values_us: impl IntoIterator<Item = u64>) -> Latency {
        let mut histogram = crate::tally::histogram();
        for value_us in values_us {
            histogram.record(value_us * 1_000).unwrap();
        }
        Latency::of(&histogram)
    }

    fn close_to(found: f64, expected: f64) -> bool {
        (found / expected - 1.0).abs() < 0.001
    }

    #[test]
    fn percentiles_are_those_of_the_values() {
        let latency = latency(1..=10_000);
        assert_eq!(latency.count, 10_000);
        for (found, expected) in [
            (latency.min_us, 1.0),
            (latency.mean_us, 5_000.5),
            (latency.p50_us, 5_000.0),
            (latency.p90_us, 9_000.0),
            (latency.p99_us, 9_900.0),
            (latency.p99_9_us, 9_990.0),
            (latency.p99_99_us, 9_999.0),
            (latency.max_us, 10_000.0),
        ] {
            assert!(close_to(found, expected), "{found} is not {expected}");
        }
    }

    #[test]
    fn rounds_merge_as_if_they_had_been_one() {
        let rounds = [latency(1..=500), latency(501..=1_000)];
        assert_eq!(Latency::merge(&rounds).unwrap(), latency(1..=1_000));
    }

    #[test]
    fn a_curve_ends_at_the_maximum() {
        let curve = latency([10, 20, 20, 40]).curve().unwrap();
        let quantiles: Vec<f64> = curve.iter().map(|(quantile, _)| *quantile).collect();
        assert_eq!(quantiles, [0.25, 0.75, 1.0]);
        assert!(close_to(curve[2].1 as f64, 40_000.0));
    }

    #[test]
    fn no_values_are_no_figures() {
        let latency = latency([]);
        assert_eq!((latency.count, latency.min_us.to_bits(), latency.max_us.to_bits()), (0, 0, 0));
        assert_eq!(latency.curve().unwrap(), []);
    }

    #[test]
    fn refuses_a_damaged_histogram() {
        let damaged = |histogram: &str| {
            Latency { histogram: histogram.to_owned(), ..latency([1]) }.histogram().unwrap_err()
        };
        assert_eq!(damaged("?"), HistogramError::Base64);
        assert_eq!(damaged("AAAA"), HistogramError::Format);
    }
}
