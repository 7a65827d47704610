//! Benchmarks of the learner's crate and of another one, in turns.
//!
//! Criterion keeps its estimates in a folder. Each side has one of its own, which is read after each
//! of its turns.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{MeasureError, Rounds, output_of};
use crate::catalog::Bench;

/// How often each side runs. Five say whether the rounds agree.
pub const ROUNDS: usize = 5;

/// A crate whose benchmarks run.
#[derive(Debug, Clone)]
pub struct Side {
    /// Its folder.
    pub folder: PathBuf,
    /// Where cargo puts what it compiles.
    pub target: PathBuf,
    /// Where cargo keeps what is not a program.
    pub build: PathBuf,
}

impl Side {
    /// Runs its benchmarks once and returns nanoseconds by benchmark.
    fn turn(&self, bench: &Bench, estimates: &Path) -> Result<BTreeMap<String, f64>, MeasureError> {
        let mut cargo = Command::new(crate::place::cargo());
        cargo.current_dir(&self.folder).env("CARGO_NET_OFFLINE", "true");
        cargo.env("CARGO_TARGET_DIR", &self.target).env("CARGO_BUILD_BUILD_DIR", &self.build);
        cargo.env("CRITERION_HOME", estimates);
        cargo.args(["bench", "--quiet", "--bench", &bench.target, "--"]);
        output_of(cargo.args([&bench.filter, "--quick", "--noplot"]))?;
        Ok(read(estimates))
    }
}

/// Runs both in turns, and says before each round which it is.
pub fn run(
    (ours, theirs): (&Side, &Side),
    bench: &Bench,
    estimates: &Path,
    told: &mut dyn FnMut(usize),
) -> Result<BTreeMap<String, Rounds>, MeasureError> {
    let mut all: BTreeMap<String, Rounds> = BTreeMap::new();
    for round in 1..=ROUNDS {
        told(round);
        for (name, time) in ours.turn(bench, &estimates.join("ours"))? {
            all.entry(name).or_default().of.push(time);
        }
        for (name, time) in theirs.turn(bench, &estimates.join("theirs"))? {
            all.entry(name).or_default().to.push(time);
        }
    }
    Ok(all)
}

/// The estimates below a folder, by the names of their benchmarks.
fn read(folder: &Path) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| path.is_dir()) {
        match estimate(&path) {
            Some((name, time)) => drop(found.insert(name, time)),
            None => found.extend(read(&path)),
        }
    }
    found
}

/// The name and the median of the benchmark whose folder this is.
fn estimate(folder: &Path) -> Option<(String, f64)> {
    let json = |name: &str| -> Option<Value> {
        serde_json::from_str(&fs::read_to_string(folder.join("new").join(name)).ok()?).ok()
    };
    let name = json("benchmark.json")?["full_id"].as_str()?.to_owned();
    Some((name, json("estimates.json")?["median"]["point_estimate"].as_f64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_found_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("group/a/new/benchmark.json", r#"{"full_id": "group/a"}"#),
            ("group/a/new/estimates.json", r#"{"median": {"point_estimate": 12.5}}"#),
            ("group/b/base/estimates.json", "{}"),
            ("report/index.html", ""),
        ] {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        assert_eq!(read(folder.path()), BTreeMap::from([("group/a".to_owned(), 12.5)]));
        assert_eq!(read(&folder.path().join("none")), BTreeMap::new());
    }
}
