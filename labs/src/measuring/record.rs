//! A record of `cargo compare`, as far as a lab reads it.

use serde_json::Value;

use super::Rounds;
use crate::catalog::{Measurement, Side};

/// One side's figures in a comparison of servers. A side is a subject, or `subject/workload` where
/// there are several workloads.
pub fn of_servers(record: &Value, side: &Side, measure: Measurement) -> Vec<f64> {
    let (subject, workload) =
        side.split_once('/').map_or((&**side, None), |(it, of)| (it, Some(of)));
    let workloads = list(&record["workloads"]);
    let wanted = { workloads }.filter(|it| workload.is_none_or(|id| it["id"] == id));
    let runs = wanted.flat_map(|workload| list(&workload["runs"]));
    let ours = runs.filter(|run| run["subject"] == subject && run["series"] == "first");
    ours.filter_map(|run| figure(run, measure)).collect()
}

/// One side's figures in a comparison of layers: `group/name`. A name may have a slash in it.
pub fn of_layers(record: &Value, side: &Side) -> Vec<f64> {
    let groups = list(&record["layers"]);
    let benchmarks = groups.flat_map(|group| list(&group["benchmarks"]).map(move |it| (group, it)));
    let name = |(group, it): &(&Value, &Value)| {
        Some(format!("{}/{}", group["id"].as_str()?, it["id"].as_str()?))
    };
    let mut found = benchmarks.filter(|it| name(it).as_ref() == Some(side));
    let rounds = found.next().map(|(_, it)| list(&it["rounds_ns"]));
    rounds.into_iter().flatten().filter_map(Value::as_f64).collect()
}

/// Both sides of a record.
pub fn rounds(figures: impl Fn(&Side) -> Vec<f64>, of: &Side, to: &Side) -> Rounds {
    Rounds { of: figures(of), to: figures(to) }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn figure(run: &Value, measure: Measurement) -> Option<f64> {
    let load = &run["load"];
    match measure {
        Measurement::Cpu => {
            let requests =
                load["requests"]["succeeded"].as_f64().filter(|requests| *requests > 0.0)?;
            Some(run["server"]["cpu_us"].as_f64()? / requests)
        }
        Measurement::Throughput => load["rate"]["achieved_rps"].as_f64(),
        Measurement::P50 => load["latency"]["p50_us"].as_f64(),
        Measurement::P99 => load["latency"]["p99_us"].as_f64(),
        Measurement::Memory => run["server"]["peak_memory_bytes"].as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Course;

    /// Records that the course keeps, so that a change of their form is noticed here.
    fn stored(name: &str) -> Value {
        let root = Course::of_workspace().unwrap().root;
        let path = root.join("benches/results").join(name);
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn every_figure_is_found_in_a_record_of_servers() {
        let record = stored("second-quick.json");
        for measure in [
            Measurement::Cpu,
            Measurement::Throughput,
            Measurement::P50,
            Measurement::P99,
            Measurement::Memory,
        ] {
            for side in ["phase0", "phase0/single", "limit/batch"].map(String::from) {
                let figures = of_servers(&record, &side, measure);
                assert!(figures.len() >= 5, "{side} {measure:?}: {figures:?}");
            }
        }
        assert_eq!(of_servers(&record, &"phase9".into(), Measurement::Cpu).len(), 0);
        assert_eq!(of_servers(&record, &"phase0/close".into(), Measurement::Cpu).len(), 0);
    }

    #[test]
    fn every_benchmark_is_found_in_a_record_of_layers() {
        let record = stored("layers-json.json");
        let figures = of_layers(&record, &"parse/1 metric/serde_json Value".into());
        assert!(figures.len() >= 5, "{figures:?}");
        assert_eq!(of_layers(&record, &"parse/1 metric/other".into()).len(), 0);
    }
}
