//! When a result shows the generator and not the server.
//!
//! A generator that is at its end looks exactly like a server that is at its end: the rate stops
//! rising and latency grows. So the generator watches itself and says when it is the suspect.

use std::fmt;

use serde::{Deserialize, Serialize};

/// From this share of its cores on the generator has nothing left to send more with.
const CPU_SHARE_MAX: f64 = 0.90;
/// From this share of the time on somebody else's work on the same core is in the figures.
const CORE_WAIT_SHARE_MAX: f64 = 0.20;
/// A loop that sees every hundredth request a millisecond late adds to latencies of the same order.
const LAG_P99_MAX_US: f64 = 1_000.0;

/// Why the generator may have been the limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Limit {
    /// Its threads were busy nearly all the time.
    Cpu {
        /// Of their cores, 0 to 1.
        share: f64,
    },
    /// Its threads had to share their cores with others.
    CoreWait {
        /// Of the time, 0 to 1.
        share: f64,
    },
    /// It saw too late that requests were due.
    SendLag {
        /// The 99th percentile, in microseconds.
        p99_us: f64,
    },
    /// No local port was left for a new connection.
    LocalPorts,
    /// No file descriptor was left for a new connection.
    OpenFiles,
}

/// What the verdict rests on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence {
    pub(crate) cpu_share: f64,
    pub(crate) core_wait_share: Option<f64>,
    pub(crate) lag_p99_us: f64,
    pub(crate) out_of_ports: bool,
    pub(crate) out_of_files: bool,
}

impl Limit {
    pub(crate) fn all_of(evidence: &Evidence) -> Vec<Self> {
        let Evidence { cpu_share, core_wait_share, lag_p99_us, out_of_ports, out_of_files } =
            *evidence;
        let wait = core_wait_share.filter(|share| *share > CORE_WAIT_SHARE_MAX);
        [
            (cpu_share > CPU_SHARE_MAX).then_some(Self::Cpu { share: cpu_share }),
            wait.map(|share| Self::CoreWait { share }),
            (lag_p99_us > LAG_P99_MAX_US).then_some(Self::SendLag { p99_us: lag_p99_us }),
            out_of_ports.then_some(Self::LocalPorts),
            out_of_files.then_some(Self::OpenFiles),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu { share } => write!(
                out,
                "it used {:.0} % of its cores; the server may be able to do more: try --threads",
                share * 100.0
            ),
            Self::CoreWait { share } => write!(
                out,
                "it waited for a core {:.0} % of the time; give it one of its own with --pin",
                share * 100.0
            ),
            Self::SendLag { p99_us } => write!(
                out,
                "it sent late: 1 in 100 requests by {:.1} ms or more; lower --rate or try --threads",
                p99_us / 1e3
            ),
            Self::LocalPorts => {
                out.write_str("this machine ran out of local ports; use --keep-alive or wait")
            }
            Self::OpenFiles => out.write_str("it ran out of open files; raise `ulimit -n`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Evidence = Evidence {
        cpu_share: 0.5,
        core_wait_share: Some(0.1),
        lag_p99_us: 100.0,
        out_of_ports: false,
        out_of_files: false,
    };

    #[test]
    fn a_generator_with_room_to_spare_is_not_the_limit() {
        assert_eq!(Limit::all_of(&FINE), []);
        assert_eq!(Limit::all_of(&Evidence { core_wait_share: None, ..FINE }), []);
    }

    #[test]
    fn each_sign_is_named() {
        let only = |evidence| {
            let limits = Limit::all_of(&evidence);
            assert_eq!(limits.len(), 1, "{limits:?}");
            limits[0]
        };
        let cpu = only(Evidence { cpu_share: 0.97, ..FINE });
        assert_eq!(cpu, Limit::Cpu { share: 0.97 });
        assert!(cpu.to_string().starts_with("it used 97 % of its cores"));
        let wait = only(Evidence { core_wait_share: Some(0.3), ..FINE });
        assert_eq!(wait, Limit::CoreWait { share: 0.3 });
        let lag = only(Evidence { lag_p99_us: 2_500.0, ..FINE });
        assert!(lag.to_string().contains("2.5 ms"));
        assert_eq!(only(Evidence { out_of_ports: true, ..FINE }), Limit::LocalPorts);
        assert_eq!(only(Evidence { out_of_files: true, ..FINE }), Limit::OpenFiles);
    }
}
