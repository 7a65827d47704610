//! Interleaved rounds: A B C A', A B C A', and so on.
//!
//! A machine changes while it is measured: it warms up, neighbours come and go, a disk fills. Runs
//! that stand side by side see the same machine, so every round runs all subjects once, and only
//! rounds are compared. The first subject, the **twin**, runs once more at the end of each round:
//! what its two series differ by is noise and nothing else ([`crate::statistics`]).

use std::{ops::ControlFlow, path::PathBuf};

use load_gen::{Phase, Plan, Progress, Reuse, Summary};
use thiserror::Error;

use crate::{
    probe::Reading,
    record::{Abilities, Integrity, Run, Series, ServerUse, WorkloadRecord},
    server::{Launch, Remains, Server, ServerError},
    subject::Subject,
    workload::{Circumstances, Pace, Preset, Workload},
};

/// A subject whose program is there.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What it is.
    pub subject: Subject,
    /// The program to start.
    pub program: PathBuf,
}

/// What all runs of a comparison have in common.
#[derive(Debug, Clone)]
pub struct Setting {
    /// How long each run takes.
    pub preset: Preset,
    /// How often each subject runs.
    pub rounds: u32,
    /// Decides every random choice of the generator.
    pub seed: u64,
    /// One core for servers, one for the generator; nothing leaves it to the operating system.
    pub cores: Option<Cores>,
    /// Connections that the limit of open files allows.
    pub connections_max: usize,
}

/// Where server and generator run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cores {
    /// Of every server.
    pub server: usize,
    /// Of the generator.
    pub generator: usize,
}

/// Told what goes on, and asked whether to go on.
pub trait Observer {
    /// Something that takes time begins.
    fn begins(&mut self, what: &Step<'_>);
    /// About ten times a second while there is load. `Break` ends the comparison.
    fn load(&mut self, progress: &Progress) -> ControlFlow<()>;
    /// A run is over.
    fn ran(&mut self, run: &Run);
}

/// What begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A program is built.
    Build {
        /// Its id.
        subject: &'a str,
    },
    /// The most that a server can do is measured, to choose its arrivals.
    Capacity {
        /// Its id.
        workload: &'a str,
        /// Its id.
        subject: &'a str,
    },
    /// A run of a round.
    Round {
        /// Its id.
        workload: &'a str,
        /// Its id.
        subject: &'a str,
        /// From 1.
        round: u32,
    },
    /// Stacks are sampled.
    Profile {
        /// Its id.
        workload: &'a str,
        /// Its id.
        subject: &'a str,
    },
    /// System calls, allocations and instructions are counted.
    Costs {
        /// Its id.
        workload: &'a str,
        /// Its id.
        subject: &'a str,
    },
}

/// Runs all rounds of a workload. An interrupted comparison keeps its complete runs.
pub fn run(
    workload: &Workload,
    candidates: &[Candidate],
    setting: &Setting,
    observer: &mut dyn Observer,
) -> Result<WorkloadRecord, RunError> {
    let mut record = WorkloadRecord {
        id: workload.id.to_owned(),
        about: workload.about.to_owned(),
        failures: workload.failures,
        twin: candidates.first().map_or("", |twin| twin.subject.id).to_owned(),
        runs: Vec::new(),
        costs: Vec::new(),
    };
    match run_rounds(workload, candidates, setting, observer, &mut record.runs) {
        Ok(()) | Err(RunError::Interrupted) => Ok(record),
        Err(error) => Err(error),
    }
}

fn run_rounds(
    workload: &Workload,
    candidates: &[Candidate],
    setting: &Setting,
    observer: &mut dyn Observer,
    runs: &mut Vec<Run>,
) -> Result<(), RunError> {
    let capacities = capacities(workload, candidates, setting, observer)?;
    for round in 1..=setting.rounds {
        for (index, series) in order(candidates.len()) {
            let candidate = &candidates[index];
            let id = candidate.subject.id;
            observer.begins(&Step::Round { workload: workload.id, subject: id, round });
            let plans = |on: &Circumstances| Plans {
                warm_up: workload.closed(setting.preset.warm_up, on),
                measured: workload.measured(setting.preset.measure, capacities[index], on),
            };
            let measured = measure(candidate, setting, &plans, observer)?;
            let subject = id.to_owned();
            let Measured { load, server, integrity } = measured;
            let run = Run { round, subject, series, load, server, integrity };
            observer.ran(&run);
            runs.push(run);
        }
    }
    Ok(())
}

/// The runs of one round by index: every subject once, then the first again.
fn order(subjects: usize) -> impl Iterator<Item = (usize, Series)> {
    let twin_again = (0..subjects.min(1)).map(|twin| (twin, Series::Again));
    (0..subjects).map(|index| (index, Series::First)).chain(twin_again)
}

/// For each candidate the capacity that its arrivals are made from, in requests a second: nothing
/// where answers set the pace, its own, or for all alike that of the slowest.
fn capacities(
    workload: &Workload,
    candidates: &[Candidate],
    setting: &Setting,
    observer: &mut dyn Observer,
) -> Result<Vec<Option<f64>>, RunError> {
    if workload.pace == Pace::Closed {
        return Ok(vec![None; candidates.len()]);
    }
    let mut capacities = Vec::new();
    for candidate in candidates {
        let id = candidate.subject.id;
        observer.begins(&Step::Capacity { workload: workload.id, subject: id });
        let plans = |on: &Circumstances| Plans {
            warm_up: workload.closed(setting.preset.warm_up, on),
            measured: workload.closed(setting.preset.measure, on),
        };
        let measured = measure(candidate, setting, &plans, observer)?;
        capacities.push(measured.load.rate.achieved_rps);
    }
    if workload.pace == Pace::WithinCapacity {
        let slowest = capacities.iter().copied().fold(f64::INFINITY, f64::min);
        capacities.fill(slowest);
    }
    Ok(capacities.into_iter().map(Some).collect())
}

struct Plans {
    warm_up: Plan,
    measured: Plan,
}

struct Measured {
    load: Summary,
    server: ServerUse,
    integrity: Integrity,
}

/// One server from start to end. The warm-up is a load of its own, so that processor time is read
/// exactly between it and the measurement; the connections of the measurement are opened within.
fn measure(
    candidate: &Candidate,
    setting: &Setting,
    plans: &dyn Fn(&Circumstances) -> Plans,
    observer: &mut dyn Observer,
) -> Result<Measured, RunError> {
    let launch = Launch { under: Vec::new(), core: setting.cores.map(|cores| cores.server) };
    let server = Server::start(&candidate.subject, &candidate.program, &launch)?;
    let plans = plans(&setting.circumstances(&candidate.subject, &server));

    let warm_up = load(&plans.warm_up, observer, &mut || {})?;
    let pid = server.pid();
    let (before, syncs_before) = (Reading::of(pid), server.syncs());
    let mut threads = before.map(|reading| reading.threads);
    let measured = load(&plans.measured, observer, &mut || {
        threads = threads.max(Reading::of(pid).map(|reading| reading.threads));
    })?;
    let (after, syncs_after) = (Reading::of(pid), server.syncs());

    let remains = server.stop().map_err(RunError::Stop)?;
    let integrity = integrity(&remains, &[&warm_up, &measured], candidate.subject.abilities);
    let between = before.zip(after);
    let server = ServerUse {
        cpu_us: between.map(|(before, after)| after.cpu_us_since(before)),
        kernel_share: between.and_then(|(before, after)| after.kernel_share_since(before)),
        peak_memory_bytes: after.map(|reading| reading.peak_memory_bytes),
        threads,
        syncs: syncs_before.zip(syncs_after).map(|(before, after)| after - before),
    };
    Ok(Measured { load: measured, server, integrity })
}

/// Runs a plan to its end. `while_loaded` is called as long as requests leave.
pub(crate) fn load(
    plan: &Plan,
    observer: &mut dyn Observer,
    while_loaded: &mut dyn FnMut(),
) -> Result<Summary, RunError> {
    let summary = load_gen::run(plan, &mut |progress| {
        if progress.phase == Phase::Measuring {
            while_loaded();
        }
        observer.load(progress)
    })?;
    if summary.interrupted { Err(RunError::Interrupted) } else { Ok(summary) }
}

impl Setting {
    /// For a server that runs.
    pub fn circumstances(&self, subject: &Subject, server: &Server) -> Circumstances {
        Circumstances {
            url: server.url(),
            abilities: subject.abilities,
            seed: self.seed,
            generator_core: self.cores.map(|cores| cores.generator),
            connections_max: self.connections_max,
        }
    }
}

/// Compares what a server stored with what it was sent. A request without an answer may or may not
/// have been taken, so there are two bounds; in a run without failures they are the same.
fn integrity(remains: &Remains, loads: &[&Summary], abilities: Abilities) -> Integrity {
    if let Err(how) = &remains.end {
        return Integrity::UncleanEnd { how: how.clone() };
    }
    if !abilities.stores {
        return Integrity::StoresNothing;
    }
    let accepted = loads.iter().map(|load| accepted_metrics(load)).sum();
    let sent = accepted + loads.iter().map(|load| undecided_metrics(load)).sum::<u64>();
    match remains.stored {
        stored if stored < accepted => Integrity::Lost { accepted, stored },
        stored if stored > sent => Integrity::Invented { sent, stored },
        stored => Integrity::Kept { stored },
    }
}

fn accepted_metrics(load: &Summary) -> u64 {
    let slow = load.slow.as_ref().map_or(0, |slow| slow.answered);
    (load.requests.succeeded + slow) * load.plan.batch as u64
}

/// Of requests that were sent and whose answer never came, or said no: some servers say 503 to the
/// client after they have taken a part, and the check is not about those.
fn undecided_metrics(load: &Summary) -> u64 {
    let slow = load.slow.as_ref();
    let slow = slow.map_or(0, |slow| slow.unfinished + slow.failures.values().sum::<u64>());
    let requests = load.requests.failed + load.requests.unfinished + slow;
    requests * load.plan.batch as u64
}

/// Whether a plan opens a connection for each request.
pub fn closes(plan: &Plan) -> bool {
    plan.reuse == Reuse::Close
}

/// Why a comparison could not go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// A server did not start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// There could be no load.
    #[error("cannot load the server")]
    Load(#[from] load_gen::Error),
    /// A server's end could not be observed.
    #[error("cannot stop the server")]
    Stop(#[source] std::io::Error),
    /// Somebody asked to end it.
    #[error("interrupted")]
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_round_is_every_subject_and_the_first_again() {
        let series: Vec<_> = order(3).collect();
        let (first, again) = (Series::First, Series::Again);
        assert_eq!(series, [(0, first), (1, first), (2, first), (0, again)]);
        assert_eq!(order(1).count(), 2);
        assert_eq!(order(0).count(), 0);
    }

    const STORES: Abilities = Abilities { keep_alive: true, pipelining: true, stores: true };

    fn checked(stored: u64, failed: u64) -> Integrity {
        let mut load = sample::run(1, "slow", Series::First, 1_000.0).load;
        load.plan.batch = 10;
        load.requests.failed = failed;
        // 1,000 successes of 10 metrics each.
        integrity(&Remains { end: Ok(()), stored }, &[&load], STORES)
    }

    #[test]
    fn a_server_that_lost_a_metric_is_wrong() {
        assert_eq!(checked(10_000, 0), Integrity::Kept { stored: 10_000 });
        assert_eq!(checked(9_999, 0), Integrity::Lost { accepted: 10_000, stored: 9_999 });
    }

    #[test]
    fn a_server_that_invented_a_metric_is_wrong() {
        assert_eq!(checked(10_001, 0), Integrity::Invented { sent: 10_000, stored: 10_001 });
    }

    #[test]
    fn requests_without_an_answer_may_have_been_stored_or_not() {
        assert_eq!(checked(10_000, 2), Integrity::Kept { stored: 10_000 });
        assert_eq!(checked(10_020, 2), Integrity::Kept { stored: 10_020 });
        assert!(!checked(10_021, 2).is_fine());
    }

    #[test]
    fn the_metrics_of_slow_clients_count_too() {
        let mut load = sample::run(1, "slow", Series::First, 1_000.0).load;
        load.slow = Some(load_gen::SlowSummary { answered: 3, ..Default::default() });
        let remains = Remains { end: Ok(()), stored: 1_000 };
        let verdict = integrity(&remains, &[&load], STORES);
        assert_eq!(verdict, Integrity::Lost { accepted: 1_003, stored: 1_000 });
    }

    #[test]
    fn an_unclean_end_is_wrong_whatever_was_stored() {
        let load = sample::run(1, "slow", Series::First, 1_000.0).load;
        let remains = Remains { end: Err("signal: 11".to_owned()), stored: 1_000 };
        let verdict = integrity(&remains, &[&load], STORES);
        assert_eq!(verdict, Integrity::UncleanEnd { how: "signal: 11".to_owned() });
        let nothing = Abilities { stores: false, ..STORES };
        let remains = Remains { end: Ok(()), stored: 0 };
        assert_eq!(integrity(&remains, &[&load], nothing), Integrity::StoresNothing);
    }
}
