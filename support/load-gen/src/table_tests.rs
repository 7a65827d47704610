//! The table of a run whose every figure is fixed.

use super::*;
use crate::{
    limit::Limit,
    plan::SlowPlan,
    slow::SlowSummary,
    summary::{Connections, Generator, Latency, Rate, Requests, SCHEMA},
};

fn latency(values_us: impl IntoIterator<Item = u64>) -> Latency {
    let mut histogram = crate::tally::histogram();
    for value_us in values_us {
        histogram.record(value_us * 1_000).unwrap();
    }
    Latency::of(&histogram)
}

/// An open loop in which everything that can be said is to be said.
fn eventful() -> Summary {
    let slow = SlowPlan { clients: 5, ..Plan::default().slow };
    let load = Load::Open { rate: 2_000.0, arrivals: Arrivals::Poisson };
    Summary {
        schema: SCHEMA,
        plan: Plan { load, slow, batch: 10, threads: 2, cores: vec![2, 3], ..Plan::default() },
        window_s: 10.0,
        interrupted: true,
        requests: Requests { succeeded: 19_000, failed: 957, unfinished: 43, warm_up: 0 },
        rate: Rate {
            offered_rps: Some(2_000.0),
            achieved_rps: 1_900.0,
            metrics_per_s: 19_000.0,
            sent_bytes_per_s: 1_234_567.0,
            received_bytes_per_s: 98_765.0,
        },
        latency: latency((1..=19_000).map(|number| number * 100)),
        failures: [
            (Failure::ClosedEarly, 7),
            (Failure::Malformed, 50),
            (Failure::Status(503), 900),
        ]
        .into(),
        first_malformed: Some("the status line is not HTTP/1.1".to_owned()),
        connections: Connections { opened: 60, unsolicited: 2, source_addresses: 3 },
        slow: Some(SlowSummary {
            clients: 5,
            answered: 1,
            failures: [(Failure::Status(408), 12)].into(),
            unfinished: 4,
            longest_held_s: 10.04,
        }),
        generator: Generator {
            cpu_us: 190_000.0,
            cpu_us_per_request: 10.0,
            cpu_share: 0.0095,
            core_wait_share: Some(0.25),
            send_lag: latency([10, 20, 1_500]),
            limits: vec![Limit::CoreWait { share: 0.25 }, Limit::SendLag { p99_us: 1_500.0 }],
        },
    }
}

/// A closed loop without anything out of the ordinary.
fn calm() -> Summary {
    let mut summary = eventful();
    summary.plan = Plan::default();
    summary.interrupted = false;
    summary.requests = Requests { succeeded: 19_000, failed: 0, unfinished: 0, warm_up: 0 };
    summary.rate.offered_rps = None;
    summary.failures.clear();
    summary.first_malformed = None;
    summary.connections = Connections { opened: 50, unsolicited: 0, source_addresses: 1 };
    summary.slow = None;
    summary.generator.send_lag = latency([]);
    summary.generator.limits.clear();
    summary
}

#[test]
fn a_calm_run_is_a_short_table() {
    insta::assert_snapshot!(calm());
}

#[test]
fn an_eventful_run_leaves_nothing_out() {
    insta::assert_snapshot!(eventful());
}

#[test]
fn groups_digits_by_three() {
    for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
        assert_eq!(grouped(number), text);
    }
}

#[test]
fn times_have_the_unit_that_fits() {
    let us = [0.0, 12.4, 999.4, 1_000.0, 12_345.0, 999_400.0, 1_000_000.0, 61e6];
    let expected =
        ["0 µs", "12 µs", "999 µs", "1.00 ms", "12.35 ms", "999.40 ms", "1.00 s", "61.00 s"];
    assert_eq!(us.map(time), expected);
}

#[test]
fn rates_have_a_decimal_where_it_matters() {
    assert_eq!([0.5, 99.94, 1234.5].map(decimal), ["0.5", "99.9", "1,235"]);
}
