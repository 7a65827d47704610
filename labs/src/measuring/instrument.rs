//! What measures in a lab. Each instrument is a program of its own, which prints JSON.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::record::{of_layers, of_servers, rounds};
use super::{MeasureError, Rounds, output_of};
use crate::catalog::{Instrument, Measure};
use crate::course::Course;
use crate::place;
use crate::workshop::Workshop;

/// Measures. `folder` is that of the lab, whose programs are its own.
pub fn run(
    measure: &Measure,
    course: &Course,
    workshop: &Workshop,
    folder: &Path,
) -> Result<Rounds, MeasureError> {
    match &measure.with {
        Instrument::Compare { arguments, measure: figure } => {
            let record = compare(course, arguments, &[])?;
            Ok(rounds(|side| of_servers(&record, side, *figure), &measure.of, &measure.to))
        }
        Instrument::Layers { arguments } => {
            let record = compare(course, arguments, &["layers"])?;
            Ok(rounds(|side| of_layers(&record, side), &measure.of, &measure.to))
        }
        Instrument::Example(name) => {
            let mut cargo = workshop.cargo(folder);
            cargo.args(["run", "--quiet", "--release", "--example", name]);
            let lines = output_of(&mut cargo)?;
            Ok(rounds(|side| of_lines(&lines, side), &measure.of, &measure.to))
        }
    }
}

/// Runs `cargo compare` on the course.
fn compare(course: &Course, arguments: &[String], first: &[&str]) -> Result<Value, MeasureError> {
    let mut cargo = Command::new(place::cargo());
    cargo.current_dir(&course.root).env("CARGO_TARGET_DIR", &course.target);
    cargo.env("CARGO_NET_OFFLINE", "true");
    cargo.args(["run", "--quiet", "--release", "--package", "benches", "--bin", "compare", "--"]);
    let text = output_of(cargo.args(first).args(arguments).arg("--json"))?;
    serde_json::from_str(&text).map_err(|error| MeasureError::NotARecord {
        what: "cargo compare".into(),
        reason: error.to_string(),
    })
}

/// One side's number of each line.
fn of_lines(lines: &str, side: &str) -> Vec<f64> {
    let values = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    values.filter_map(|value| value[side].as_f64()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_program_is_a_round() {
        let lines = "warming up\n{\"a\": 1, \"b\": 2.5}\n{\"a\": 3, \"b\": 4}\n";
        assert_eq!((of_lines(lines, "a"), of_lines(lines, "b")), (vec![1.0, 3.0], vec![2.5, 4.0]));
        assert_eq!(of_lines(lines, "c").len(), 0);
    }
}
