//! From a record to tables: figures by subject, every round, failures by kind, counted costs.

use std::collections::BTreeSet;

use load_gen::table::{decimal, grouped};

use super::table::{Cell, Columns, Table};
use crate::{
    analysis::{self, Outcome, Versus, waterfall},
    measure::{CostMeasure, Measure},
    record::{
        AblationRecord, Cost, Costs, Failures, LayerBenchmark, LayerGroup, Record, Run, Series,
        WorkloadRecord,
    },
    seed::Seed,
    statistics::{Spread, Verdict},
};

/// What the tables of a workload begin with: the figure that a shared machine disturbs least.
pub const STAIRCASE: [Measure; 7] = [
    Measure::CpuPerRequest,
    Measure::RequestsPerSecond,
    Measure::LatencyP50,
    Measure::LatencyP99,
    Measure::LatencyP999,
    Measure::LatencyMax,
    Measure::PeakMemory,
];

/// The subjects that a workload was run on, in the record's order.
pub fn subjects_of<'a>(record: &'a Record, workload: &WorkloadRecord) -> Vec<&'a str> {
    let ran: BTreeSet<&str> = workload.runs.iter().map(|run| run.subject.as_str()).collect();
    let ids = record.subjects.iter().map(|subject| subject.id.as_str());
    ids.filter(|id| ran.contains(id)).collect()
}

/// One row a subject: medians, their ranges, and each as a multiple of the baseline's, which is the
/// first subject unless another is asked for.
pub fn staircase(
    record: &Record,
    workload: &WorkloadRecord,
    measures: &[Measure],
    baseline: Option<&str>,
) -> Table {
    let subjects = subjects_of(record, workload);
    let baseline = baseline.or(subjects.first().copied()).unwrap_or_default();
    let mut head = vec!["server".to_owned()];
    head.extend(measures.iter().map(|measure| measure.label().to_owned()));
    head.push("failed requests".to_owned());
    let row = |subject: &&str| {
        let figures = measures.iter().map(|m| figure(workload, subject, baseline, *m));
        let failed = failed_cell(workload, subject);
        [Cell::from(*subject)].into_iter().chain(figures).chain([failed]).collect()
    };
    Table {
        caption: format!(
            "{}: medians with the smallest and largest round; × is the multiple of {baseline}{}",
            workload.id,
            offered(workload)
        ),
        columns: Columns::Figures,
        head,
        rows: subjects.iter().map(row).collect(),
    }
}

/// The arrivals that were asked for, where a clock set the pace: latencies at different ones cannot be
/// compared, so it says whether all servers got the same.
fn offered(workload: &WorkloadRecord) -> String {
    let rates: Vec<f64> = workload.runs.iter().filter_map(|run| run.load.plan.rate()).collect();
    let format = |rate| Measure::RequestsPerSecond.format(rate);
    match Spread::of(&rates) {
        None => String::new(),
        Some(Spread { min, max, .. }) if min < max => {
            format!("; offered were {} to {} requests/s", format(min), format(max))
        }
        Some(Spread { median, .. }) => {
            format!("; offered were {} requests/s, to each the same", format(median))
        }
    }
}

/// Every workload of a record at a glance: one row a subject, one column a workload, and in each cell
/// one measure as a multiple of the first subject's. A figure that failed requests stand behind says so.
pub fn overview(record: &Record, measure: Measure) -> Table {
    let baseline = record.subjects.first().map_or("", |subject| subject.id.as_str());
    let mut head = vec!["server".to_owned()];
    head.extend(record.workloads.iter().map(|workload| workload.id.clone()));
    let row = |subject: &str| {
        let cells = record.workloads.iter().map(|workload| {
            let Some(found) = workload.cell(subject, baseline, measure) else {
                return Cell::absent();
            };
            let failed = failed_cell(workload, subject);
            let mut notes: Vec<String> = found.versus.map(versus_text).into_iter().collect();
            notes.extend(failed.notes.iter().map(|share| format!("failed: {share}")));
            let text = measure.format(found.spread.median);
            Cell { text, notes, is_bad: failed.is_bad }
        });
        std::iter::once(Cell::from(subject)).chain(cells).collect()
    };
    Table {
        caption: format!(
            "{}: medians by workload; × is the multiple of {baseline}",
            measure.label()
        ),
        columns: Columns::Figures,
        head,
        rows: record.subjects.iter().map(|subject| row(&subject.id)).collect(),
    }
}

/// One subject beside all others and beside what the course's original reached, as that states it:
/// requests a second and median latency, and the subject's as multiples of theirs.
pub fn seed(record: &Record, workload: &WorkloadRecord, subject: &str, seed: &Seed) -> Table {
    let mut head = vec!["server".to_owned()];
    for measure in Seed::MEASURES {
        head.extend([measure.label().to_owned(), format!("{subject} against it")]);
    }
    let handed_down = |measure: &Measure| {
        let Some(figure) = seed.figure(*measure) else { return [Cell::absent(), Cell::absent()] };
        let own = workload.cell(subject, subject, *measure).map(|cell| cell.spread.median);
        let against = own.map(|own| format!("{} ×", ratio(own / figure)));
        let note = format!("{}, not measured here", seed.state);
        [
            Cell::with_note(measure.format(figure), note),
            against.map_or_else(Cell::absent, Cell::from),
        ]
    };
    let first = std::iter::once(Cell::from(seed.server.as_str()));
    let first = first.chain(Seed::MEASURES.iter().flat_map(handed_down)).collect();
    let row = |other: &str| {
        let figures = Seed::MEASURES.into_iter().flat_map(|measure| {
            let against = workload.cell(subject, other, measure).and_then(|cell| cell.versus);
            let against = against.map_or_else(Cell::absent, |versus| versus_text(versus).into());
            [figure(workload, other, other, measure), against]
        });
        std::iter::once(Cell::from(other)).chain(figures).collect()
    };
    let others = subjects_of(record, workload).into_iter().map(row);
    Table {
        caption: format!(
            "{}: medians with the smallest and largest round{}; {}: {}",
            workload.id,
            offered(workload),
            seed.server,
            seed.source
        ),
        columns: Columns::Figures,
        head,
        rows: std::iter::once(first).chain(others).collect(),
    }
}

fn figure(workload: &WorkloadRecord, subject: &str, baseline: &str, measure: Measure) -> Cell {
    let Some(analysis::Cell { spread, versus }) = workload.cell(subject, baseline, measure) else {
        return Cell::absent();
    };
    let notes = range(spread, measure).into_iter().chain(versus.map(versus_text)).collect();
    Cell { text: measure.format(spread.median), notes, is_bad: false }
}

fn range(spread: Spread, measure: Measure) -> Option<String> {
    let (min, max) = (measure.format(spread.min), measure.format(spread.max));
    (min != max).then(|| format!("{min} to {max}"))
}

/// `2.00 ×`, or why that cannot be said.
pub fn versus_text(versus: Versus) -> String {
    match versus.verdict {
        Verdict::Significant => format!("{} ×", ratio(versus.ratio)),
        Verdict::InsideNoise => "inside the noise".to_owned(),
        Verdict::TooFewRounds => "too few rounds to compare".to_owned(),
    }
}

/// A multiple: two digits below ten, whole from there on.
pub fn ratio(ratio: f64) -> String {
    if ratio < 9.95 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

fn failed_cell(workload: &WorkloadRecord, subject: &str) -> Cell {
    let outcome = workload.outcome(subject);
    if outcome.failed_count() == 0 {
        return Cell::from("none");
    }
    let (share, total) = (outcome.failed_percent(), grouped(outcome.total()));
    Cell {
        text: grouped(outcome.failed_count()),
        notes: vec![format!("{share:.2} % of {total}")],
        is_bad: workload.failures == Failures::AreWrong,
    }
}

/// One row a run, in the order in which they ran.
pub fn rounds(workload: &WorkloadRecord) -> Table {
    let mut head = vec!["round".to_owned(), "server".to_owned()];
    head.extend(Measure::ALL.iter().map(|measure| measure.label().to_owned()));
    head.push("failed".to_owned());
    head.push("stored".to_owned());
    Table {
        caption: format!("{}: every round", workload.id),
        columns: Columns::Figures,
        head,
        rows: workload.runs.iter().map(round).collect(),
    }
}

fn round(run: &Run) -> Vec<Cell> {
    let again = if run.series == Series::Again { " (again)" } else { "" };
    let figures = Measure::ALL
        .iter()
        .map(|measure| measure.of(run).map_or_else(Cell::absent, |f| measure.format(f).into()));
    let stored = Cell {
        text: super::integrity_text(&run.integrity),
        is_bad: !run.integrity.is_fine(),
        ..Cell::default()
    };
    [Cell::from(run.round.to_string()), Cell::from(format!("{}{again}", run.subject))]
        .into_iter()
        .chain(figures)
        .chain([Cell::from(grouped(run.load.requests.failed)), stored])
        .collect()
}

/// One row a subject, one column a kind of failure; nothing where no request failed.
pub fn failures(record: &Record, workload: &WorkloadRecord) -> Option<Table> {
    let kinds = workload.failure_kinds();
    if kinds.is_empty() {
        return None;
    }
    let mut head = vec!["server".to_owned(), "succeeded".to_owned()];
    head.extend(kinds.iter().map(ToString::to_string));
    let row = |subject: &str| {
        let Outcome { succeeded, failed } = workload.outcome(subject);
        let counts = kinds.iter().map(|kind| failed.get(kind).copied().unwrap_or(0));
        let counts =
            counts.map(|count| if count == 0 { Cell::absent() } else { grouped(count).into() });
        [Cell::from(subject), Cell::from(grouped(succeeded))].into_iter().chain(counts).collect()
    };
    Some(Table {
        caption: format!("{}: requests by outcome, all rounds together", workload.id),
        columns: Columns::Figures,
        head,
        rows: subjects_of(record, workload).into_iter().map(row).collect(),
    })
}

/// Counted costs of a request; nothing where none were looked at.
pub fn costs(workload: &WorkloadRecord) -> Option<Table> {
    if workload.costs.is_empty() {
        return None;
    }
    let mut head = vec!["server".to_owned()];
    head.extend(CostMeasure::ALL.iter().map(|measure| measure.label().to_owned()));
    let row = |costs: &Costs| {
        let cells = CostMeasure::ALL.iter().map(|measure| match measure.of(costs) {
            Cost::Counted { per_request, .. } => Cell {
                text: measure.format(*per_request),
                notes: futex_note(costs, *measure).into_iter().collect(),
                is_bad: false,
            },
            Cost::NotCounted { reason } => Cell::with_note("not counted", reason),
        });
        [Cell::from(&costs.subject)].into_iter().chain(cells).collect()
    };
    Some(Table {
        caption: format!("{}: counted costs of a request", workload.id),
        columns: Columns::Figures,
        head,
        rows: workload.costs.iter().map(row).collect(),
    })
}

/// How often threads waited for each other, which is beside the system calls and not among them.
fn futex_note(costs: &Costs, measure: CostMeasure) -> Option<String> {
    let futex = costs.futex_per_request.filter(|_| measure == CostMeasure::Syscalls)?;
    Some(format!("and {} futex", measure.format(futex)))
}

/// One row a step of an ablation.
pub fn ablation(record: &Record, ablation: &AblationRecord, measure: Measure) -> Table {
    let rows = waterfall(record, ablation, measure).into_iter().map(|step| {
        let against = step.versus.map_or_else(Cell::absent, |versus| versus_text(versus).into());
        let notes = range(step.spread, measure).into_iter().collect();
        let figure = Cell { text: measure.format(step.spread.median), notes, is_bad: false };
        vec![Cell::from(step.change), Cell::from(step.subject), figure, against]
    });
    Table {
        caption: format!("{}: {} step by step", ablation.toggle, measure.label()),
        columns: Columns::Figures,
        head: ["change", "server", measure.label(), "against the step before"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.collect(),
    }
}

/// One row a layer: what one element costs it, and each as a multiple of the baseline's, which is the
/// first layer unless another is asked for.
pub fn layers(group: &LayerGroup, baseline: Option<&str>) -> Table {
    let first = group.benchmarks.first().map_or("", |benchmark| benchmark.id.as_str());
    let baseline = baseline.unwrap_or(first);
    let has_counts = group.benchmarks.iter().any(|benchmark| benchmark.instructions.is_some());
    let mut head = vec!["layer".to_owned(), "ns".to_owned(), format!("multiple of {baseline}")];
    head.extend(has_counts.then(|| "instructions".to_owned()));
    let row = |benchmark: &LayerBenchmark| {
        let cell = group.cell(&benchmark.id, baseline);
        let mut row = vec![Cell::from(&benchmark.id)];
        row.push(cell.map_or_else(Cell::absent, |cell| with_range(cell.time_ns, decimal)));
        let ratio = cell.and_then(|cell| cell.ratio);
        row.push(ratio.map_or_else(Cell::absent, |spread| with_range(spread, self::ratio)));
        if has_counts {
            let counted = cell.and_then(|cell| cell.instructions);
            row.push(counted.map_or_else(Cell::absent, |count| decimal(count).into()));
        }
        row
    };
    let each = if group.elements == 1 { String::new() } else { format!(" of {}", group.elements) };
    Table {
        caption: format!(
            "{}: one element{each}, medians with the smallest and largest round",
            group.id
        ),
        columns: Columns::Figures,
        head,
        rows: group.benchmarks.iter().map(row).collect(),
    }
}

fn with_range(spread: Spread, format: fn(f64) -> String) -> Cell {
    let Spread { median, min, max, .. } = spread;
    Cell::with_note(format(median), format!("{} to {}", format(min), format(max)))
}
