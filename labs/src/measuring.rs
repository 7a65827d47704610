//! Measuring in rounds: two sides under the same conditions, again and again, and their ratio in each
//! round.
//!
//! What always holds: a ratio is of two figures of the same round, so what slows the machine down for
//! a while slows both. Where the rounds do not agree on which side is larger, nothing was found out.
//!
//! | module | what it reads |
//! |---|---|
//! | `instrument` | what measures: a comparison of servers, of layers, a program of a lab |
//! | `record` | a record of `cargo compare` |
//! | `criterion` | benchmarks of the learner's crate and of another, in turns |

pub mod criterion;
pub mod instrument;
pub mod record;

use std::process::{Command, Stdio};

use crate::progress::Measured;

/// The figures of two sides, round by round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rounds {
    /// The side above the line.
    pub of: Vec<f64>,
    /// The side below it.
    pub to: Vec<f64>,
}

/// Fewer rounds say nothing about how much they differ.
pub const ROUNDS_MIN: usize = 3;

impl Rounds {
    /// The ratio, where there are enough rounds.
    pub fn ratio(&self, what: &str, at: &str) -> Result<Measured, MeasureError> {
        let mut ratios: Vec<f64> = self.of.iter().zip(&self.to).map(|(of, to)| of / to).collect();
        ratios.retain(|ratio| ratio.is_finite());
        if ratios.len() < ROUNDS_MIN {
            return Err(MeasureError::TooFewRounds { what: what.to_owned(), rounds: ratios.len() });
        }
        ratios.sort_by(f64::total_cmp);
        Ok(Measured {
            at: at.to_owned(),
            what: what.to_owned(),
            ratio: ratios[ratios.len() / 2],
            min: ratios[0],
            max: ratios[ratios.len() - 1],
            rounds: ratios.len(),
        })
    }
}

impl Measured {
    /// Whether all rounds agree on which side is larger.
    pub fn is_conclusive(&self) -> bool {
        self.min > 1.0 || self.max < 1.0
    }

    /// For a person.
    pub fn text(&self) -> String {
        let Self { what, ratio, min, max, rounds, .. } = self;
        let word = if self.is_conclusive() { "" } else { "; the rounds do not agree" };
        format!("{what}: {ratio:.2} times ({min:.2} to {max:.2} in {rounds} rounds){word}")
    }
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// What measures ended badly, and has said why.
    #[error("{what} failed: {how}")]
    Failed {
        /// The command.
        what: String,
        /// Its status, or why it did not start.
        how: String,
    },
    /// What it printed is not what it should be.
    #[error("{what} printed something else: {reason}")]
    NotARecord {
        /// The command.
        what: String,
        /// What is missing.
        reason: String,
    },
    /// A side was not measured often enough.
    #[error("{what}: {rounds} rounds, and {ROUNDS_MIN} are needed")]
    TooFewRounds {
        /// Which.
        what: String,
        /// How many there were.
        rounds: usize,
    },
}

/// Runs a command to its end, which speaks to the terminal on standard error, and returns what it
/// printed on standard output.
fn output_of(command: &mut Command) -> Result<String, MeasureError> {
    let arguments: Vec<_> = command.get_args().map(|it| it.to_string_lossy()).collect();
    let what = format!("cargo {}", arguments.join(" "));
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output
        .map_err(|error| MeasureError::Failed { what: what.clone(), how: error.to_string() })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(MeasureError::Failed { what, how: output.status.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(of: &[f64], to: &[f64]) -> Rounds {
        Rounds { of: of.to_vec(), to: to.to_vec() }
    }

    #[test]
    fn a_ratio_is_of_two_figures_of_the_same_round() {
        let measured = rounds(&[2.0, 40.0, 6.0], &[1.0, 10.0, 2.0]).ratio("a / b", "now").unwrap();
        assert_eq!((measured.min, measured.ratio, measured.max), (2.0, 3.0, 4.0));
        assert!(measured.is_conclusive());
        assert_eq!(measured.text(), "a / b: 3.00 times (2.00 to 4.00 in 3 rounds)");
    }

    #[test]
    fn rounds_that_do_not_agree_find_nothing_out() {
        let measured = rounds(&[1.0, 2.0, 0.9], &[1.1, 1.0, 1.0]).ratio("a / b", "now").unwrap();
        assert!(!measured.is_conclusive());
        assert!(measured.text().ends_with("the rounds do not agree"));
    }

    #[test]
    fn too_few_rounds_say_nothing() {
        let error = rounds(&[1.0, 1.0, 1.0], &[1.0, 0.0, 0.0]).ratio("a / b", "now").unwrap_err();
        assert_eq!(error.to_string(), "a / b: 1 rounds, and 3 are needed");
    }
}
