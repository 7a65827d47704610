//! What to measure: the whole of a run as plain data, checked before anything is opened.
//!
//! A plan, together with the program and the machine, is all that a run depends on: it is stored in
//! the summary, so that a recorded result names what would have to be done to see it again.
//!
//! The two kinds of load answer two questions. A **closed** loop waits for an answer before it sends
//! the next request, so it finds peak throughput. An **open** loop sends by the clock whatever the
//! server does, as the world outside does, so it finds latency. The words are Schroeder, Wierman and
//! Harchol-Balter's ("Open Versus Closed: A Cautionary Tale", NSDI 2006).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::payload::Profile;

/// More connections than any single Linux source address has ephemeral ports for, three times over.
pub const CONNECTIONS_MAX: usize = 100_000;
/// Requests in flight on one connection. Beyond this the socket buffers queue, not the server.
pub const PIPELINE_MAX: usize = 1_024;
/// Metrics in one request: the limit of the wire contract.
pub const BATCH_MAX: usize = 1_000;
/// Distinct client ids. Each needs a prepared request of its own.
pub const CLIENTS_MAX: usize = 100_000;
/// Arrivals a second. A hundred nanoseconds apart is already less than one system call.
pub const RATE_MAX: f64 = 10_000_000.0;
/// More threads than a generator for one machine can use.
pub const THREADS_MAX: usize = 64;
/// The longest duration of any kind: what the latency histogram still holds is an hour, a run may
/// take a day.
pub const DURATION_MAX: Duration = Duration::from_hours(24);

/// One run, complete. `Plan::default()` is a closed loop of 50 connections for 10 seconds against
/// `http://127.0.0.1:8080/metrics`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Where to: `http://host:port/path`.
    pub url: String,
    /// A target outside this machine is refused unless this is set.
    pub allow_remote: bool,
    /// POST sends a payload, GET sends none.
    pub method: Method,
    /// Connections open at the same time, 1 to [`CONNECTIONS_MAX`].
    pub connections: usize,
    /// What becomes of a connection after a response.
    pub reuse: Reuse,
    /// What decides when a request leaves.
    pub load: Load,
    /// When the measurement ends.
    pub until: Until,
    /// Time under load before the measurement begins; its requests are sent and not counted.
    #[serde(with = "seconds")]
    pub warm_up: Duration,
    /// Time over which the load climbs from nothing: the rate of an open loop, the number of busy
    /// connections of a closed one. It is part of the measurement unless `warm_up` covers it.
    #[serde(with = "seconds")]
    pub ramp: Duration,
    /// A request without its whole answer this long after its intended time has failed.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// What the bodies contain.
    pub payload: Profile,
    /// Metrics in one request, 1 to [`BATCH_MAX`].
    pub batch: usize,
    /// Distinct `X-Client-Id` values, taken in turn; none sends no such header.
    pub clients: usize,
    /// Decides every random choice: payloads, Poisson arrivals, the stagger of thinking clients.
    pub seed: u64,
    /// Clients beside the load that send their request a byte at a time.
    pub slow: SlowPlan,
    /// Event loops, each with an equal share of the connections and of the rate.
    pub threads: usize,
    /// Cores for the generator's threads, thread `i` on `cores[i % len]`. Empty leaves the choice to
    /// the operating system.
    pub cores: Vec<usize>,
}

/// The request method. Only these two, because a metrics server has only these two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Without a body.
    Get,
    /// With a payload.
    Post,
}

impl Method {
    /// As it stands in the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What becomes of a connection after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// The connection is used again; `pipeline` requests are in flight on it at a time. A server
    /// that closes all the same is given a new connection for the next request.
    KeepAlive {
        /// 1 to [`PIPELINE_MAX`].
        pipeline: usize,
    },
    /// One request a connection, announced by `Connection: close`. Connecting counts as latency.
    Close,
}

impl Reuse {
    /// Requests that may be in flight on one connection.
    pub fn depth(self) -> usize {
        match self {
            Self::KeepAlive { pipeline } => pipeline,
            Self::Close => 1,
        }
    }
}

/// What decides when a request leaves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// Each connection sends its next request when it has its answer and has thought about it.
    Closed {
        /// Pause between an answer and the next request.
        #[serde(with = "seconds")]
        think: Duration,
    },
    /// Requests leave by the clock; latency counts from the intended time.
    Open {
        /// Requests a second over all threads.
        rate: f64,
        /// How the intended times are spaced.
        arrivals: Arrivals,
    },
}

/// How the intended times of an open loop are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Evenly.
    Constant,
    /// As independent clients arrive: exponential gaps, from the seed.
    Poisson,
}

/// When the measurement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// After this long, counted from the end of the warm-up.
    Elapsed(#[serde(with = "seconds")] Duration),
    /// After this many requests in all.
    Requests(u64),
    /// After this many requests on each connection.
    RequestsEach(u64),
}

/// Clients beside the load that send their request a byte at a time (the attack is known as
/// slowloris). A server must serve the others meanwhile, and must end them in bounded time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowPlan {
    /// How many, none by default.
    pub clients: usize,
    /// Time between two bytes.
    #[serde(with = "seconds")]
    pub interval: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8080/metrics".to_owned(),
            allow_remote: false,
            method: Method::Post,
            connections: 50,
            reuse: Reuse::KeepAlive { pipeline: 1 },
            load: Load::Closed { think: Duration::ZERO },
            until: Until::Elapsed(Duration::from_secs(10)),
            warm_up: Duration::ZERO,
            ramp: Duration::ZERO,
            timeout: Duration::from_secs(10),
            payload: Profile::Constant,
            batch: 1,
            clients: 0,
            seed: 1,
            slow: SlowPlan { clients: 0, interval: Duration::from_millis(100) },
            threads: 1,
            cores: Vec::new(),
        }
    }
}

impl Plan {
    /// Refuses what cannot be measured, with the name of the option that is wrong.
    pub fn check(&self) -> Result<(), PlanError> {
        within("connections", self.connections, 1, CONNECTIONS_MAX)?;
        within("pipeline", self.reuse.depth(), 1, PIPELINE_MAX)?;
        within("batch", self.batch, 1, BATCH_MAX)?;
        within("clients", self.clients, 0, CLIENTS_MAX)?;
        within("slow", self.slow.clients, 0, CONNECTIONS_MAX)?;
        within("threads", self.threads, 1, THREADS_MAX.min(self.connections))?;
        for (name, duration) in [("warm-up", self.warm_up), ("ramp", self.ramp)] {
            if duration > DURATION_MAX {
                return Err(PlanError::TooLong { name });
            }
        }
        positive("timeout", self.timeout)?;
        positive("slow-every", self.slow.interval)?;
        self.check_load()?;
        self.check_until()
    }

    /// The number of requests after which the run ends, where a number ends it.
    pub fn requests_total(&self) -> Option<u64> {
        match self.until {
            Until::Elapsed(_) => None,
            Until::Requests(total) => Some(total),
            Until::RequestsEach(each) => Some(each.saturating_mul(self.connections as u64)),
        }
    }

    /// The requested rate of an open loop in requests a second.
    pub fn rate(&self) -> Option<f64> {
        match self.load {
            Load::Closed { .. } => None,
            Load::Open { rate, .. } => Some(rate),
        }
    }

    fn check_load(&self) -> Result<(), PlanError> {
        match self.load {
            Load::Closed { think } if think > DURATION_MAX => {
                Err(PlanError::TooLong { name: "think" })
            }
            Load::Open { rate, .. } if !(rate > 0.0 && rate <= RATE_MAX) => {
                Err(PlanError::Rate { rate })
            }
            Load::Closed { .. } | Load::Open { .. } => Ok(()),
        }
    }

    fn check_until(&self) -> Result<(), PlanError> {
        match self.until {
            Until::Elapsed(duration) => positive("for", duration),
            Until::Requests(0) | Until::RequestsEach(0) => Err(PlanError::NoRequests),
            Until::Requests(total) if total < self.threads as u64 => {
                Err(PlanError::FewerRequestsThanThreads)
            }
            Until::Requests(_) | Until::RequestsEach(_) => Ok(()),
        }
    }
}

/// Why a plan cannot be run.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PlanError {
    /// A number outside its limits.
    #[error("--{name} is {value}, it must be {min} to {max}")]
    OutOfRange {
        /// The option.
        name: &'static str,
        /// What was asked for.
        value: usize,
        /// The smallest that is allowed.
        min: usize,
        /// The largest that is allowed.
        max: usize,
    },
    /// A rate that is not a positive number of requests a second.
    #[error("--rate is {rate}, it must be more than 0 and at most 10000000 requests a second")]
    Rate {
        /// What was asked for.
        rate: f64,
    },
    /// A duration of nothing, where nothing makes no sense.
    #[error("--{name} must be longer than 0s")]
    Zero {
        /// The option.
        name: &'static str,
    },
    /// A duration beyond [`DURATION_MAX`].
    #[error("--{name} must be at most 24h")]
    TooLong {
        /// The option.
        name: &'static str,
    },
    /// A run of no requests measures nothing.
    #[error("the number of requests must be at least 1")]
    NoRequests,
    /// Each thread must have something to send.
    #[error("there are fewer requests than threads")]
    FewerRequestsThanThreads,
    /// The prepared requests would not fit into the memory set aside for them.
    #[error(
        "the prepared requests would take {needed_mib} MiB, the limit is {limit_mib} MiB: lower --clients or --batch"
    )]
    TooMuchPayload {
        /// What the plan asks for.
        needed_mib: usize,
        /// What is set aside.
        limit_mib: usize,
    },
}

fn within(name: &'static str, value: usize, min: usize, max: usize) -> Result<(), PlanError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(PlanError::OutOfRange { name, value, min, max })
    }
}

fn positive(name: &'static str, duration: Duration) -> Result<(), PlanError> {
    match duration {
        Duration::ZERO => Err(PlanError::Zero { name }),
        longer if longer > DURATION_MAX => Err(PlanError::TooLong { name }),
        _ => Ok(()),
    }
}

/// Durations stand in records as seconds, which every tool reads.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_default() {
        assert_eq!(Plan::default().check(), Ok(()));
    }

    #[test]
    fn names_the_option_that_is_out_of_range() {
        let plan = Plan { batch: 1_001, ..Plan::default() };
        let error = plan.check().unwrap_err();
        assert_eq!(error.to_string(), "--batch is 1001, it must be 1 to 1000");
    }

    #[test]
    fn refuses_more_threads_than_connections() {
        let plan = Plan { connections: 2, threads: 3, ..Plan::default() };
        assert!(matches!(plan.check(), Err(PlanError::OutOfRange { name: "threads", max: 2, .. })));
    }

    #[test]
    fn refuses_a_rate_that_is_no_rate() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, RATE_MAX * 2.0] {
            let load = Load::Open { rate, arrivals: Arrivals::Constant };
            let plan = Plan { load, ..Plan::default() };
            assert!(matches!(plan.check(), Err(PlanError::Rate { .. })), "{rate}");
        }
    }

    #[test]
    fn refuses_a_run_of_nothing() {
        for until in [Until::Elapsed(Duration::ZERO), Until::Requests(0), Until::RequestsEach(0)] {
            let plan = Plan { until, ..Plan::default() };
            assert!(plan.check().is_err(), "{until:?}");
        }
    }

    #[test]
    fn comes_back_from_json_as_it_went() {
        let plan = Plan {
            load: Load::Open { rate: 1_234.5, arrivals: Arrivals::Poisson },
            warm_up: Duration::from_millis(1_500),
            cores: vec![1, 3],
            ..Plan::default()
        };
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
}
