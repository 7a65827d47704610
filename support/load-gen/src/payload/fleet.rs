//! The fleet profile: hosts of several roles and regions, each reporting what such hosts report.

use rand::{RngExt, rngs::ChaCha8Rng};
use serde::Serialize;

/// As many hosts as one small company runs; with the metrics below, 1,600 series.
const HOSTS: u32 = 200;
const ROLES: [&str; 5] = ["api", "cache", "db", "queue", "web"];
const REGIONS: [&str; 4] = ["ap-south-1", "eu-central-1", "sa-east-1", "us-east-1"];

/// What every host reports, and within which limits.
const SERIES: [Series; 8] = [
    Series::gauge("cpu_usage", 0.0, 100.0, 10.0),
    Series::gauge("load_average_1m", 0.0, 32.0, 100.0),
    Series::gauge("memory_used_bytes", 2.0e9, 6.4e10, 1.0),
    Series::gauge("disk_free_bytes", 1.0e9, 2.0e12, 1.0),
    Series::gauge("temperature_celsius", 30.0, 90.0, 10.0),
    Series::other("network_receive_bytes_total", "counter", 0.0, 9.0e15, 1.0),
    Series::other("http_requests_total", "counter", 0.0, 1.0e9, 1.0),
    Series::other("request_duration_seconds", "histogram", 0.000_2, 2.5, 1e6),
];

struct Series {
    name: &'static str,
    kind: Option<&'static str>,
    low: f64,
    high: f64,
    /// Values are whole multiples of one part in this many.
    steps_per_unit: f64,
}

impl Series {
    const fn gauge(name: &'static str, low: f64, high: f64, steps_per_unit: f64) -> Self {
        Self { name, kind: None, low, high, steps_per_unit }
    }

    const fn other(
        name: &'static str,
        kind: &'static str,
        low: f64,
        high: f64,
        steps_per_unit: f64,
    ) -> Self {
        Self { name, kind: Some(kind), low, high, steps_per_unit }
    }

    fn value(&self, random: &mut ChaCha8Rng) -> f64 {
        let value: f64 = random.random_range(self.low..self.high);
        (value * self.steps_per_unit).round() / self.steps_per_unit
    }
}

#[derive(Serialize)]
struct FleetMetric {
    name: &'static str,
    value: f64,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    tags: Tags,
}

#[derive(Serialize)]
struct Tags {
    host: String,
    region: &'static str,
    role: &'static str,
}

pub(super) fn write_metric(random: &mut ChaCha8Rng, out: &mut Vec<u8>) {
    let series = &SERIES[random.random_range(0..SERIES.len())];
    let metric = FleetMetric {
        name: series.name,
        value: series.value(random),
        kind: series.kind,
        tags: Tags::of(random.random_range(0..HOSTS)),
    };
    serde_json::to_writer(out, &metric).expect("a vector takes every byte");
}

impl Tags {
    /// A host has one role and stands in one region for ever.
    fn of(host: u32) -> Self {
        let role = ROLES[host as usize % ROLES.len()];
        let region = REGIONS[host as usize / ROLES.len() % REGIONS.len()];
        Self { host: format!("{role}-{host:03}.{region}.example.net"), region, role }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn a_host_keeps_its_role_and_region() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut places = BTreeMap::new();
        let mut names = BTreeSet::new();
        for _ in 0..20_000 {
            let mut out = Vec::new();
            write_metric(&mut random, &mut out);
            let metric: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let tags = metric["tags"].clone();
            let place = (tags["role"].clone(), tags["region"].clone());
            let host = tags["host"].as_str().unwrap().to_owned();
            assert_eq!(places.entry(host).or_insert_with(|| place.clone()), &place);
            names.insert(metric["name"].as_str().unwrap().to_owned());
        }
        assert_eq!(places.len(), HOSTS as usize);
        assert_eq!(names.len(), SERIES.len());
    }
}
