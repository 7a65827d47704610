//! What a comparison found, as it is stored: every round as it was measured, nothing averaged.
//!
//! A record is all that the book, the READMEs and the report are rendered from, so it holds what
//! was run (commit, command line, seed), on what (machine class, pinned or not), and each run's
//! complete result, latency histogram included. What is derived (medians, noise, verdicts) is never
//! stored: [`crate::analysis`] computes it, so that a better rule applies to old records too.
//!
//! What always holds: a record names no host and no path of the machine it was made on; figures
//! have their unit in their name; what could not be measured is there with the reason and is never
//! a zero. `benches/results/README.md` describes the same schema for readers of the files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use load_gen::Summary;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of the schema. It rises when a field changes its meaning or goes; a new field that
/// may be absent does not raise it.
pub const SCHEMA_VERSION: u32 = 1;

/// The longest name of a record, so that it stays a file name on every system.
pub const NAME_LEN_MAX: usize = 64;

/// One invocation of `cargo compare`, complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA_VERSION`] of the program that wrote it.
    pub schema: u32,
    /// The file's name without `.json`.
    pub name: String,
    /// Where the figures come from.
    pub provenance: Provenance,
    /// Servers that were compared, in the order of the rounds.
    pub subjects: Vec<SubjectRecord>,
    /// What was run on them, workload by workload.
    pub workloads: Vec<WorkloadRecord>,
    /// The layers that were exchanged, where `--toggle` asked for it.
    pub ablations: Vec<AblationRecord>,
    /// What layers cost by themselves, in a record of `cargo compare layers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerGroup>,
}

/// A group of criterion benchmarks: one question that several layers answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerGroup {
    /// The crate whose benchmark it is.
    pub package: String,
    /// Criterion's name of the group.
    pub id: String,
    /// What one iteration works on, where the benchmark says so: metrics, for most.
    pub elements: u64,
    /// In the order in which they ran.
    pub benchmarks: Vec<LayerBenchmark>,
}

/// One layer's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerBenchmark {
    /// Criterion's name within the group.
    pub id: String,
    /// One iteration: criterion's estimate, once a round.
    pub rounds_ns: Vec<f64>,
    /// One iteration, counted by callgrind, where the crate has a program for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<f64>,
}

/// Where the figures come from: all that is needed to see them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// When the comparison began, RFC 3339 in UTC.
    pub recorded_at: String,
    /// The commit of the working tree. Nothing outside a repository or before the first commit.
    pub commit: Option<String>,
    /// Whether the tree differed from that commit.
    pub dirty: bool,
    /// The command line in its shortest form: `cargo compare phase0 --quick --pin`.
    pub command: String,
    /// Decides every random choice of the generator.
    pub seed: u64,
    /// `quick`, `medium` or `full`: how long each run took.
    pub preset: String,
    /// Rounds that were asked for. An interrupted comparison has fewer.
    pub rounds: u32,
    /// Whether Ctrl-C ended the comparison early.
    pub interrupted: bool,
    /// Which cores were used.
    pub pinning: Pinning,
    /// The kind of machine.
    pub machine: Machine,
}

/// Which cores server and generator were kept on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinning {
    /// The operating system chose.
    Unpinned,
    /// One core each.
    Pinned {
        /// The core of every server.
        server_core: usize,
        /// The core of the load generator.
        generator_core: usize,
    },
}

/// The kind of machine, so that figures of like machines can be compared. No name, no path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// As the processor names itself.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Main memory.
    pub memory_bytes: u64,
    /// Whether the processor says that it is virtual.
    pub is_virtual: bool,
    /// Name and release of the kernel: `Linux 6.18.44`.
    pub kernel: String,
    /// `x86_64`, `aarch64`.
    pub architecture: String,
    /// What `rustc --version` says.
    pub rustc: String,
    /// What the binaries were built with: the cargo profile and `RUSTFLAGS`.
    pub flags: String,
}

/// A server that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectRecord {
    /// Unique in the record: `phase0`, `hyper-serde`.
    pub id: String,
    /// A phase of the course or a rival.
    pub kind: SubjectKind,
    /// What it is, in a line.
    pub about: String,
    /// The command that builds it; nothing for a program of the system.
    pub build: Option<String>,
    /// The options it was started with, `PATH` and `PORT` standing for what changes every time.
    pub options: String,
    /// What it can do.
    pub abilities: Abilities,
}

/// Where a subject comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A phase of this course.
    Phase,
    /// A program that the phases are compared with.
    Rival,
}

/// What a server can do, as far as it decides which load it can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// It answers more than one request on a connection. Without it every workload opens a
    /// connection for each request, and tables say so.
    pub keep_alive: bool,
    /// It takes the next request before it has answered the last.
    pub pipelining: bool,
    /// It stores what it accepts, so that its file can be checked.
    pub stores: bool,
}

/// All runs of one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkloadRecord {
    /// `single`, `batch`, `overload`.
    pub id: String,
    /// What it asks, in a line.
    pub about: String,
    /// Whether failed requests are part of the answer, or a sign that something is wrong.
    pub failures: Failures,
    /// The subject that ran twice in every round; its two series are the noise floor.
    pub twin: String,
    /// Every run, in the order in which they ran.
    pub runs: Vec<Run>,
    /// Deterministic costs of a request, from runs of their own that are in no other figure.
    pub costs: Vec<Costs>,
}

/// What a failed request means in a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failures {
    /// Something is wrong: the load is one that every server must take, or refuse in good order
    /// with 429 or 503.
    AreWrong,
    /// They are what the workload is about: how a server behaves beyond its limits.
    AreFindings,
}

/// One server under one load, started fresh for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// From 1.
    pub round: u32,
    /// The subject's id.
    pub subject: String,
    /// Which of the twin's two series; `first` for every other subject.
    pub series: Series,
    /// What the generator measured: plan, rates, latency with its histogram, failures by kind.
    pub load: Summary,
    /// What the server used meanwhile.
    pub server: ServerUse,
    /// Whether it kept what it had accepted.
    pub integrity: Integrity,
}

/// The first or second series of a subject in a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// The one that is compared.
    First,
    /// The twin's second, compared with its first and with nothing else.
    Again,
}

/// What the server process used, children included. CPU time is of the measured part alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ServerUse {
    /// Processor time in user and kernel mode, in microseconds. Nothing where the operating system
    /// does not tell.
    pub cpu_us: Option<f64>,
    /// The part of it that was spent in the kernel, 0 to 1; read in steps of 10 ms.
    pub kernel_share: Option<f64>,
    /// The most memory that was resident since the start, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// The most threads that were seen under load.
    pub threads: Option<u32>,
    /// How often its file was synced during the measured part, where the server counts that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syncs: Option<u64>,
}

/// Whether a server kept what it had accepted, checked after each run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Integrity {
    /// It stores nothing, so nothing can be checked but its clean end.
    StoresNothing,
    /// Every accepted metric is in its file.
    Kept {
        /// Lines in the file.
        stored: u64,
    },
    /// It answered 202 for metrics that are not in its file. It is wrong, however fast.
    Lost {
        /// Metrics that were answered with success.
        accepted: u64,
        /// Lines in the file.
        stored: u64,
    },
    /// There are more lines in its file than metrics were ever sent.
    Invented {
        /// Metrics that were sent at most.
        sent: u64,
        /// Lines in the file.
        stored: u64,
    },
    /// It did not end by itself with status 0 when it was asked to.
    UncleanEnd {
        /// What happened instead.
        how: String,
    },
}

impl Integrity {
    /// Whether nothing is wrong.
    pub fn is_fine(&self) -> bool {
        matches!(self, Self::StoresNothing | Self::Kept { .. })
    }
}

/// What one request costs a subject, counted and not timed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// The subject's id.
    pub subject: String,
    /// System calls, `futex` left out.
    pub syscalls: Cost,
    /// Calls of `futex`, by which threads wait for each other. How many is the scheduler's doing as
    /// much as the program's, so no budget counts them. Nothing where system calls are not counted.
    #[serde(default)]
    pub futex_per_request: Option<f64>,
    /// Calls of the allocator that give memory out: allocate and grow.
    pub allocations: Cost,
    /// Machine instructions in user mode.
    pub instructions: Cost,
}

/// A count for each request, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// It was counted.
    Counted {
        /// How many for each request.
        per_request: f64,
        /// Over how many requests.
        requests: u64,
    },
    /// It was not, for this reason.
    NotCounted {
        /// In words.
        reason: String,
    },
}

impl Cost {
    /// The count for each request, where there is one.
    pub fn per_request(&self) -> Option<f64> {
        match self {
            Self::Counted { per_request, .. } => Some(*per_request),
            Self::NotCounted { .. } => None,
        }
    }
}

/// One layer exchanged, everything else shared: a waterfall. Its runs are those of `workload` in
/// [`Record::workloads`], where each step is a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AblationRecord {
    /// The toggle's name: `parser`.
    pub toggle: String,
    /// What it asks, in a line.
    pub question: String,
    /// The id of the workload.
    pub workload: String,
    /// From the first variant to the last. The first has nothing to be compared with; each later
    /// one differs from its predecessor in what `change` says, and in nothing else.
    pub steps: Vec<AblationStep>,
}

/// One variant of the exchanged layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AblationStep {
    /// The subject's id.
    pub subject: String,
    /// What differs from the step before.
    pub change: String,
}

impl Record {
    /// Reads `<name>.json` in `directory`.
    pub fn load(directory: &Path, name: &str) -> Result<Self, RecordError> {
        let path = path_of(directory, name)?;
        let text = fs::read_to_string(path).map_err(|source| in_file(name, source))?;
        Self::parse(name, &text)
    }

    /// Reads every record in `directory`, by name.
    pub fn load_all(directory: &Path) -> Result<Vec<Self>, RecordError> {
        let mut names = names_in(directory).map_err(|source| in_file("*", source))?;
        names.sort();
        names.iter().map(|name| Self::load(directory, name)).collect()
    }

    /// Writes `<name>.json` in `directory`, whole or not at all.
    pub fn save(&self, directory: &Path) -> Result<PathBuf, RecordError> {
        let path = path_of(directory, &self.name)?;
        let half_written = path.with_extension("json.new");
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|source| RecordError::Format { name: self.name.clone(), source })?;
        text.push('\n');
        fs::create_dir_all(directory)
            .and_then(|()| fs::write(&half_written, text))
            .and_then(|()| fs::rename(&half_written, &path))
            .map_err(|source| in_file(&self.name, source))?;
        Ok(path)
    }

    /// Every run of every workload.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.workloads.iter().flat_map(|workload| &workload.runs)
    }

    /// The workload with this id.
    pub fn workload(&self, id: &str) -> Option<&WorkloadRecord> {
        self.workloads.iter().find(|workload| workload.id == id)
    }

    /// The subject with this id.
    pub fn subject(&self, id: &str) -> Option<&SubjectRecord> {
        self.subjects.iter().find(|subject| subject.id == id)
    }

    /// The version comes first: a record of another version may differ in any other field.
    fn parse(name: &str, text: &str) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let format = |source| RecordError::Format { name: name.to_owned(), source };
        let Version { schema } = serde_json::from_str(text).map_err(format)?;
        if schema != SCHEMA_VERSION {
            return Err(RecordError::Version { name: name.to_owned(), found: schema });
        }
        let record: Self = serde_json::from_str(text).map_err(format)?;
        if record.name != name {
            return Err(RecordError::OtherName { name: name.to_owned(), inside: record.name });
        }
        Ok(record)
    }
}

/// Where this workspace keeps its records.
pub fn results_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results")
}

/// Refuses a name that would be awkward in a file name or in a marker of the book.
pub fn check_name(name: &str) -> Result<(), RecordError> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(is_word) {
        Ok(())
    } else {
        Err(RecordError::Name { name: name.to_owned() })
    }
}

fn path_of(directory: &Path, name: &str) -> Result<PathBuf, RecordError> {
    check_name(name)?;
    Ok(directory.join(name).with_extension("json"))
}

fn names_in(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn in_file(name: &str, source: io::Error) -> RecordError {
    RecordError::File { name: name.to_owned(), source }
}

/// Why a record cannot be read or written.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Not a name for a record.
    #[error(
        "{name:?} is no name for a record: use 1 to {NAME_LEN_MAX} of a to z, 0 to 9 and hyphens"
    )]
    Name {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read or written.
    #[error("record {name}: cannot read or write the file")]
    File {
        /// The record.
        name: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is not a record.
    #[error("record {name}: not in the form of a record")]
    Format {
        /// The record.
        name: String,
        /// Where it departs from the form.
        source: serde_json::Error,
    },
    /// The file was written by a program that knew another schema.
    #[error("record {name}: its schema has version {found}, this program reads {SCHEMA_VERSION}")]
    Version {
        /// The record.
        name: String,
        /// The version in the file.
        found: u32,
    },
    /// The file was renamed, so that what refers to it by name would find another.
    #[error("record {name}: it calls itself {inside:?}")]
    OtherName {
        /// The file's name.
        name: String,
        /// The name inside.
        inside: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn comes_back_from_its_file_as_it_went() {
        let directory = tempfile::tempdir().unwrap();
        let record = sample::record();
        let path = record.save(directory.path()).unwrap();
        assert_eq!(path.file_name().unwrap(), "sample.json");
        assert_eq!(Record::load(directory.path(), "sample").unwrap(), record);
        assert_eq!(Record::load_all(directory.path()).unwrap(), [record]);
    }

    #[test]
    fn every_verdict_and_cost_comes_back_as_it_went() {
        let verdicts = [
            Integrity::StoresNothing,
            Integrity::Kept { stored: 1 },
            Integrity::Lost { accepted: 2, stored: 1 },
            Integrity::Invented { sent: 1, stored: 2 },
            Integrity::UncleanEnd { how: "exit status: 1".to_owned() },
        ];
        for verdict in verdicts {
            let json = serde_json::to_string(&verdict).unwrap();
            assert_eq!(serde_json::from_str::<Integrity>(&json).unwrap(), verdict);
        }
        for cost in [
            Cost::Counted { per_request: 0.1 + 0.2, requests: 500 },
            Cost::NotCounted { reason: "no strace here".to_owned() },
        ] {
            let json = serde_json::to_string(&cost).unwrap();
            assert_eq!(serde_json::from_str::<Cost>(&json).unwrap(), cost);
        }
    }

    #[test]
    fn refuses_a_name_that_is_no_file_name() {
        let long = "a".repeat(NAME_LEN_MAX + 1);
        for name in ["", "../escape", "Upper", "a b", "a.b", &long] {
            assert!(matches!(check_name(name), Err(RecordError::Name { .. })), "{name}");
        }
        check_name("phase0-and-rivals").unwrap();
    }

    #[test]
    fn refuses_another_version_whatever_else_is_in_the_file() {
        let error = Record::parse("x", r#"{"schema":99,"figures":[]}"#).unwrap_err();
        assert!(matches!(error, RecordError::Version { found: 99, .. }), "{error}");
    }

    #[test]
    fn refuses_a_renamed_file_and_one_that_is_no_record() {
        let text = serde_json::to_string(&sample::record()).unwrap();
        let error = Record::parse("other", &text).unwrap_err();
        assert!(matches!(error, RecordError::OtherName { .. }), "{error}");
        let error = Record::parse("x", r#"{"schema":1}"#).unwrap_err();
        assert!(matches!(error, RecordError::Format { .. }), "{error}");
    }
}
