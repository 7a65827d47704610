//! A whole comparison: build, choose cores, run the rounds, count the costs, hand over a record.

use std::{collections::BTreeMap, io, path::PathBuf, time::SystemTime};

use load_gen::{MachineError, pin_current_thread};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;

use crate::{
    build::{self, BuildError},
    costs, provenance,
    record::{
        AblationRecord, Costs, Failures, Machine, Pinning, Provenance, Record, SCHEMA_VERSION,
        SubjectRecord, WorkloadRecord,
    },
    rounds::{self, Candidate, Cores, Observer, RunError, Setting, Step},
    subject::Subject,
    workload::{self, Pace, Preset, Workload},
};

/// More rounds make no verdict clearer and the exact test slower.
pub const ROUNDS_MAX: u32 = 30;

/// What to compare.
#[derive(Debug, Clone)]
pub struct Request {
    /// The loads, each with the servers that get it, the baseline first.
    pub contests: Vec<Contest>,
    /// The ablations that the contests are for.
    pub ablations: Vec<AblationRecord>,
    /// How long each run takes.
    pub preset: Preset,
    /// How often each server runs, 1 to [`ROUNDS_MAX`].
    pub rounds: u32,
    /// Decides every random choice of the generator.
    pub seed: u64,
    /// Whether servers and generator get a core each.
    pub pin: bool,
    /// Whether system calls, allocations and instructions are counted as well.
    pub costs: bool,
    /// The name of the record.
    pub name: String,
    /// The command line in its shortest form.
    pub command: String,
}

impl Request {
    /// How many runs there will be: every server once a round, and the first once more.
    pub fn runs(&self) -> u64 {
        let a_round = self.contests.iter().map(|contest| contest.subjects.len() as u64 + 1);
        a_round.sum::<u64>() * u64::from(self.rounds)
    }
}

/// One load and the servers that get it.
#[derive(Debug, Clone)]
pub struct Contest {
    /// The load.
    pub workload: Workload,
    /// At least one.
    pub subjects: Vec<Subject>,
}

/// What was measured.
#[derive(Debug)]
pub struct Comparison {
    /// All of it; what it lacks, it says.
    pub record: Record,
    /// Why loads are missing, each with its name.
    pub failures: Vec<(&'static str, RunError)>,
}

/// Does all of it. What Ctrl-C leaves is a record that says so, and so does a load that could not be
/// measured: the others are kept, because they take long to measure again. Programs of the system
/// that are missing are left out, and `skipped` is told about each.
pub fn run(
    request: &Request,
    begun: SystemTime,
    observer: &mut dyn Observer,
    skipped: &mut dyn FnMut(&BuildError),
) -> Result<Comparison, ComparisonError> {
    let files_max = allow_all_files();
    let programs = build_all(request, observer, skipped)?;
    // Before this thread is pinned, or the machine would seem to have a single core.
    let machine = provenance::machine();
    let cores = if request.pin { Some(claim_cores()?) } else { None };
    let setting = Setting {
        preset: request.preset,
        rounds: request.rounds,
        seed: request.seed,
        cores,
        connections_max: workload::connections_within(files_max),
    };
    let mut record = Record {
        schema: SCHEMA_VERSION,
        name: request.name.clone(),
        provenance: provenance_of(request, begun, cores, machine),
        subjects: subjects(request, &programs),
        workloads: Vec::new(),
        ablations: request.ablations.clone(),
        layers: Vec::new(),
    };
    let mut failures = Vec::new();
    for contest in &request.contests {
        let candidates = contest.candidates(&programs);
        if candidates.is_empty() {
            return Err(ComparisonError::NothingLeft { workload: contest.workload.id });
        }
        match run_contest(&contest.workload, &candidates, &setting, request.costs, observer) {
            Ok((workload, true)) => record.workloads.push(workload),
            Ok((workload, false)) => {
                record.workloads.push(workload);
                record.provenance.interrupted = true;
                break;
            }
            Err(error) => {
                record.provenance.interrupted = true;
                failures.push((contest.workload.id, error));
            }
        }
    }
    Ok(Comparison { record, failures })
}

/// Counts the costs of a request without measuring anything else.
pub fn count_costs(
    workload: &Workload,
    subject: &Subject,
    seed: u64,
    observer: &mut dyn Observer,
) -> Result<Costs, ComparisonError> {
    observer.begins(&Step::Build { subject: subject.id });
    let candidate = Candidate { subject: *subject, program: build::executable(subject)? };
    let setting = Setting {
        preset: workload::QUICK,
        rounds: workload::QUICK.rounds,
        seed,
        cores: None,
        connections_max: 1,
    };
    observer.begins(&Step::Costs { workload: workload.id, subject: subject.id });
    Ok(costs::count(&candidate, workload, &setting, observer)?)
}

/// The record of the workload, and whether all of it was run.
fn run_contest(
    workload: &Workload,
    candidates: &[Candidate],
    setting: &Setting,
    with_costs: bool,
    observer: &mut dyn Observer,
) -> Result<(WorkloadRecord, bool), RunError> {
    let mut record = rounds::run(workload, candidates, setting, observer)?;
    // Every candidate once a round, and the twin once more.
    if record.runs.len() < (candidates.len() + 1) * setting.rounds as usize {
        return Ok((record, false));
    }
    // Beyond a server's limits a request has no fixed cost.
    if with_costs && workload.has_fixed_costs() {
        for candidate in candidates {
            let id = candidate.subject.id;
            observer.begins(&Step::Costs { workload: workload.id, subject: id });
            match costs::count(candidate, workload, setting, observer) {
                Ok(costs) => record.costs.push(costs),
                Err(RunError::Interrupted) => return Ok((record, false)),
                Err(error) => return Err(error),
            }
        }
    }
    Ok((record, true))
}

type Programs = BTreeMap<&'static str, PathBuf>;

fn build_all(
    request: &Request,
    observer: &mut dyn Observer,
    skipped: &mut dyn FnMut(&BuildError),
) -> Result<Programs, BuildError> {
    let mut programs = Programs::new();
    for subject in request.contests.iter().flat_map(|contest| &contest.subjects) {
        if programs.contains_key(subject.id) {
            continue;
        }
        observer.begins(&Step::Build { subject: subject.id });
        match build::executable(subject) {
            Ok(program) => drop(programs.insert(subject.id, program)),
            Err(error) if error.is_skippable() => skipped(&error),
            Err(error) => return Err(error),
        }
    }
    Ok(programs)
}

impl Contest {
    fn candidates(&self, programs: &Programs) -> Vec<Candidate> {
        let candidate = |subject: &Subject| {
            let program = programs.get(subject.id)?.clone();
            Some(Candidate { subject: *subject, program })
        };
        self.subjects.iter().filter_map(candidate).collect()
    }
}

impl Workload {
    /// Whether a request costs the same whatever else goes on, so that counting it says something.
    fn has_fixed_costs(&self) -> bool {
        self.pace == Pace::Closed && self.failures == Failures::AreWrong
    }
}

fn subjects(request: &Request, programs: &Programs) -> Vec<SubjectRecord> {
    let mut records: Vec<SubjectRecord> = Vec::new();
    for subject in request.contests.iter().flat_map(|contest| &contest.subjects) {
        let is_new = records.iter().all(|record| record.id != subject.id);
        if is_new && programs.contains_key(subject.id) {
            records.push(subject.record());
        }
    }
    records
}

fn provenance_of(
    request: &Request,
    begun: SystemTime,
    cores: Option<Cores>,
    machine: Machine,
) -> Provenance {
    let (commit, dirty) = provenance::commit();
    Provenance {
        recorded_at: humantime::format_rfc3339_seconds(begun).to_string(),
        commit,
        dirty,
        command: request.command.clone(),
        seed: request.seed,
        preset: request.preset.id.to_owned(),
        rounds: request.rounds,
        interrupted: false,
        pinning: cores.map_or(Pinning::Unpinned, |cores| Pinning::Pinned {
            server_core: cores.server,
            generator_core: cores.generator,
        }),
        machine,
    }
}

/// Ten thousand connections need as many open files, here and in the servers, which inherit the
/// limit. Gives the limit that holds from now on.
fn allow_all_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

/// Takes the first core that this process may use for servers and the last for the generator, which
/// on a processor with two threads a core are not siblings. This thread, which watches the
/// generator, goes with it.
fn claim_cores() -> Result<Cores, ComparisonError> {
    let usable = usable_cores()?;
    match usable.as_slice() {
        [server, .., generator] => {
            pin_current_thread(&[*generator])?;
            Ok(Cores { server: *server, generator: *generator })
        }
        _ => Err(ComparisonError::OneCore),
    }
}

#[cfg(target_os = "linux")]
fn usable_cores() -> Result<Vec<usize>, MachineError> {
    use rustix::thread::{CpuSet, sched_getaffinity};

    let set = sched_getaffinity(None).map_err(|_| MachineError::CannotPin)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

#[cfg(not(target_os = "linux"))]
fn usable_cores() -> Result<Vec<usize>, MachineError> {
    Err(MachineError::CannotPin)
}

/// Why there is no record.
#[derive(Debug, Error)]
pub enum ComparisonError {
    /// A program is not there.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A run was not possible.
    #[error(transparent)]
    Run(#[from] RunError),
    /// This machine does not keep a thread on a core.
    #[error(transparent)]
    Pin(#[from] MachineError),
    /// Pinning needs a core each.
    #[error("--pin needs two cores, one for the server and one for the generator; here is one")]
    OneCore,
    /// All that was asked for is missing.
    #[error("nothing that {workload} could be run on is installed")]
    NothingLeft {
        /// The workload.
        workload: &'static str,
    },
    /// The operating system refused.
    #[error("the operating system refused")]
    Io(#[from] io::Error),
}
