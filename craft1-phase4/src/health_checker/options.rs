//! What an operator can say of the checks.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use craft1_phase1::program::positive_duration;

use super::condition::Thresholds;

/// Longest interval and timeout: whoever checks less often than daily does not check.
const DURATION_MAX: Duration = Duration::from_hours(24);

/// Which nodes are checked, and how.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "checks")]
pub struct Options {
    /// CSV file of nodes to check; read again when it changes; without it nothing is checked
    #[arg(long, value_name = "PATH")]
    pub nodes_file: Option<PathBuf>,
    /// How the checks are done.
    #[command(flatten)]
    pub plan: Plan,
}

/// How often, how long, how many at once.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Plan {
    /// Time from the beginning of a round of checks to that of the next
    #[arg(long = "check-interval", value_name = "DURATION", default_value = "15s", value_parser = duration)]
    pub interval: Duration,
    /// Longest time for a node to answer
    #[arg(long = "check-timeout", value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub timeout: Duration,
    /// Nodes that are checked at once
    #[arg(long = "check-concurrency", value_name = "COUNT", default_value = "16")]
    pub concurrency: NonZeroU16,
    /// Most checks that begin in a second, evenly spread
    #[arg(long = "check-rate", value_name = "COUNT", default_value = "100")]
    pub rate_per_s: NonZeroU16,
    /// How many checks it takes to change a node's condition.
    #[command(flatten)]
    pub thresholds: Thresholds,
}

fn duration(text: &str) -> Result<Duration> {
    let duration = positive_duration(text)?;
    ensure!(duration <= DURATION_MAX, "must be at most a day");
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        options: Options,
    }

    fn parse(options: &[&str]) -> Result<Options, String> {
        let words = [&["program"], options].concat();
        let program = Program::try_parse_from(words).map_err(|error| error.to_string())?;
        Ok(program.options)
    }

    #[test]
    fn without_a_file_nothing_is_checked() {
        assert_eq!(parse(&[]).unwrap().nodes_file, None);
    }

    #[test]
    fn a_limit_of_nothing_and_one_beyond_all_reason_are_refused() {
        for (option, values) in [
            ("--check-interval", ["0s", "2days"]),
            ("--check-timeout", ["0ms", "1year"]),
            ("--check-concurrency", ["0", "65536"]),
            ("--check-rate", ["0", "65536"]),
            ("--check-down-after", ["0", "4294967296"]),
            ("--check-up-after", ["0", "4294967296"]),
        ] {
            for value in values {
                assert!(parse(&[option, value]).unwrap_err().contains(option), "{option} {value}");
            }
        }
    }
}
