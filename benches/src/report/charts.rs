//! From a record to charts. The report shows them in the page, the book as files.

use hdrhistogram::Histogram;

use super::tables::subjects_of;
use crate::{
    analysis::{self, Outcome},
    chart::{
        Chart,
        curve::{CurveLine, Curves},
        outcome::{OutcomeRow, Outcomes},
        strip::{Strip, StripNoise, StripRow},
        waterfall::Waterfall,
    },
    measure::Measure,
    record::{AblationRecord, Record, Series, WorkloadRecord},
    statistics::Spread,
};

/// One measure over all subjects of a workload. Nothing where no run has it.
pub fn strip(record: &Record, workload: &WorkloadRecord, measure: Measure) -> Option<Chart> {
    let rows: Vec<StripRow> = subjects_of(record, workload)
        .into_iter()
        .filter_map(|subject| {
            let rounds = workload.values(subject, Series::First, measure);
            Some(StripRow {
                label: subject.to_owned(),
                slot: slot(record, subject),
                again: workload.values(subject, Series::Again, measure),
                spread: Spread::of(&rounds)?,
                rounds,
            })
        })
        .collect();
    let twin = &workload.twin;
    let noise = workload.noise(measure);
    let noise = noise.map(|noise| StripNoise { twin: twin.clone(), band: noise.band });
    (!rows.is_empty()).then(|| Strip { measure, rows, noise }.draw())
}

/// Latency over the percentile for all subjects of a workload. A histogram that cannot be read is
/// left out like a run without a success; [`crate::record::Record`] keeps the figures beside it.
pub fn curves(record: &Record, workload: &WorkloadRecord) -> Chart {
    let lines = subjects_of(record, workload).into_iter().map(|subject| {
        let runs = workload.runs.iter();
        let runs = runs.filter(|run| run.subject == subject && run.series == Series::First);
        let rounds: Vec<Histogram<u64>> =
            runs.filter_map(|run| run.load.latency.histogram().ok()).collect();
        let (label, slot) = (subject.to_owned(), slot(record, subject));
        CurveLine { label, slot, rounds }
    });
    Curves { lines: lines.collect() }.draw()
}

/// What became of the requests of a workload. Nothing where all succeeded.
pub fn outcomes(record: &Record, workload: &WorkloadRecord) -> Option<Chart> {
    let kinds = workload.failure_kinds();
    let row = |subject: &str| {
        let Outcome { succeeded, failed } = workload.outcome(subject);
        OutcomeRow {
            label: subject.to_owned(),
            succeeded,
            failed: kinds.iter().map(|kind| failed.get(kind).copied().unwrap_or(0)).collect(),
        }
    };
    let rows = subjects_of(record, workload).into_iter().map(row).collect();
    let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    (!kinds.is_empty()).then(|| Outcomes { kinds, rows }.draw())
}

/// What each step of an ablation bought. Nothing where the record lacks its runs.
pub fn waterfall(record: &Record, ablation: &AblationRecord, measure: Measure) -> Option<Chart> {
    let steps = analysis::waterfall(record, ablation, measure);
    let question = ablation.question.clone();
    (!steps.is_empty()).then(|| Waterfall { measure, question, steps }.draw())
}

/// A subject has one colour in all charts of a record.
fn slot(record: &Record, subject: &str) -> usize {
    record.subjects.iter().position(|other| other.id == subject).unwrap_or_default()
}
