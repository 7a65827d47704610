//! A made-up comparison with everything in it that a page must show: servers that are far apart
//! and two that are not, a workload in which requests fail, a server that loses what it accepted,
//! costs that could not be counted, and an ablation with a step that bought nothing.

use std::{collections::BTreeMap, time::Duration};

use benches::record::{
    Abilities, AblationRecord, AblationStep, Cost, Costs, Failures, Integrity, Machine, Pinning,
    Provenance, Record, Run, SCHEMA_VERSION, Series, ServerUse, SubjectKind, SubjectRecord,
    WorkloadRecord,
};
use hdrhistogram::Histogram;
use load_gen::{
    Failure, Latency, Limit, Plan, Reuse, Summary,
    summary::{Connections, Generator, Rate, Requests, SCHEMA},
};

const ROUNDS: u32 = 5;
const REQUESTS: u64 = 20_000;
const RIVALS: [&str; 2] = ["hyper-serde", "axum"];

/// How a made-up server behaves in a made-up workload.
#[derive(Clone, Copy)]
struct Behaviour {
    id: &'static str,
    cpu_us: f64,
    requests_per_s: f64,
    median_us: f64,
    /// How much slower the slowest request in a thousand is.
    tail: f64,
    refused: u64,
    reset: u64,
}

const fn behaviour(
    id: &'static str,
    cpu_us: f64,
    rps: f64,
    median_us: f64,
    tail: f64,
) -> Behaviour {
    Behaviour { id, cpu_us, requests_per_s: rps, median_us, tail, refused: 0, reset: 0 }
}

const SINGLE: [Behaviour; 4] = [
    behaviour("phase0", 81.4, 8_200.0, 5_900.0, 2.2),
    behaviour("craft1-phase1", 60.2, 11_900.0, 3_800.0, 6.0),
    behaviour("hyper-serde", 14.8, 61_000.0, 780.0, 3.1),
    behaviour("axum", 14.9, 60_600.0, 790.0, 3.3),
];

const OVERLOAD: [Behaviour; 4] = [
    Behaviour { refused: 900, reset: 2_600, ..behaviour("phase0", 90.0, 7_900.0, 9_800.0, 3.0) },
    Behaviour {
        refused: 0,
        reset: 700,
        ..behaviour("craft1-phase1", 71.0, 11_000.0, 8_100.0, 9.0)
    },
    Behaviour { refused: 6_000, ..behaviour("hyper-serde", 15.9, 58_000.0, 900.0, 4.0) },
    behaviour("axum", 15.8, 58_300.0, 910.0, 4.2),
];

const WRITER: [Behaviour; 3] = [
    behaviour("writer-lock", 60.2, 11_900.0, 3_800.0, 6.0),
    behaviour("writer-channel", 41.0, 16_900.0, 2_700.0, 3.0),
    behaviour("writer-batched", 40.8, 17_000.0, 2_690.0, 3.0),
];

pub(crate) fn record() -> Record {
    let ids = SINGLE.iter().chain(&WRITER).map(|behaviour| behaviour.id);
    let mut overload = workload("overload", &OVERLOAD, Failures::AreFindings);
    overload.about =
        "Twice as many requests as the slowest server takes, for as long as it lasts.".into();
    overload.runs[3].integrity = Integrity::Lost { accepted: 20_000, stored: 19_987 };
    for run in &mut overload.runs {
        run.load.rate.offered_rps = Some(20_000.0);
    }
    overload.runs[2].load.generator.limits = vec![Limit::Cpu { share: 0.96 }];
    Record {
        schema: SCHEMA_VERSION,
        name: "example".to_owned(),
        provenance: provenance(),
        subjects: ids.map(subject).collect(),
        workloads: vec![
            workload("single", &SINGLE, Failures::AreWrong),
            overload,
            workload("writer", &WRITER, Failures::AreWrong),
        ],
        ablations: vec![ablation()],
        layers: Vec::new(),
    }
}

fn provenance() -> Provenance {
    Provenance {
        recorded_at: "2025-09-17T13:45:23Z".to_owned(),
        commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        dirty: true,
        command: "cargo compare phase0 craft1-phase1 --rival hyper-serde --rival axum --workload single --workload overload --toggle writer --quick".to_owned(),
        seed: 1,
        preset: "quick".to_owned(),
        rounds: ROUNDS,
        interrupted: false,
        pinning: Pinning::Unpinned,
        machine: Machine {
            cpu: "Example CPU with a long name @ 2.10GHz".to_owned(),
            cores: 2,
            memory_bytes: 8 << 30,
            is_virtual: true,
            kernel: "Linux 6.1.0".to_owned(),
            architecture: "x86_64".to_owned(),
            rustc: "rustc 1.95.0 (0123456789 2025-09-01)".to_owned(),
            flags: "profile release".to_owned(),
        },
    }
}

fn subject(id: &str) -> SubjectRecord {
    let is_rival = RIVALS.contains(&id);
    SubjectRecord {
        id: id.to_owned(),
        kind: if is_rival { SubjectKind::Rival } else { SubjectKind::Phase },
        about: format!("what {id} is, said in a line of usual length"),
        build: Some(format!("cargo build --release -p {id}")),
        options: "--port 0 --data-file PATH".to_owned(),
        abilities: Abilities { keep_alive: is_rival, pipelining: false, stores: true },
    }
}

fn ablation() -> AblationRecord {
    let changes = [
        "a write in the request, under a lock",
        "a bounded channel to one writer thread that writes by itself",
        "the writer takes all that is waiting at once",
    ];
    let steps = WRITER.iter().zip(changes).map(|(behaviour, change)| AblationStep {
        subject: behaviour.id.to_owned(),
        change: change.to_owned(),
    });
    AblationRecord {
        toggle: "writer".to_owned(),
        question: "What does it cost to store a metric?".to_owned(),
        workload: "writer".to_owned(),
        steps: steps.collect(),
    }
}

fn workload(id: &str, behaviours: &[Behaviour], failures: Failures) -> WorkloadRecord {
    let mut runs = Vec::new();
    for round in 1..=ROUNDS {
        runs.extend(behaviours.iter().map(|one| run(round, one, Series::First)));
        runs.push(run(round, &behaviours[0], Series::Again));
    }
    WorkloadRecord {
        id: id.to_owned(),
        about: "One metric a request, as fast as the server takes them.".to_owned(),
        failures,
        twin: behaviours[0].id.to_owned(),
        runs,
        costs: behaviours.iter().map(costs).collect(),
    }
}

/// From -1 to 1, the same for the same seed: a step of Knuth's linear congruential generator.
fn wobble(seed: u64) -> f64 {
    let mixed =
        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (mixed >> 40) as f64 / f64::from(1 << 23) - 1.0
}

fn run(round: u32, behaviour: &Behaviour, series: Series) -> Run {
    let name: u64 = behaviour.id.bytes().map(u64::from).sum();
    let seed = name * 1_000 + u64::from(round) * 10 + u64::from(series == Series::Again);
    let noise = 1.0 + 0.03 * wobble(seed);
    let succeeded = REQUESTS - behaviour.refused - behaviour.reset;
    Run {
        round,
        subject: behaviour.id.to_owned(),
        series,
        load: summary(behaviour, seed, noise, succeeded),
        server: ServerUse {
            cpu_us: Some(behaviour.cpu_us * noise * succeeded as f64),
            kernel_share: Some(0.6),
            peak_memory_bytes: Some((4 << 20) + seed % (1 << 19)),
            threads: Some(3),
            syncs: None,
        },
        integrity: Integrity::Kept { stored: succeeded },
    }
}

fn summary(behaviour: &Behaviour, seed: u64, noise: f64, succeeded: u64) -> Summary {
    let rate = behaviour.requests_per_s / noise;
    let failures = [(Failure::Status(503), behaviour.refused), (Failure::Reset, behaviour.reset)];
    let failures: BTreeMap<Failure, u64> =
        failures.into_iter().filter(|(_, count)| *count > 0).collect();
    Summary {
        schema: SCHEMA,
        plan: Plan { reuse: reuse(behaviour.id), ..Plan::default() },
        window_s: succeeded as f64 / rate,
        interrupted: false,
        requests: Requests {
            succeeded,
            failed: behaviour.refused + behaviour.reset,
            unfinished: 0,
            warm_up: 100,
        },
        rate: Rate {
            offered_rps: None,
            achieved_rps: rate,
            metrics_per_s: rate,
            sent_bytes_per_s: rate * 200.0,
            received_bytes_per_s: rate * 100.0,
        },
        latency: latency(behaviour, seed, succeeded),
        failures,
        first_malformed: None,
        connections: Connections { opened: 50, unsolicited: 0, source_addresses: 1 },
        slow: None,
        generator: Generator {
            cpu_us: 1_000.0,
            cpu_us_per_request: 1.0,
            cpu_share: 0.1,
            core_wait_share: Some(0.0),
            send_lag: Latency::of(&Histogram::new(3).unwrap()),
            limits: Vec::new(),
        },
    }
}

/// The rivals can keep a connection open.
fn reuse(id: &str) -> Reuse {
    if RIVALS.contains(&id) { Reuse::KeepAlive { pipeline: 1 } } else { Reuse::Close }
}

/// Around the median, with a tail: one in a thousand takes `tail` times as long.
fn latency(behaviour: &Behaviour, seed: u64, count: u64) -> Latency {
    let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
    for number in 0..count {
        let uniform = f64::midpoint(wobble(seed + number * 7_919), 1.0);
        let tail = behaviour.tail.powf((-(1.0 - uniform).max(1e-6).log10() - 0.3).max(0.0) / 2.7);
        let value_us = behaviour.median_us * (0.6 + 0.8 * uniform.min(0.5)) * tail;
        let value = Duration::from_secs_f64(value_us / 1e6);
        histogram.record(value.as_nanos().try_into().unwrap()).unwrap();
    }
    Latency::of(&histogram)
}

fn costs(behaviour: &Behaviour) -> Costs {
    Costs {
        subject: behaviour.id.to_owned(),
        syscalls: Cost::Counted { per_request: (behaviour.cpu_us / 5.0).round(), requests: 500 },
        futex_per_request: Some(0.5),
        allocations: Cost::Counted { per_request: 12.5, requests: 500 },
        instructions: Cost::NotCounted { reason: "valgrind is not installed".to_owned() },
    }
}
