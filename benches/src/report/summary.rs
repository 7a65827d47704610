//! A comparison in plain words: who is ahead, what lies inside the noise, what went wrong.
//!
//! What always holds: a rank is only said where the verdict of [`crate::analysis`] bears it, and
//! what spoils a comparison is said before its results.

use load_gen::{Reuse, table::decimal};

use super::{integrity_text, listed, ranking::Ranking, tables};
use crate::{
    measure::Measure,
    record::{Failures, Pinning, Record, WorkloadRecord},
    statistics::Spread,
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
        let ranking = measures.into_iter().find_map(|m| Ranking::of(record, workload, m))?;
        Some(Statement::new(Tone::Result, &workload.id, ranking.to_string()))
    };
    record.workloads.iter().filter_map(leading).collect()
}

/// Everything that is to be said about a workload, what is wrong first.
pub(crate) fn of_workload(record: &Record, workload: &WorkloadRecord) -> Vec<Statement> {
    let mut statements = wrongs(record, workload);
    statements.extend(closers(record, workload));
    statements.extend(offered(record, workload));
    statements.extend(noise(workload));
    statements.extend(generator_limits(workload));
    for measure in [Measure::CpuPerRequest, Measure::RequestsPerSecond, Measure::LatencyP99] {
        let ranking = Ranking::of(record, workload, measure);
        statements.extend(ranking.map(|r| Statement::new(Tone::Result, r.topic(), r.to_string())));
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
    let outcome = workload.outcome(subject);
    let kinds: Vec<String> = outcome.failed.keys().map(ToString::to_string).collect();
    let share = outcome.failed_percent();
    (outcome.failed_count() > 0)
        .then(|| format!("{subject} {share:.1}\u{a0}% ({})", listed(&kinds)))
}

/// Who could not be given the same load as the others.
fn closers(record: &Record, workload: &WorkloadRecord) -> Option<Statement> {
    let is_closer = |id: &&str| {
        let mut runs = workload.runs.iter().filter(|run| run.subject == *id);
        runs.any(|run| run.load.plan.reuse == Reuse::Close)
    };
    let subjects = tables::subjects_of(record, workload);
    let (closers, keepers): (Vec<&str>, Vec<&str>) = subjects.into_iter().partition(is_closer);
    (!closers.is_empty() && !keepers.is_empty()).then(|| {
        let text = format!(
            "A new one for each request of {}, which cannot keep one open; connecting is in their figures.",
            listed(&closers)
        );
        Statement::new(Tone::Caution, "Connections", text)
    })
}

/// How much was asked of each server, where the clock asked and not the server's answers.
fn offered(record: &Record, workload: &WorkloadRecord) -> Option<Statement> {
    let rate = |id: &str| {
        let runs = workload.runs.iter().filter(|run| run.subject == id);
        let rates: Vec<f64> = runs.filter_map(|run| run.load.rate.offered_rps).collect();
        Spread::of(&rates).map(|rates| format!("{} to {id}", decimal(rates.median)))
    };
    let rates: Vec<String> =
        tables::subjects_of(record, workload).into_iter().filter_map(rate).collect();
    let text = format!("Requests a second by the clock, whatever the answers: {}.", listed(&rates));
    (!rates.is_empty()).then(|| Statement::new(Tone::Result, "Offered", text))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use load_gen::Failure;

    fn said(record: &Record) -> Vec<(Tone, String)> {
        let statements = of_workload(record, &record.workloads[0]).into_iter();
        statements.map(|one| (one.tone, format!("{}: {}", one.topic, one.text))).collect()
    }

    #[track_caller]
    fn assert_said(record: &Record, tone: Tone, expected: &str) {
        let said = said(record);
        let is_there = said.iter().any(|(at, text)| *at == tone && text.contains(expected));
        assert!(is_there, "{expected:?} is not in {said:#?}");
    }

    #[test]
    fn says_who_is_ahead_and_by_how_much() {
        let record = sample::record();
        let cpu = "fast is ahead with 49.50 CPU-µs a request. slow needs 2.00 times as much.";
        assert_said(&record, Tone::Result, cpu);
        assert_said(&record, Tone::Result, "slow reaches 50\u{a0}% of that.");
        assert_eq!(in_short(&record)[0].topic, "single");
    }

    #[test]
    fn what_went_wrong_comes_first() {
        let mut record = sample::record();
        let run = &mut record.workloads[0].runs[0];
        run.load.requests.failed = 1_000;
        run.load.failures.insert(Failure::Status(503), 1_000);
        run.integrity = crate::record::Integrity::Lost { accepted: 1_000, stored: 990 };
        let said = said(&record);
        assert_eq!(said[0].0, Tone::Wrong);
        assert!(said[0].1.contains("In round 1, slow: lost 10 of 1,000."), "{said:?}");
        // Ten runs, the twin's included, with 1,000 successes each.
        assert!(said[1].1.contains("slow 9.1\u{a0}% (status 503)"), "{said:?}");
    }

    #[test]
    fn a_load_that_was_not_the_same_for_all_is_said() {
        let mut record = sample::record();
        for run in record.workloads[0].runs.iter_mut().filter(|run| run.subject == "slow") {
            run.load.plan.reuse = Reuse::Close;
        }
        assert_said(&record, Tone::Caution, "Connections: A new one for each request of slow");
        let all = &mut record.workloads[0].runs;
        for run in all {
            run.load.plan.reuse = Reuse::Close;
        }
        assert!(said(&record).iter().all(|(_, text)| !text.starts_with("Connections")));
    }

    #[test]
    fn cautions_come_from_how_it_was_recorded() {
        let mut record = sample::record();
        assert_eq!(cautions(&record), []);
        record.provenance.dirty = true;
        record.provenance.interrupted = true;
        record.provenance.pinning = Pinning::Unpinned;
        let topics: Vec<String> = cautions(&record).into_iter().map(|one| one.topic).collect();
        assert_eq!(topics, ["Interrupted", "Uncommitted changes", "Not pinned"]);
    }
}
