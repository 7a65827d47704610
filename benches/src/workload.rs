//! The loads, each asking one question, with every parameter stated here.
//!
//! A workload is turned into a [`Plan`] of the load generator, which the record keeps: nothing about
//! a run is only in this file. All bodies are of the fleet profile (hosts that report metrics with
//! tags), because one body again and again flatters caches and branch predictors.

use std::time::Duration;

use load_gen::{Arrivals, Load, Plan, Profile, Reuse, SlowPlan, Until};
use thiserror::Error;

use crate::record::{Abilities, Failures};

/// Connections of every load that does not ask for another number: enough to keep any of the
/// servers busy, few enough that none is about queues.
const CONNECTIONS: usize = 64;
/// Requests that wait for their answers on each connection of `pipelined`, as in the plaintext test of
/// the `TechEmpower` benchmarks.
const PIPELINE: usize = 16;
/// Metrics in a request of `batch`, as agents that collect for ten seconds send them.
const BATCH: usize = 100;
/// Clients beside the load of `slow-clients`, and the time between two bytes of each: a request of
/// 200 bytes takes 20 seconds, longer than any server should wait.
const SLOW_CLIENTS: usize = 32;
const SLOW_INTERVAL: Duration = Duration::from_millis(100);
/// What `connections` asks for, and gets where the limit of open files allows it.
pub const MANY_CONNECTIONS: usize = 10_000;
/// Descriptors that server and generator need for other things than connections.
const OTHER_FILES: u64 = 256;
/// Connections of `close-512` and `crowd`: more than most pools have threads.
const CROWD: usize = 512;
/// An open loop needs a free connection for each arrival; beyond this many wait, the queue is in
/// the generator and counts as latency.
const OPEN_CONNECTIONS: usize = 256;
/// Arrivals of `overload` as a multiple of what the same server did in a closed loop.
const OVERLOAD: f64 = 3.0;
/// Arrivals of `steady` and `mixed` as a share of what the slowest of the compared servers did in a closed loop,
/// so that all get the same load and none is near its end.
const MIXED_SHARE: f64 = 0.5;
/// Hosts of `mixed`, each a client of its own, and the metrics that each sends at once.
const MIXED_CLIENTS: usize = 200;
const MIXED_BATCH: usize = 10;
/// A request without its answer after this time has failed. Short, so that a run against a server
/// that hangs is over soon.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Where failing is what is looked at, clients are less patient.
const TIMEOUT_UNDER_STRESS: Duration = Duration::from_secs(2);

/// A load with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// What it is called on the command line and in records.
    pub id: &'static str,
    /// What it asks, in a line.
    pub about: &'static str,
    /// What a failed request means.
    pub failures: Failures,
    /// How its arrivals are chosen.
    pub pace: Pace,
    shape: Shape,
}

/// How the arrivals of a workload are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as answers come.
    Closed,
    /// By the clock, at a multiple of the server's own capacity.
    BeyondCapacity,
    /// By the clock, at a share of the slowest server's capacity.
    WithinCapacity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Single,
    SingleSmall,
    Pipelined,
    Crowd,
    Batch { payload: Profile },
    Close { connections: usize },
    Slow,
    Many,
    Overload,
    Steady,
    Mixed,
}

/// Every workload, in the order in which they run.
pub const WORKLOADS: [Workload; 13] = [
    Workload {
        id: "single",
        about: "one metric a request, 64 connections that are used again",
        failures: Failures::AreWrong,
        pace: Pace::Closed,
        shape: Shape::Single,
    },
    Workload {
        id: "single-small",
        about: "one metric without tags a request, always the same, 64 connections that are used again",
        failures: Failures::AreWrong,
        pace: Pace::Closed,
        shape: Shape::SingleSmall,
    },
    Workload {
        id: "pipelined",
        about: "as single-small, with 16 requests on their way on each connection",
        failures: Failures::AreWrong,
        pace: Pace::Closed,
        shape: Shape::Pipelined,
    },
    Workload {
        id: "crowd",
        about: "one metric a request, 512 connections that are used again",
        failures: Failures::AreWrong,
        pace: Pace::Closed,
        shape: Shape::Crowd,
    },
    Workload {
        id: "batch",
        about: "100 metrics a request, 64 connections that are used again",
        failures: Failures::AreWrong,
        pace: Pace::Closed,
        shape: Shape::Batch { payload: Profile::Fleet },
    },
    Workload {
        id: "batch-small",
        about: "100 metrics without tags a request, always the same, 64 connections that are used again",
        failures: Failures::AreWrong,
        pace: Pace::Closed,
        shape: Shape::Batch { payload: Profile::Constant },
    },
    Workload {
        id: "close",
        about: "one metric a request, a new connection for each, 64 at a time",
        failures: Failures::AreWrong,
        pace: Pace::Closed,
        shape: Shape::Close { connections: CONNECTIONS },
    },
    Workload {
        id: "close-512",
        about: "one metric a request, a new connection for each, 512 at a time",
        failures: Failures::AreWrong,
        pace: Pace::Closed,
        shape: Shape::Close { connections: CROWD },
    },
    Workload {
        id: "slow-clients",
        about: "as single, beside 32 clients that send a byte every 100 ms",
        failures: Failures::AreFindings,
        pace: Pace::Closed,
        shape: Shape::Slow,
    },
    Workload {
        id: "connections",
        about: "one metric a request, 10,000 connections at once",
        failures: Failures::AreFindings,
        pace: Pace::Closed,
        shape: Shape::Many,
    },
    Workload {
        id: "overload",
        about: "arrivals by the clock at 3 times what the server can do",
        failures: Failures::AreFindings,
        pace: Pace::BeyondCapacity,
        shape: Shape::Overload,
    },
    Workload {
        id: "steady",
        about: "one metric a request, arrivals by the clock at half of what the slowest server can do",
        failures: Failures::AreWrong,
        pace: Pace::WithinCapacity,
        shape: Shape::Steady,
    },
    Workload {
        id: "mixed",
        about: "200 clients, 10 metrics a request, arrivals by the clock at half of what the slowest server can do",
        failures: Failures::AreWrong,
        pace: Pace::WithinCapacity,
        shape: Shape::Mixed,
    },
];

/// How long everything takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// `quick`, `medium` or `full`.
    pub id: &'static str,
    /// Rounds, unless the command line says otherwise. Five are the fewest that can tell a
    /// difference; see [`crate::statistics`].
    pub rounds: u32,
    /// Load before each measurement, so that caches, branch predictors and memory have settled.
    pub warm_up: Duration,
    /// Length of each measurement.
    pub measure: Duration,
    /// Workloads, unless the command line names some.
    pub workloads: &'static [&'static str],
}

/// Six phases and the twin, five rounds: under two minutes.
pub const QUICK: Preset = Preset {
    id: "quick",
    rounds: 5,
    warm_up: Duration::from_millis(300),
    measure: Duration::from_millis(1_500),
    workloads: &["single"],
};

/// A minute for two subjects and a workload.
pub const MEDIUM: Preset = Preset {
    id: "medium",
    rounds: 5,
    warm_up: Duration::from_millis(500),
    measure: Duration::from_secs(3),
    workloads: &["single", "batch", "close", "mixed"],
};

/// What goes into the book: more than an hour for all subjects.
pub const FULL: Preset = Preset {
    id: "full",
    rounds: 7,
    warm_up: Duration::from_secs(1),
    measure: Duration::from_secs(6),
    workloads: &[
        "single",
        "pipelined",
        "batch",
        "close",
        "slow-clients",
        "connections",
        "overload",
        "steady",
        "mixed",
    ],
};

/// What a plan depends on beside its workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Circumstances {
    /// Where the server takes metrics.
    pub url: String,
    /// What the server can do.
    pub abilities: Abilities,
    /// Decides every random choice.
    pub seed: u64,
    /// The core of the generator; nothing leaves it to the operating system.
    pub generator_core: Option<usize>,
    /// Connections that the limit of open files allows.
    pub connections_max: usize,
}

/// The workload with this name.
pub fn find(id: &str) -> Result<&'static Workload, UnknownWorkload> {
    WORKLOADS.iter().find(|workload| workload.id == id).ok_or_else(|| UnknownWorkload {
        id: id.to_owned(),
        known: WORKLOADS.map(|workload| workload.id).join(", "),
    })
}

/// No workload has that name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no workload {id:?}; there are {known}")]
pub struct UnknownWorkload {
    id: String,
    known: String,
}

/// Connections that fit into a limit of open files.
pub fn connections_within(files_max: Option<u64>) -> usize {
    let room = files_max.map_or(u64::MAX, |limit| limit.saturating_sub(OTHER_FILES));
    usize::try_from(room).unwrap_or(usize::MAX).min(MANY_CONNECTIONS)
}

impl Workload {
    /// The plan in a closed loop: the load itself for workloads of [`Pace::Closed`], and what a
    /// server's capacity is measured with for the others.
    pub fn closed(&self, duration: Duration, on: &Circumstances) -> Plan {
        let base = Plan {
            url: on.url.clone(),
            connections: CONNECTIONS,
            reuse: Reuse::KeepAlive { pipeline: 1 },
            load: Load::Closed { think: Duration::ZERO },
            until: Until::Elapsed(duration),
            timeout: match self.failures {
                Failures::AreWrong => TIMEOUT,
                Failures::AreFindings => TIMEOUT_UNDER_STRESS,
            },
            payload: Profile::Fleet,
            seed: on.seed,
            cores: on.generator_core.into_iter().collect(),
            ..Plan::default()
        };
        let mut plan = self.shape.applied_to(base, on.connections_max);
        if !on.abilities.keep_alive {
            plan.reuse = Reuse::Close;
        } else if !on.abilities.pipelining && plan.reuse != Reuse::Close {
            plan.reuse = Reuse::KeepAlive { pipeline: 1 };
        }
        plan
    }

    /// The plan of the measurement. `capacity` is what [`Self::rate`] is made from: requests a
    /// second, of the server itself or of the slowest one.
    pub fn measured(&self, duration: Duration, capacity: Option<f64>, on: &Circumstances) -> Plan {
        let plan = self.closed(duration, on);
        match capacity.and_then(|capacity| self.rate(capacity)) {
            Some(rate) => Plan { load: Load::Open { rate, arrivals: Arrivals::Poisson }, ..plan },
            None => plan,
        }
    }

    /// One client that waits for each answer, so that no two servers batch differently: what costs
    /// are counted with.
    pub fn counted(&self, requests: u64, on: &Circumstances) -> Plan {
        let slow = SlowPlan { clients: 0, interval: SLOW_INTERVAL };
        let until = Until::Requests(requests);
        let plan = self.closed(TIMEOUT, on);
        // Under valgrind everything takes fifty times as long.
        Plan { connections: 1, until, slow, timeout: TIMEOUT * 6, ..plan }
    }

    /// Whether a request holds many metrics.
    pub fn is_batch(&self) -> bool {
        matches!(self.shape, Shape::Batch { .. })
    }

    /// Arrivals a second for a capacity; nothing where answers set the pace.
    pub fn rate(&self, capacity: f64) -> Option<f64> {
        let rate = match self.pace {
            Pace::Closed => return None,
            Pace::BeyondCapacity => capacity * OVERLOAD,
            Pace::WithinCapacity => capacity * MIXED_SHARE,
        };
        Some(rate.max(1.0).round())
    }
}

impl Shape {
    fn applied_to(self, plan: Plan, connections_max: usize) -> Plan {
        match self {
            Self::Single => plan,
            Self::SingleSmall => Plan { payload: Profile::Constant, ..plan },
            Self::Pipelined => Plan {
                reuse: Reuse::KeepAlive { pipeline: PIPELINE },
                payload: Profile::Constant,
                ..plan
            },
            Self::Crowd => Plan { connections: CROWD, ..plan },
            Self::Batch { payload } => Plan { batch: BATCH, payload, ..plan },
            Self::Close { connections } => Plan { reuse: Reuse::Close, connections, ..plan },
            Self::Slow => {
                let slow = SlowPlan { clients: SLOW_CLIENTS, interval: SLOW_INTERVAL };
                Plan { slow, ..plan }
            }
            Self::Many => Plan { connections: MANY_CONNECTIONS.min(connections_max), ..plan },
            Self::Overload | Self::Steady => Plan { connections: OPEN_CONNECTIONS, ..plan },
            Self::Mixed => Plan {
                connections: OPEN_CONNECTIONS,
                clients: MIXED_CLIENTS,
                batch: MIXED_BATCH,
                ..plan
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(keep_alive: bool) -> Circumstances {
        Circumstances {
            url: "http://127.0.0.1:1/metrics".to_owned(),
            abilities: Abilities { keep_alive, pipelining: keep_alive, stores: true },
            seed: 7,
            generator_core: Some(1),
            connections_max: MANY_CONNECTIONS,
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn every_plan_of_every_workload_can_be_run() {
        for workload in &WORKLOADS {
            for keep_alive in [true, false] {
                let on = on(keep_alive);
                let plans = [
                    workload.closed(SECOND, &on),
                    workload.measured(SECOND, Some(1_000.0), &on),
                    workload.counted(100, &on),
                ];
                for plan in plans {
                    assert_eq!(plan.check(), Ok(()), "{}", workload.id);
                    assert_eq!((plan.seed, plan.cores), (7, vec![1]));
                }
            }
        }
    }

    #[test]
    fn a_server_without_keep_alive_gets_a_connection_for_each_request() {
        for workload in &WORKLOADS {
            assert_eq!(workload.closed(SECOND, &on(false)).reuse, Reuse::Close, "{}", workload.id);
        }
        let single = find("single").unwrap().closed(SECOND, &on(true));
        assert_eq!(single.reuse, Reuse::KeepAlive { pipeline: 1 });
        assert_eq!(find("close").unwrap().closed(SECOND, &on(true)).reuse, Reuse::Close);
    }

    #[test]
    fn arrivals_by_the_clock_follow_the_capacity() {
        let rate = |id: &str, capacity| {
            find(id).unwrap().measured(SECOND, Some(capacity), &on(true)).rate()
        };
        assert_eq!(rate("overload", 1_000.0), Some(3_000.0));
        assert_eq!(rate("mixed", 1_000.0), Some(500.0));
        assert_eq!(rate("mixed", 0.0), Some(1.0), "a rate is never nothing");
        assert_eq!(rate("single", 1_000.0), None);
    }

    #[test]
    fn many_connections_are_as_many_as_the_limit_allows() {
        assert_eq!(connections_within(None), MANY_CONNECTIONS);
        assert_eq!(connections_within(Some(1_024)), 768);
        let on = Circumstances { connections_max: 768, ..on(true) };
        assert_eq!(find("connections").unwrap().closed(SECOND, &on).connections, 768);
        assert_eq!(find("single").unwrap().closed(SECOND, &on).connections, CONNECTIONS);
    }

    #[test]
    fn presets_name_workloads_that_exist() {
        for preset in [QUICK, MEDIUM, FULL] {
            assert!(preset.workloads.iter().all(|id| find(id).is_ok()), "{}", preset.id);
            assert!(preset.rounds as usize >= crate::statistics::ROUNDS_MIN);
        }
        let error = find("tiny").unwrap_err().to_string();
        assert!(error.starts_with("there is no workload \"tiny\"; there are single, single-small"));
    }
}
