//! What layers cost by themselves: criterion's times, round by round, and counted instructions.
//!
//! Criterion measures one benchmark after the other, so a machine that slows down halfway through
//! flatters those that came first. Here the whole suite runs once a round, and benchmarks are compared
//! as [`crate::statistics`] compares servers: by their ratio in the same round.
//!
//! Instructions come from callgrind and need a program that does nothing else. A package that wants
//! them counted has an example called `count_` and the last word of its name, so that no two packages
//! build the same program: without arguments it prints a line for each thing that it can do,
//! `GROUP/BENCHMARK` in criterion's words, and with `GROUP/BENCHMARK N` it does that N times.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::SystemTime,
};

use serde::Deserialize;
use thiserror::Error;

use crate::{
    build::{self, BuildError},
    costs::{Profile, callgrind, difference},
    provenance,
    record::{LayerBenchmark, LayerGroup, Pinning, Provenance, Record, SCHEMA_VERSION},
};

/// Iterations of the shorter count.
const ITERATIONS: u64 = 20;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Request {
    /// Crates with benchmarks.
    pub packages: Vec<String>,
    /// A part of the names of the benchmarks; all without it.
    pub filter: Option<String>,
    /// How often the suites run.
    pub rounds: u32,
    /// Whether instructions are counted where they can be.
    pub count: bool,
    /// The name of the record.
    pub name: String,
    /// The command line in its shortest form.
    pub command: String,
}

/// Measures all of it; `say` is told what goes on.
pub fn run(request: &Request, say: &mut dyn FnMut(&str)) -> Result<Record, LayersError> {
    let mut record = Record {
        schema: SCHEMA_VERSION,
        name: request.name.clone(),
        provenance: provenance_of(request),
        subjects: Vec::new(),
        workloads: Vec::new(),
        ablations: Vec::new(),
        layers: Vec::new(),
    };
    let valgrind = request.count.then(|| build::find_program("valgrind")).and_then(|found| {
        // Times without instructions are better than nothing after an hour.
        found.map_err(|error| say(&format!("no instructions are counted: {error}"))).ok()
    });
    for package in &request.packages {
        say(&format!("building the benchmarks of {package}"));
        succeed(bench(package).arg("--no-run"), package)?;
    }
    for round in 1..=request.rounds {
        for package in &request.packages {
            say(&format!("round {round} of {}: {package}", request.rounds));
            for estimate in measured(package, request.filter.as_deref())? {
                add(&mut record.layers, package, estimate);
            }
        }
    }
    if let Some(valgrind) = valgrind {
        for package in request.packages.iter().filter(|package| can_count(package)) {
            count(&valgrind, package, &mut record.layers, say)?;
        }
    }
    if record.layers.is_empty() { Err(LayersError::Nothing) } else { Ok(record) }
}

fn provenance_of(request: &Request) -> Provenance {
    let (commit, dirty) = provenance::commit();
    Provenance {
        recorded_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        commit,
        dirty,
        command: request.command.clone(),
        // Benchmarks choose their own seeds; they are part of the commit.
        seed: 0,
        preset: "quick".to_owned(),
        rounds: request.rounds,
        interrupted: false,
        pinning: Pinning::Unpinned,
        machine: provenance::machine(),
    }
}

fn bench(package: &str) -> Command {
    let mut command = build::cargo();
    command.args(["bench", "--quiet", "--locked", "--package", package]).stdin(Stdio::null());
    command
}

/// Criterion's own report goes to standard error as long as nothing goes wrong.
fn succeed(command: &mut Command, package: &str) -> Result<(), LayersError> {
    let output = command.stderr(Stdio::inherit()).output().map_err(BuildError::NoCargo)?;
    if output.status.success() {
        return Ok(());
    }
    Err(LayersError::Failed { package: package.to_owned() })
}

/// One benchmark as criterion has left it behind.
#[derive(Debug, PartialEq)]
struct Estimate {
    group: String,
    benchmark: String,
    elements: u64,
    time_ns: f64,
}

/// Runs every benchmark of a package once.
fn measured(package: &str, filter: Option<&str>) -> Result<Vec<Estimate>, LayersError> {
    let home = tempfile::tempdir()?;
    let mut command = bench(package);
    command.env("CRITERION_HOME", home.path()).args(["--", "--quick", "--noplot"]).args(filter);
    succeed(&mut command, package)?;
    let mut estimates = Vec::new();
    collect(home.path(), &mut estimates)?;
    // Folders come in any order, and so the groups would.
    estimates.sort_by_key(|(written, _)| *written);
    Ok(estimates.into_iter().map(|(_, estimate)| estimate).collect())
}

/// Criterion keeps `benchmark.json` and `estimates.json` in a folder for each benchmark. When it was
/// written says in which order they ran.
fn collect(folder: &Path, found: &mut Vec<(SystemTime, Estimate)>) -> Result<(), LayersError> {
    let description = folder.join("benchmark.json");
    if folder.ends_with("new") && description.is_file() {
        let written = fs::metadata(&description)?.modified()?;
        found.push((written, estimate(folder)?));
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        }
    }
    Ok(())
}

fn estimate(folder: &Path) -> Result<Estimate, LayersError> {
    let text = |name: &str| fs::read_to_string(folder.join(name));
    Ok(parse(&text("benchmark.json")?, &text("estimates.json")?)?)
}

fn parse(description: &str, estimates: &str) -> serde_json::Result<Estimate> {
    #[derive(Deserialize)]
    struct Description {
        group_id: String,
        function_id: Option<String>,
        value_str: Option<String>,
        throughput: Option<Throughput>,
    }
    #[derive(Deserialize)]
    struct Throughput {
        #[serde(rename = "Elements")]
        elements: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Estimates {
        median: Point,
    }
    #[derive(Deserialize)]
    struct Point {
        point_estimate: f64,
    }
    let Description { group_id, function_id, value_str, throughput } =
        serde_json::from_str(description)?;
    let parts: Vec<String> = function_id.into_iter().chain(value_str).collect();
    let estimates: Estimates = serde_json::from_str(estimates)?;
    Ok(Estimate {
        group: group_id,
        benchmark: parts.join("/"),
        elements: throughput.and_then(|throughput| throughput.elements).unwrap_or(1),
        time_ns: estimates.median.point_estimate,
    })
}

fn add(groups: &mut Vec<LayerGroup>, package: &str, estimate: Estimate) {
    let Estimate { group, benchmark, elements, time_ns } = estimate;
    let is_it = |one: &LayerGroup| one.package == package && one.id == group;
    let at = groups.iter().position(is_it).unwrap_or_else(|| {
        let package = package.to_owned();
        groups.push(LayerGroup { package, id: group, elements, benchmarks: Vec::new() });
        groups.len() - 1
    });
    let benchmarks = &mut groups[at].benchmarks;
    match benchmarks.iter_mut().find(|one| one.id == benchmark) {
        Some(known) => known.rounds_ns.push(time_ns),
        None => benchmarks.push(LayerBenchmark {
            id: benchmark,
            rounds_ns: vec![time_ns],
            instructions: None,
        }),
    }
}

/// The name of the example that counts.
fn counter(package: &str) -> String {
    let (_, last_word) = package.rsplit_once('-').unwrap_or(("", package));
    format!("count_{last_word}")
}

fn can_count(package: &str) -> bool {
    let example = PathBuf::from(package).join("examples").join(counter(package));
    let example = example.with_extension("rs");
    build::workspace_directory().join(example).is_file()
}

/// Counts what the package's example can do and the groups hold.
fn count(
    valgrind: &Path,
    package: &str,
    groups: &mut [LayerGroup],
    say: &mut dyn FnMut(&str),
) -> Result<(), LayersError> {
    let program = build::example(package, &counter(package))?;
    let list = Command::new(&program).stdin(Stdio::null()).output()?;
    let known = String::from_utf8_lossy(&list.stdout).into_owned();
    for group in groups.iter_mut().filter(|group| group.package == package) {
        for benchmark in &mut group.benchmarks {
            let id = format!("{}/{}", group.id, benchmark.id);
            if known.lines().any(|line| line == id) {
                say(&format!("how many instructions does {id} take?"));
                let once = instructions(valgrind, &program, &id, ITERATIONS)?;
                let twice = instructions(valgrind, &program, &id, 2 * ITERATIONS)?;
                benchmark.instructions = Some(difference([once, twice], ITERATIONS));
            }
        }
    }
    Ok(())
}

fn instructions(
    valgrind: &Path,
    program: &Path,
    id: &str,
    iterations: u64,
) -> Result<u64, LayersError> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("callgrind");
    let words = callgrind(valgrind, &file);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg(program).arg(id).arg(iterations.to_string());
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    let profile = Profile::parse(&fs::read_to_string(file).unwrap_or_default());
    match profile {
        Some(profile) if status.success() => Ok(profile.instructions),
        _ => Err(LayersError::NoCount { id: id.to_owned() }),
    }
}

/// Why there is no record.
#[derive(Debug, Error)]
pub enum LayersError {
    /// Something could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Cargo or criterion has said why.
    #[error("the benchmarks of {package} failed")]
    Failed {
        /// Whose.
        package: String,
    },
    /// No benchmark has such a name.
    #[error("there is no such benchmark")]
    Nothing,
    /// The example ended badly under callgrind.
    #[error("{id} cannot be counted")]
    NoCount {
        /// What was counted.
        id: String,
    },
    /// Criterion writes another format than this program reads.
    #[error("criterion's files cannot be read")]
    Format(#[from] serde_json::Error),
    /// The operating system refused.
    #[error("the operating system refused")]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tables;

    const ESTIMATES: &str = r#"{"mean":{"point_estimate":3.0},"median":{"point_estimate":2.5}}"#;

    #[test]
    fn reads_what_criterion_leaves_behind() {
        let description = r#"{"group_id":"parse","function_id":"ours","value_str":"100",
                              "throughput":{"Elements":100},"full_id":"parse/ours/100"}"#;
        let expected = Estimate {
            group: "parse".into(),
            benchmark: "ours/100".into(),
            elements: 100,
            time_ns: 2.5,
        };
        assert_eq!(parse(description, ESTIMATES).unwrap(), expected);
        let alone = r#"{"group_id":"queue","function_id":null,"value_str":null,"throughput":null}"#;
        let estimate = parse(alone, ESTIMATES).unwrap();
        assert_eq!((estimate.benchmark.as_str(), estimate.elements), ("", 1));
        assert!(parse("{}", ESTIMATES).is_err());
    }

    #[test]
    fn a_layer_is_compared_in_the_same_round_and_for_one_element() {
        let benchmark = |id: &str, rounds_ns: [f64; 3], instructions| LayerBenchmark {
            id: id.to_owned(),
            rounds_ns: rounds_ns.to_vec(),
            instructions,
        };
        // The machine is twice as slow in the second round.
        let group = LayerGroup {
            package: "a".to_owned(),
            id: "parse/10 metrics".to_owned(),
            elements: 10,
            benchmarks: vec![
                benchmark("tree", [1_000.0, 2_000.0, 1_000.0], None),
                benchmark("ours", [250.0, 500.0, 250.0], Some(4_000.0)),
            ],
        };
        let table = tables::layers(&group, None).markdown();
        for row in [
            "| layer | ns | multiple of tree | instructions |",
            "| tree | 100<br>100 to 200 | – | – |",
            "| ours | 25.0<br>25.0 to 50.0 | 0.25<br>0.25 to 0.25 | 400 |",
        ] {
            assert!(table.contains(row), "{row} is not in\n{table}");
        }
    }

    #[test]
    fn rounds_of_a_benchmark_come_together() {
        let mut groups = Vec::new();
        for (package, benchmark, time_ns) in
            [("a", "x", 1.0), ("a", "y", 2.0), ("b", "x", 3.0), ("a", "x", 4.0)]
        {
            let (group, benchmark) = ("parse".to_owned(), benchmark.to_owned());
            add(&mut groups, package, Estimate { group, benchmark, elements: 1, time_ns });
        }
        let [a, b] = &groups[..] else { panic!("{groups:?}") };
        assert_eq!((a.package.as_str(), b.package.as_str()), ("a", "b"));
        assert_eq!(a.benchmarks[0].rounds_ns, [1.0, 4.0]);
        assert_eq!(a.benchmarks[1].rounds_ns, [2.0]);
    }
}
