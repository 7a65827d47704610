//! The figures that servers are compared by: names, units, which way is better, where they come
//! from in a record, and how they are written.

use load_gen::table::{decimal, grouped, time};

use crate::record::{Cost, Costs, Run};

/// A figure that every run has, so that rounds have a spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Successful requests a second.
    RequestsPerSecond,
    /// Metrics a second in successful requests.
    MetricsPerSecond,
    /// Median latency in microseconds.
    LatencyP50,
    /// 99 in 100 requests took at most this, in microseconds.
    LatencyP99,
    /// 999 in 1,000, in microseconds.
    LatencyP999,
    /// The longest latency, in microseconds.
    LatencyMax,
    /// Processor time of the server for each successful request, in microseconds.
    CpuPerRequest,
    /// The most resident memory of the server, in bytes.
    PeakMemory,
    /// The most threads of the server.
    Threads,
    /// Successful requests for each time that the server synced its file.
    RequestsPerSync,
}

/// A figure that is counted in a run of its own, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CostMeasure {
    /// System calls for each request, `futex` left out.
    Syscalls,
    /// Allocations for each request.
    Allocations,
    /// User-mode instructions for each request.
    Instructions,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Throughput.
    Higher,
    /// Time, memory, cost.
    Lower,
}

impl Measure {
    /// In the order of the tables.
    pub const ALL: [Self; 10] = [
        Self::RequestsPerSecond,
        Self::MetricsPerSecond,
        Self::LatencyP50,
        Self::LatencyP99,
        Self::LatencyP999,
        Self::LatencyMax,
        Self::CpuPerRequest,
        Self::PeakMemory,
        Self::Threads,
        Self::RequestsPerSync,
    ];

    /// The name, as it stands at the head of a row.
    pub fn label(self) -> &'static str {
        match self {
            Self::RequestsPerSecond => "requests/s",
            Self::MetricsPerSecond => "metrics/s",
            Self::LatencyP50 => "latency p50",
            Self::LatencyP99 => "latency p99",
            Self::LatencyP999 => "latency p99.9",
            Self::LatencyMax => "latency max",
            Self::CpuPerRequest => "CPU-µs/request",
            Self::PeakMemory => "peak memory",
            Self::Threads => "threads",
            Self::RequestsPerSync => "requests/sync",
        }
    }

    /// Which way is better.
    pub fn better(self) -> Better {
        match self {
            Self::RequestsPerSecond | Self::MetricsPerSecond | Self::RequestsPerSync => {
                Better::Higher
            }
            _ => Better::Lower,
        }
    }

    /// The figure of one run. Nothing where no request succeeded, or where the machine cannot tell.
    pub fn of(self, run: &Run) -> Option<f64> {
        let latency = &run.load.latency;
        let succeeded = run.load.requests.succeeded;
        let of_successes = |value: f64| (succeeded > 0).then_some(value);
        match self {
            Self::RequestsPerSecond => Some(run.load.rate.achieved_rps),
            Self::MetricsPerSecond => Some(run.load.rate.metrics_per_s),
            Self::LatencyP50 => of_successes(latency.p50_us),
            Self::LatencyP99 => of_successes(latency.p99_us),
            Self::LatencyP999 => of_successes(latency.p99_9_us),
            Self::LatencyMax => of_successes(latency.max_us),
            Self::CpuPerRequest => {
                run.server.cpu_us.and_then(|cpu_us| of_successes(cpu_us / succeeded as f64))
            }
            Self::PeakMemory => run.server.peak_memory_bytes.map(|bytes| bytes as f64),
            Self::Threads => run.server.threads.map(f64::from),
            Self::RequestsPerSync => {
                let syncs = run.server.syncs.filter(|syncs| *syncs > 0)?;
                of_successes(succeeded as f64 / syncs as f64)
            }
        }
    }

    /// With its unit.
    pub fn format(self, value: f64) -> String {
        match self {
            Self::RequestsPerSecond | Self::MetricsPerSecond | Self::RequestsPerSync => {
                decimal(value)
            }
            Self::LatencyP50 | Self::LatencyP99 | Self::LatencyP999 | Self::LatencyMax => {
                time(value)
            }
            Self::CpuPerRequest => format!("{value:.2}"),
            Self::PeakMemory => format!("{:.1} MiB", value / f64::from(1 << 20)),
            Self::Threads => format!("{value:.0}"),
        }
    }
}

impl CostMeasure {
    /// In the order of the tables.
    pub const ALL: [Self; 3] = [Self::Syscalls, Self::Allocations, Self::Instructions];

    /// The name, as it stands at the head of a row.
    pub fn label(self) -> &'static str {
        match self {
            Self::Syscalls => "syscalls/request",
            Self::Allocations => "allocations/request",
            Self::Instructions => "instructions/request",
        }
    }

    /// The name in `budgets.toml`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Syscalls => "syscalls",
            Self::Allocations => "allocations",
            Self::Instructions => "instructions",
        }
    }

    /// The cost among a subject's costs.
    pub fn of(self, costs: &Costs) -> &Cost {
        match self {
            Self::Syscalls => &costs.syscalls,
            Self::Allocations => &costs.allocations,
            Self::Instructions => &costs.instructions,
        }
    }

    /// Whole instructions; a fraction of the others, because a call for every second request is
    /// half a call.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are not negative, and `as` saturates"
    )]
    pub fn format(self, per_request: f64) -> String {
        match self {
            Self::Syscalls | Self::Allocations => format!("{per_request:.2}"),
            Self::Instructions => grouped(per_request.round() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Series, sample};

    #[test]
    fn cpu_time_is_for_each_request_that_succeeded() {
        let mut run = sample::run(3, "slow", Series::First, 10_000.0);
        run.server.cpu_us = Some(5_000.0);
        run.load.requests.succeeded = 500;
        assert_eq!(Measure::CpuPerRequest.of(&run), Some(10.0));
    }

    #[test]
    fn a_run_without_success_has_no_latency_and_no_cost() {
        let mut run = sample::run(1, "slow", Series::First, 10_000.0);
        run.load.requests.succeeded = 0;
        for measure in [Measure::LatencyP50, Measure::LatencyMax, Measure::CpuPerRequest] {
            assert_eq!(measure.of(&run), None, "{measure:?}");
        }
    }

    #[test]
    fn figures_are_written_with_their_units() {
        assert_eq!(Measure::RequestsPerSecond.format(12_345.6), "12,346");
        assert_eq!(Measure::LatencyP99.format(1_234.0), "1.23 ms");
        assert_eq!(Measure::PeakMemory.format(f64::from(3 << 19)), "1.5 MiB");
        assert_eq!(CostMeasure::Syscalls.format(2.5), "2.50");
        assert_eq!(CostMeasure::Instructions.format(12_345.4), "12,345");
    }
}
