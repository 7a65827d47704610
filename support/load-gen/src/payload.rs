//! What the requests say: JSON bodies of the wire contract, the same for the same seed.
//!
//! Every profile is valid and is to be answered with 202. The profiles differ in how hard they are
//! to read: one body again and again flatters caches and branch predictors, a fleet looks like
//! production, and the adversarial bodies use the corners of the JSON grammar (RFC 8259) that slow
//! paths are made of.

mod adversarial;
mod fleet;

use std::fmt;

use rand::{SeedableRng, rngs::ChaCha8Rng};
use serde::{Deserialize, Serialize};

/// Which bodies a run sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// `{"name":"cpu_usage","value":85.5}` in every request.
    Constant,
    /// Many hosts that report many metrics with tags, as agents on a fleet of machines do.
    Fleet,
    /// Valid and hard: escapes, the longest names, 32 tags, extreme numbers, nested unknown fields.
    Adversarial,
}

impl fmt::Display for Profile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Constant => "constant",
            Self::Fleet => "fleet",
            Self::Adversarial => "adversarial",
        })
    }
}

/// Writes the bodies of a profile one after another.
#[derive(Debug)]
pub struct Bodies {
    profile: Profile,
    batch: usize,
    random: ChaCha8Rng,
}

/// The metric of the constant profile, as the first chapter of the course sends it with curl.
const CONSTANT: &str = r#"{"name":"cpu_usage","value":85.5}"#;

impl Bodies {
    /// Bodies of `batch` metrics each. A batch of one is sent as a bare metric.
    pub fn new(profile: Profile, batch: usize, seed: u64) -> Self {
        Self { profile, batch, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Whether every body is the same, so that preparing one is enough.
    pub fn is_constant(&self) -> bool {
        self.profile == Profile::Constant
    }

    /// Writes the next body to the end of `out`.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        if self.batch == 1 {
            return self.write_metric(out);
        }
        out.extend_from_slice(br#"{"metrics":["#);
        for index in 0..self.batch {
            if index > 0 {
                out.push(b',');
            }
            self.write_metric(out);
        }
        out.extend_from_slice(b"]}");
    }

    fn write_metric(&mut self, out: &mut Vec<u8>) {
        match self.profile {
            Profile::Constant => out.extend_from_slice(CONSTANT.as_bytes()),
            Profile::Fleet => fleet::write_metric(&mut self.random, out),
            Profile::Adversarial => adversarial::write_metric(&mut self.random, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const BODY_LEN_MAX: usize = 1 << 20;

    fn body(profile: Profile, batch: usize, seed: u64) -> Vec<u8> {
        let mut out = Vec::new();
        Bodies::new(profile, batch, seed).write(&mut out);
        out
    }

    #[test]
    fn the_constant_single_metric_is_the_one_of_the_first_chapter() {
        let expected = br#"{"name":"cpu_usage","value":85.5}"#;
        assert_eq!(body(Profile::Constant, 1, 9), expected);
    }

    #[test]
    fn a_seed_names_the_bodies() {
        for profile in [Profile::Fleet, Profile::Adversarial] {
            assert_eq!(body(profile, 20, 1), body(profile, 20, 1));
            assert_ne!(body(profile, 20, 1), body(profile, 20, 2));
        }
    }

    #[test]
    fn the_largest_batch_fits_into_the_largest_body() {
        for profile in [Profile::Constant, Profile::Fleet, Profile::Adversarial] {
            let len = body(profile, crate::plan::BATCH_MAX, 3).len();
            assert!(len <= BODY_LEN_MAX, "{profile}: {len} bytes");
        }
    }

    #[test]
    fn every_metric_keeps_the_wire_contract() {
        for profile in [Profile::Constant, Profile::Fleet, Profile::Adversarial] {
            let whole: Value = serde_json::from_slice(&body(profile, 1_000, 5)).unwrap();
            let metrics = whole["metrics"].as_array().unwrap();
            assert_eq!(metrics.len(), 1_000);
            for metric in metrics {
                assert_keeps_the_contract(metric);
            }
        }
    }

    fn assert_keeps_the_contract(metric: &Value) {
        let name = metric["name"].as_str().unwrap();
        assert!((1..=255).contains(&name.len()), "{metric}");
        assert!(!name.chars().any(char::is_control), "{metric}");
        assert!(metric["value"].as_f64().unwrap().is_finite(), "{metric}");
        if let Some(kind) = metric.get("type") {
            assert!(["gauge", "counter", "histogram"].contains(&kind.as_str().unwrap()));
        }
        if let Some(tags) = metric.get("tags") {
            let tags = tags.as_object().unwrap();
            assert!(tags.len() <= 32 && tags.values().all(Value::is_string), "{metric}");
        }
    }

    /// A struct, unlike a map, refuses a key that comes twice.
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only that it can be read is of interest")]
    struct Known {
        name: String,
        value: f64,
        timestamp: Option<Value>,
        r#type: Option<String>,
        tags: Option<Value>,
    }

    #[test]
    fn adversarial_metrics_repeat_no_known_key() {
        let mut bodies = Bodies::new(Profile::Adversarial, 1, 11);
        for _ in 0..500 {
            let mut body = Vec::new();
            bodies.write(&mut body);
            serde_json::from_slice::<Known>(&body).unwrap();
        }
    }
}
