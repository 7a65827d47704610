//! A small made-up record for tests: two subjects, two workloads, five rounds, an ablation.
//!
//! Its figures are simple on purpose: `fast` is twice as fast as `slow`, every round differs by a
//! per cent from its neighbours, and one cost could not be counted.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use load_gen::{
    Latency, Plan, Summary,
    summary::{Connections, Generator, Rate, Requests, SCHEMA},
};

use crate::record::{
    Abilities, AblationRecord, AblationStep, Cost, Costs, Failures, Integrity, Machine, Pinning,
    Provenance, Record, Run, SCHEMA_VERSION, Series, ServerUse, SubjectKind, SubjectRecord,
    WorkloadRecord,
};

/// As `--quick`.
pub(crate) const ROUNDS: u32 = 5;

pub(crate) fn record() -> Record {
    Record {
        schema: SCHEMA_VERSION,
        name: "sample".to_owned(),
        provenance: provenance(),
        subjects: vec![subject("slow", SubjectKind::Phase), subject("fast", SubjectKind::Rival)],
        workloads: vec![workload("single"), workload("batch")],
        ablations: vec![AblationRecord {
            toggle: "parser".to_owned(),
            question: "What does the parser cost?".to_owned(),
            workload: "batch".to_owned(),
            steps: [("slow", "the start"), ("fast", "another parser")]
                .map(|(subject, change)| AblationStep {
                    subject: subject.to_owned(),
                    change: change.to_owned(),
                })
                .to_vec(),
        }],
        layers: Vec::new(),
    }
}

pub(crate) fn provenance() -> Provenance {
    Provenance {
        recorded_at: "2025-09-17T13:45:23Z".to_owned(),
        commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        dirty: false,
        command: "cargo compare slow fast --quick --pin".to_owned(),
        seed: 1,
        preset: "quick".to_owned(),
        rounds: ROUNDS,
        interrupted: false,
        pinning: Pinning::Pinned { server_core: 0, generator_core: 1 },
        machine: Machine {
            cpu: "Example CPU".to_owned(),
            cores: 2,
            memory_bytes: 8 << 30,
            is_virtual: true,
            kernel: "Linux 6.1.0".to_owned(),
            architecture: "x86_64".to_owned(),
            rustc: "rustc 1.95.0".to_owned(),
            flags: "profile release".to_owned(),
        },
    }
}

fn subject(id: &str, kind: SubjectKind) -> SubjectRecord {
    SubjectRecord {
        id: id.to_owned(),
        kind,
        about: format!("the {id} one"),
        build: Some(format!("cargo build --release -p {id}")),
        options: "--port 0 --data-file PATH".to_owned(),
        abilities: Abilities { keep_alive: id == "fast", pipelining: false, stores: true },
    }
}

fn workload(id: &str) -> WorkloadRecord {
    let mut runs = Vec::new();
    for round in 1..=ROUNDS {
        runs.push(run(round, "slow", Series::First, 10_000.0));
        runs.push(run(round, "fast", Series::First, 20_000.0));
        runs.push(run(round, "slow", Series::Again, 10_010.0));
    }
    WorkloadRecord {
        id: id.to_owned(),
        about: format!("the {id} workload"),
        failures: Failures::AreWrong,
        twin: "slow".to_owned(),
        runs,
        costs: vec![costs("slow", 20.0), costs("fast", 4.0)],
    }
}

/// A run with the given rate, give or take what the round adds; a request takes a server's core
/// as long as the rate says.
pub(crate) fn run(round: u32, subject: &str, series: Series, rate: f64) -> Run {
    let rate = rate * (1.0 + f64::from(round % 3) / 100.0);
    let latency_ns = Duration::from_secs_f64(1.0 / rate).as_nanos().try_into().unwrap();
    Run {
        round,
        subject: subject.to_owned(),
        series,
        load: summary(rate, latency_ns),
        server: ServerUse {
            cpu_us: Some(1e6 / rate * 1_000.0),
            kernel_share: Some(0.5),
            peak_memory_bytes: Some(4 << 20),
            syncs: None,
            threads: Some(3),
        },
        integrity: Integrity::Kept { stored: 1_000 },
    }
}

fn summary(rate: f64, latency_ns: u64) -> Summary {
    // A nanosecond to an hour, as the load generator's.
    let mut histogram = Histogram::new_with_max(3_600_000_000_000, 3).unwrap();
    for number in 1..=1_000 {
        histogram.saturating_record(latency_ns * (500 + number) / 1_000);
    }
    Summary {
        schema: SCHEMA,
        plan: Plan::default(),
        window_s: 1_000.0 / rate,
        interrupted: false,
        requests: Requests { succeeded: 1_000, failed: 0, unfinished: 0, warm_up: 0 },
        rate: Rate {
            offered_rps: None,
            achieved_rps: rate,
            metrics_per_s: rate,
            sent_bytes_per_s: rate * 200.0,
            received_bytes_per_s: rate * 100.0,
        },
        latency: Latency::of(&histogram),
        failures: BTreeMap::new(),
        first_malformed: None,
        connections: Connections { opened: 64, unsolicited: 0, source_addresses: 1 },
        slow: None,
        generator: Generator {
            cpu_us: 1_000.0,
            cpu_us_per_request: 1.0,
            cpu_share: 0.1,
            core_wait_share: Some(0.0),
            send_lag: Latency::merge([]).unwrap(),
            limits: Vec::new(),
        },
    }
}

fn costs(subject: &str, syscalls: f64) -> Costs {
    Costs {
        subject: subject.to_owned(),
        syscalls: Cost::Counted { per_request: syscalls, requests: 500 },
        futex_per_request: Some(1.5),
        allocations: Cost::Counted { per_request: syscalls / 2.0, requests: 500 },
        instructions: Cost::NotCounted { reason: "valgrind is not installed".to_owned() },
    }
}
