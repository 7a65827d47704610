//! How measures are called where there is room: in the titles of charts, and in markers.

use crate::measure::{CostMeasure, Measure};

/// What a chart of the measure is called.
pub fn title(measure: Measure) -> &'static str {
    match measure {
        Measure::CpuPerRequest => "Server CPU time per request (CPU-µs)",
        Measure::RequestsPerSecond => "Throughput (successful requests/s)",
        Measure::MetricsPerSecond => "Throughput (metrics/s)",
        Measure::LatencyP50 => "Latency, median",
        Measure::LatencyP99 => "Latency, 99th percentile",
        Measure::LatencyP999 => "Latency, 99.9th percentile",
        Measure::LatencyMax => "Latency, slowest request",
        Measure::PeakMemory => "Peak memory of the server",
        Measure::Threads => "Threads of the server",
        Measure::RequestsPerSync => "Requests that share a sync of the file",
    }
}

/// The name in a marker: lower case, the unit last.
pub fn key(measure: Measure) -> &'static str {
    match measure {
        Measure::CpuPerRequest => "cpu_us_per_request",
        Measure::RequestsPerSecond => "requests_per_s",
        Measure::MetricsPerSecond => "metrics_per_s",
        Measure::LatencyP50 => "latency_p50",
        Measure::LatencyP99 => "latency_p99",
        Measure::LatencyP999 => "latency_p99_9",
        Measure::LatencyMax => "latency_max",
        Measure::PeakMemory => "peak_memory",
        Measure::Threads => "threads",
        Measure::RequestsPerSync => "requests_per_sync",
    }
}

/// The measure of a marker's name.
pub fn of_key(name: &str) -> Option<Measure> {
    Measure::ALL.into_iter().find(|measure| key(*measure) == name)
}

/// The name of a counted cost in a marker.
pub fn cost_key(measure: CostMeasure) -> &'static str {
    match measure {
        CostMeasure::Syscalls => "syscalls_per_request",
        CostMeasure::Allocations => "allocations_per_request",
        CostMeasure::Instructions => "instructions_per_request",
    }
}

/// The counted cost of a marker's name.
pub fn of_cost_key(name: &str) -> Option<CostMeasure> {
    CostMeasure::ALL.into_iter().find(|measure| cost_key(*measure) == name)
}

/// What the steps of an axis are round in: bytes are written in MiB.
pub(crate) fn round_unit(measure: Measure) -> f64 {
    if measure == Measure::PeakMemory { f64::from(1 << 20) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_comes_back_from_its_name() {
        for measure in Measure::ALL {
            assert_eq!(of_key(key(measure)), Some(measure));
        }
        for measure in CostMeasure::ALL {
            assert_eq!(of_cost_key(cost_key(measure)), Some(measure));
        }
        assert_eq!(of_key("speed"), None);
    }
}
