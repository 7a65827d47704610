//! What the course's original reached, which was written in C++: `benches/results/seed.toml`.
//!
//! What always holds: these figures are handed down and not measured. So they have no rounds, and a
//! ratio to them has no verdict.

use serde::Deserialize;
use thiserror::Error;

use crate::measure::Measure;

/// The file's contents.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// What it is called beside ours.
    pub server: String,
    /// Who says so.
    pub source: String,
    /// When in its life.
    pub state: String,
    requests_per_s: f64,
    latency_p50_us: f64,
}

impl Seed {
    /// The figures that are known.
    pub const MEASURES: [Measure; 2] = [Measure::RequestsPerSecond, Measure::LatencyP50];

    /// Those of this repository, as they were when this program was compiled.
    pub fn of_workspace() -> Result<Self, BadSeed> {
        Ok(toml::from_str(include_str!("../results/seed.toml"))?)
    }

    /// The figure, where it is known.
    pub fn figure(&self, measure: Measure) -> Option<f64> {
        match measure {
            Measure::RequestsPerSecond => Some(self.requests_per_s),
            Measure::LatencyP50 => Some(self.latency_p50_us),
            _ => None,
        }
    }
}

/// The file is not as it should be.
#[derive(Debug, Error)]
#[error("benches/results/seed.toml")]
pub struct BadSeed(#[from] toml::de::Error);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_that_were_handed_down_can_be_read() {
        let seed = Seed::of_workspace().unwrap();
        for measure in Measure::ALL {
            let is_known = Seed::MEASURES.contains(&measure);
            assert_eq!(seed.figure(measure).is_some_and(|figure| figure > 0.0), is_known);
        }
        assert!(!seed.source.is_empty(), "a figure has a source");
    }
}
