//! The five kinds of lab, and what only one of them has.

use serde::Deserialize;

/// What there is to do.
#[derive(Debug, Clone)]
pub enum Work {
    /// Write what was cut out of the reference.
    Build(Vec<Hole>),
    /// Add what the phase does not have. The reference is `solution.patch`.
    Extend,
    /// Write tests that find what is wrong in hidden mutants.
    Break(Breaking),
    /// Predict, measure, and say what was learnt.
    Measure(Measure),
    /// Predict, write what was cut out, and prove it in every order that the memory model allows.
    Model {
        /// What is asked first.
        question: Question,
        /// What was cut out.
        holes: Vec<Hole>,
    },
}

impl Work {
    /// In one word, as the tables of `lab.toml` are called.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Build(_) => Kind::Build,
            Self::Extend => Kind::Extend,
            Self::Break(_) => Kind::Break,
            Self::Measure(_) => Kind::Measure,
            Self::Model { .. } => Kind::Model,
        }
    }

    /// What was cut out of the reference.
    pub fn holes(&self) -> &[Hole] {
        match self {
            Self::Build(holes) | Self::Model { holes, .. } => holes,
            Self::Extend | Self::Break(_) | Self::Measure(_) => &[],
        }
    }

    /// What is hidden from the learner.
    pub fn mutants(&self) -> &[Mutant] {
        match self {
            Self::Break(breaking) => &breaking.mutant,
            _ => &[],
        }
    }

    /// What has to be predicted before results are shown.
    pub const fn question(&self) -> Option<&Question> {
        match self {
            Self::Measure(measure) => Some(&measure.question),
            Self::Model { question, .. } => Some(question),
            Self::Build(_) | Self::Extend | Self::Break(_) => None,
        }
    }
}

/// The kind of a lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// As [`Work::Build`].
    Build,
    /// As [`Work::Extend`].
    Extend,
    /// As [`Work::Break`].
    Break,
    /// As [`Work::Model`].
    Model,
    /// As [`Work::Measure`].
    Measure,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(match self {
            Self::Build => "build",
            Self::Extend => "extend",
            Self::Break => "break",
            Self::Model => "model",
            Self::Measure => "measure",
        })
    }
}

/// A region of the reference that the learner writes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hole {
    /// In the crate: `src/ring/spsc.rs`.
    pub file: String,
    /// What the region is called there.
    pub anchor: String,
    /// The lines that stand there at first, with a `todo!` that names the lab.
    pub text: String,
}

/// One place of a file, spelled otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// In the crate.
    pub file: String,
    /// What stands there exactly once.
    pub find: String,
    /// What is to stand there.
    pub replace: String,
}

impl Edit {
    /// Makes it in the text of the file.
    pub fn apply(&self, text: &str) -> Result<String, EditError> {
        match text.matches(&self.find).count() {
            1 => Ok(text.replace(&self.find, &self.replace)),
            count => Err(EditError { file: self.file.clone(), count, find: self.find.clone() }),
        }
    }
}

/// An edit that cannot be made, because the file is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} has this {count} times, not once: {find}")]
pub struct EditError {
    file: String,
    count: usize,
    find: String,
}

/// What a lab that breaks has.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaking {
    /// What is wrong with each of them stays hidden until a test finds it.
    pub mutant: Vec<Mutant>,
}

/// A mistake in an implementation that works.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawMutant")]
pub struct Mutant {
    /// What it is called once it is found: `the-first-length-wins`.
    pub name: String,
    /// The mistake.
    pub edit: Edit,
    /// The check that finds it, which shows that it can be found.
    pub caught_by: String,
    /// What it does, told when it is found.
    pub told: String,
    /// What to think about while it is not.
    pub nudge: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMutant {
    name: String,
    file: String,
    find: String,
    replace: String,
    caught_by: String,
    told: String,
    nudge: String,
}

impl TryFrom<RawMutant> for Mutant {
    type Error = String;

    fn try_from(raw: RawMutant) -> Result<Self, String> {
        let RawMutant { name, file, find, replace, caught_by, told, nudge } = raw;
        if find == replace || find.is_empty() {
            return Err(format!("mutant {name:?} changes nothing"));
        }
        Ok(Self { name, edit: Edit { file, find, replace }, caught_by, told, nudge })
    }
}

/// What is asked before anything is shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// As a sentence.
    pub text: String,
    /// What the number of the answer counts: `times`, `orderings`.
    pub unit: String,
}

/// What a lab that measures has. The result is what one side has, divided by what the other has.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// What is to be predicted.
    pub question: Question,
    /// What measures it.
    pub with: Instrument,
    /// The side above the line.
    pub of: Side,
    /// The side below it.
    pub to: Side,
}

/// One side of a measurement, as its instrument names it: a subject of `cargo compare`, or a
/// benchmark as `group/name`.
pub type Side = String;

/// What measures.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Instrument {
    /// `cargo compare`: whole servers under load.
    Compare {
        /// What it is told, without `--json`.
        arguments: Vec<String>,
        /// What is read from each run.
        measure: Measurement,
    },
    /// `cargo compare layers`: criterion's times, round by round.
    Layers {
        /// What it is told, without `--json`.
        arguments: Vec<String>,
    },
    /// A program of the lab's own, `examples/<name>.rs` in the catalog. It prints a line of JSON
    /// for each round, with a number for each side: `{"alone": 1.5, "beside": 9}`.
    Example(String),
}

/// What is read from one run of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measurement {
    /// Microseconds of processor for each request that was answered.
    Cpu,
    /// Requests answered a second.
    Throughput,
    /// The latency that half of the requests stay below, in microseconds.
    P50,
    /// The latency that 99 of 100 requests stay below, in microseconds.
    P99,
    /// The most memory that was resident, in bytes.
    Memory,
}

/// How the models of a lab are built: in a crate of their own, because `--cfg loom` would change a
/// dozen dependencies of a server as well.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// The modules at the top of the crate that are modelled, with all that is in them.
    pub modules: Vec<String>,
    /// The dependencies of the crate that they need.
    pub dependencies: Vec<String>,
}

/// A criterion benchmark of the crate.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bench {
    /// The file in `benches/`.
    pub target: String,
    /// The benchmarks, as a regular expression.
    pub filter: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Building {
    hole: Vec<Hole>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extending {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Modelling {
    question: Question,
    hole: Vec<Hole>,
}

/// The tables of a page that say what kind it is.
pub(super) struct Tables {
    pub(super) build: Option<Building>,
    pub(super) extend: Option<Extending>,
    pub(super) breaking: Option<Breaking>,
    pub(super) measure: Option<Measure>,
    pub(super) model: Option<Modelling>,
}

impl TryFrom<Tables> for Work {
    type Error = String;

    fn try_from(tables: Tables) -> Result<Self, String> {
        let kinds = [
            tables.build.map(|build| Self::Build(build.hole)),
            tables.extend.map(|Extending {}| Self::Extend),
            tables.breaking.map(Self::Break),
            tables.measure.map(Self::Measure),
            tables.model.map(|model| Self::Model { question: model.question, holes: model.hole }),
        ];
        let mut kinds = kinds.into_iter().flatten();
        match (kinds.next(), kinds.next()) {
            (Some(work), None) => Ok(work),
            _ => Err("a lab has one of [build], [extend], [break], [measure] and [model]".into()),
        }
    }
}
