//! A comparison in plain words: who is ahead, what lies inside the noise, what went wrong.
//!
//! What always holds: a rank is only said where the verdict of [`crate::analysis`] bears it, and
//! what spoils a comparison is said before its results.

use super::{integrity_text, listed, tables};
use crate::{
    measure::{Better, Measure},
    record::{Failures, Pinning, Record, WorkloadRecord},
    statistics::Verdict,
};

/// A statement about a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) tone: Tone,
    /// What it is about.
    pub(crate) topic: String,
    pub(crate) text: String,
}

/// How a statement is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A result.
    Result,
    /// Read the results with this in mind.
    Caution,
    /// Something is wrong.
    Wrong,
}

impl Statement {
    fn new(tone: Tone, topic: &str, text: String) -> Self {
        Self { tone, topic: topic.to_owned(), text }
    }
}

/// What is to be known before any result of a record.
pub(crate) fn cautions(record: &Record) -> Vec<Statement> {
    let provenance = &record.provenance;
    let caution = |topic, text: &str| Statement::new(Tone::Caution, topic, text.to_owned());
    let mut cautions = Vec::new();
    if provenance.interrupted {
        cautions
            .push(caution("Interrupted", "The comparison was ended early: rounds are missing."));
    }
    if provenance.dirty {
        let text = "The source differed from the commit, so the commit alone does not bring these figures back.";
        cautions.push(caution("Uncommitted changes", text));
    }
    if provenance.pinning == Pinning::Unpinned {
        let text = "Server and generator shared the cores as the operating system liked. Expect more noise than with --pin.";
        cautions.push(caution("Not pinned", text));
    }
    cautions
}

/// Who is ahead in each workload, by what the servers' processors had to do; by throughput where
/// the operating system does not tell.
pub(crate) fn in_short(record: &Record) -> Vec<Statement> {
    let leading = |workload: &WorkloadRecord| {
        let measures = [Measure::CpuPerRequest, Measure::RequestsPerSecond];
        let statement = measures.into_iter().find_map(|m| ranking(record, workload, m))?;
        Some(Statement { topic: workload.id.clone(), ..statement })
    };
    record.workloads.iter().filter_map(leading).collect()
}

/// Everything that is to be said about a workload, what is wrong first.
pub(crate) fn of_workload(record: &Record, workload: &WorkloadRecord) -> Vec<Statement> {
    let mut statements = wrongs(record, workload);
    statements.extend(noise(workload));
    statements.extend(generator_limits(workload));
    for measure in [Measure::CpuPerRequest, Measure::RequestsPerSecond, Measure::LatencyP99] {
        statements.extend(ranking(record, workload, measure));
    }
    statements
}

fn wrongs(record: &Record, workload: &WorkloadRecord) -> Vec<Statement> {
    let mut wrongs = Vec::new();
    for run in workload.runs.iter().filter(|run| !run.integrity.is_fine()) {
        let what = integrity_text(&run.integrity);
        let text =
            format!("In round {}, {}: {what}. Its figures prove nothing.", run.round, run.subject);
        wrongs.push(Statement::new(Tone::Wrong, "Not kept", text));
    }
    let failed: Vec<String> = tables::subjects_of(record, workload)
        .into_iter()
        .filter_map(|subject| failed(workload, subject))
        .collect();
    if !failed.is_empty() {
        let tone = match workload.failures {
            Failures::AreWrong => Tone::Wrong,
            Failures::AreFindings => Tone::Result,
        };
        let text =
            format!("{}. The other figures are of successful requests alone.", listed(&failed));
        wrongs.push(Statement::new(tone, "Failed requests", text));
    }
    wrongs
}

/// `phase0 3.5 % (reset)`; nothing where none failed.
fn failed(workload: &WorkloadRecord, subject: &str) -> Option<String> {
    let by_kind = tables::failures_of(workload, subject);
    let failed: u64 = by_kind.values().sum();
    let kinds: Vec<String> = by_kind.keys().map(ToString::to_string).collect();
    let total = failed + tables::successes_of(workload, subject);
    let share = failed as f64 / total as f64 * 100.0;
    (failed > 0).then(|| format!("{subject} {share:.1}\u{a0}% ({})", listed(&kinds)))
}

fn noise(workload: &WorkloadRecord) -> Option<Statement> {
    let twin = &workload.twin;
    let restless = |is_quiet: bool| !is_quiet;
    workload.is_quiet().is_some_and(restless).then(|| {
        let text = format!(
            "{twin} was not equal to itself: something favoured one place in the rounds. Run this again before you conclude anything."
        );
        Statement::new(Tone::Caution, "A/A pair", text)
    })
}

fn generator_limits(workload: &WorkloadRecord) -> Option<Statement> {
    let limited = workload.runs.iter().filter(|run| !run.load.generator.limits.is_empty());
    let first = limited.clone().next()?;
    let limit = first.load.generator.limits.first()?;
    let text = format!(
        "In {} of {} runs the load generator may have been the limit, so servers may do more than is shown. For instance, {limit}.",
        limited.count(),
        workload.runs.len()
    );
    Some(Statement::new(Tone::Caution, "Generator", text))
}

/// Who is ahead in a measure, and by how much.
fn ranking(record: &Record, workload: &WorkloadRecord, measure: Measure) -> Option<Statement> {
    let mut ranked: Vec<(&str, f64)> = tables::subjects_of(record, workload)
        .into_iter()
        .filter_map(|id| Some((id, workload.cell(id, id, measure)?.spread.median)))
        .collect();
    ranked.sort_by(|one, other| match measure.better() {
        Better::Lower => one.1.total_cmp(&other.1),
        Better::Higher => other.1.total_cmp(&one.1),
    });
    let (best, figure) = *ranked.first()?;
    let figure = measure.format(figure);
    let (mut ties, mut behind, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (id, _) in &ranked[1..] {
        let versus = workload.cell(id, best, measure).and_then(|cell| cell.versus);
        match versus.map(|versus| (versus.verdict, versus.ratio)) {
            Some((Verdict::Significant, ratio)) => {
                behind.push((*id, ratio));
            }
            Some((Verdict::InsideNoise, _)) => ties.push(*id),
            Some((Verdict::TooFewRounds, _)) | None => unknown.push(*id),
        }
    }
    let lead = match (ties.is_empty(), ranked.len()) {
        (_, 1) => format!("{best}: {}.", with_unit(measure, &figure)),
        (true, _) => format!("{best} is ahead with {}.", with_unit(measure, &figure)),
        (false, _) => {
            let leaders: Vec<&str> = [best].into_iter().chain(ties).collect();
            format!(
                "{} are ahead at about {}; what they differ by is inside the noise.",
                listed(&leaders),
                with_unit(measure, &figure)
            )
        }
    };
    let behind = distances(measure, &behind);
    let unknown = match unknown.as_slice() {
        [] => String::new(),
        unknown => format!(" There are too few rounds to place {}.", listed(unknown)),
    };
    Some(Statement::new(Tone::Result, topic(measure), format!("{lead}{behind}{unknown}")))
}

fn topic(measure: Measure) -> &'static str {
    match measure {
        Measure::CpuPerRequest => "Processor time",
        Measure::RequestsPerSecond | Measure::MetricsPerSecond => "Throughput",
        _ => "Latency",
    }
}

fn with_unit(measure: Measure, figure: &str) -> String {
    match measure {
        Measure::CpuPerRequest => format!("{figure} CPU-µs a request"),
        Measure::RequestsPerSecond => format!("{figure} requests/s"),
        Measure::LatencyP99 => format!("a 99th percentile of {figure}"),
        other => format!("{figure} ({})", other.label()),
    }
}

/// ` phase0 needs 5.55 times as much, axum 6.10 times.`; empty where nobody is behind.
fn distances(measure: Measure, behind: &[(&str, f64)]) -> String {
    let distance = |ratio: f64| match measure.better() {
        Better::Lower => format!("{} times", tables::ratio(ratio)),
        Better::Higher => format!("{:.0}\u{a0}%", ratio * 100.0),
    };
    let Some(((nearest, ratio), others)) = behind.split_first() else { return String::new() };
    let (verb, of_that) = match measure {
        Measure::CpuPerRequest => ("needs", "as much"),
        Measure::RequestsPerSecond | Measure::MetricsPerSecond => ("reaches", "of that"),
        _ => ("takes", "as long"),
    };
    let others = others.iter().map(|(id, ratio)| format!(", {id} {}", distance(*ratio)));
    format!(" {nearest} {verb} {} {of_that}{}.", distance(*ratio), others.collect::<String>())
}
