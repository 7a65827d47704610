//! A record as text: a table for each workload, and beneath it everything that the reader must know
//! before believing it.

use std::{collections::BTreeMap, fmt::Write};

use load_gen::{
    Failure, Limit,
    table::{grouped, time},
};

use crate::{
    analysis::Versus,
    grid::{self, Cell, Colour, Tone},
    measure::{Better, CostMeasure, Measure},
    record::{Cost, Failures, Integrity, Pinning, Provenance, Record, Run, Series, WorkloadRecord},
    report,
    rounds::closes,
    statistics::{ROUNDS_MIN, Spread, Verdict},
};

const THROUGHPUT: [Measure; 6] = [
    Measure::RequestsPerSecond,
    Measure::MetricsPerSecond,
    Measure::CpuPerRequest,
    Measure::PeakMemory,
    Measure::Threads,
    Measure::RequestsPerSync,
];
const LATENCY: [Measure; 4] =
    [Measure::LatencyP50, Measure::LatencyP99, Measure::LatencyP999, Measure::LatencyMax];

/// Kinds of failure that are listed for a subject; a flood of kinds says no more than these.
const KINDS_MAX: usize = 6;

/// The whole record, compared with the subject `baseline`.
pub fn render(record: &Record, baseline: &str, colour: Colour) -> String {
    let mut out = heading(&record.provenance);
    for workload in &record.workloads {
        out += &render_workload(workload, baseline, colour);
    }
    out
}

/// Where the figures come from.
fn heading(provenance: &Provenance) -> String {
    let machine = &provenance.machine;
    let commit = match (&provenance.commit, provenance.dirty) {
        (Some(commit), false) => commit.clone(),
        (Some(commit), true) => format!("{commit} with changes"),
        (None, _) => "no commit".to_owned(),
    };
    let pinning = match provenance.pinning {
        Pinning::Unpinned => "not pinned".to_owned(),
        Pinning::Pinned { server_core, generator_core } => {
            format!("server on core {server_core}, generator on core {generator_core}")
        }
    };
    let virtual_machine = if machine.is_virtual { ", virtual" } else { "" };
    format!(
        "{}\n{commit}, {}\n{}, {} cores{virtual_machine}, {}, {pinning}, seed {}\n",
        provenance.command,
        machine.rustc,
        machine.cpu,
        machine.cores,
        machine.kernel,
        provenance.seed
    )
}

/// One workload: figures, costs, and what is to be said about them.
fn render_workload(workload: &WorkloadRecord, baseline: &str, colour: Colour) -> String {
    let mut out = format!("\n{}: {}\n", workload.id, workload.about);
    let subjects = subjects(workload);
    if subjects.is_empty() {
        return out + "  nothing was run\n";
    }
    let is_batch = workload.runs.iter().any(|run| run.load.plan.batch > 1);
    let throughput: Vec<Measure> = THROUGHPUT
        .into_iter()
        .filter(|measure| match measure {
            Measure::MetricsPerSecond => is_batch,
            Measure::RequestsPerSync => workload.runs.iter().any(|run| measure.of(run).is_some()),
            _ => true,
        })
        .collect();
    for measures in [throughput.as_slice(), &LATENCY] {
        out.push('\n');
        out += &grid::render(&figures(workload, &subjects, baseline, measures), colour);
    }
    if !workload.costs.is_empty() {
        out.push('\n');
        out += &grid::render(&costs(workload, &subjects, baseline), colour);
    }
    out.push('\n');
    for note in notes(workload, &subjects, baseline) {
        let _ = writeln!(out, "  {note}");
    }
    out
}

/// In the order in which they ran.
fn subjects(workload: &WorkloadRecord) -> Vec<&str> {
    let mut subjects: Vec<&str> = Vec::new();
    let ran = workload.runs.iter().map(|run| run.subject.as_str());
    let counted = workload.costs.iter().map(|costs| costs.subject.as_str());
    for subject in ran.chain(counted) {
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    subjects
}

fn figures(
    workload: &WorkloadRecord,
    subjects: &[&str],
    baseline: &str,
    measures: &[Measure],
) -> Vec<Vec<Cell>> {
    let labels = measures.iter().map(|measure| Cell::faint(measure.label()));
    let head = std::iter::once(Cell::default()).chain(labels).collect();
    let mut rows: Vec<Vec<Cell>> = vec![head];
    for subject in subjects {
        let cells = measures.iter().map(|measure| figure(workload, subject, baseline, *measure));
        let name = name_with_marks(workload, subject);
        rows.push(std::iter::once(Cell::new(name)).chain(cells).collect());
    }
    let noise = |measure: &Measure| match workload.noise(*measure) {
        Some(noise) => Cell::faint(format!("±{:.1} %", noise.band * 100.0)),
        None => Cell::faint("–"),
    };
    let bands = measures.iter().map(noise);
    rows.push(std::iter::once(Cell::faint("noise")).chain(bands).collect());
    rows
}

/// The median and its ratio to the baseline; below, the smallest and the largest round.
fn figure(workload: &WorkloadRecord, subject: &str, baseline: &str, measure: Measure) -> Cell {
    let Some(cell) = workload.cell(subject, baseline, measure) else { return Cell::faint("–") };
    let spread = cell.spread;
    let median = measure.format(spread.median);
    let below = if spread.min < spread.max {
        format!("{} … {}", measure.format(spread.min), measure.format(spread.max))
    } else {
        String::new()
    };
    match cell.versus {
        Some(versus) => Cell {
            text: format!("{median} {}", ratio(versus)),
            below,
            tone: tone(versus, measure.better()),
        },
        None => Cell { text: median, below, tone: Tone::Plain },
    }
}

/// `1.50×` where it means something, `1.02~` inside the noise, `1.50?` after too few rounds.
pub(crate) fn ratio(versus: Versus) -> String {
    let sign = match versus.verdict {
        Verdict::Significant => '×',
        Verdict::InsideNoise => '~',
        Verdict::TooFewRounds => '?',
    };
    format!("{:.2}{sign}", versus.ratio)
}

pub(crate) fn tone(versus: Versus, better: Better) -> Tone {
    match (versus.verdict, versus.ratio > 1.0, better) {
        (Verdict::Significant, true, Better::Higher)
        | (Verdict::Significant, false, Better::Lower) => Tone::Better,
        (Verdict::Significant, _, _) => Tone::Worse,
        (Verdict::InsideNoise | Verdict::TooFewRounds, _, _) => Tone::Faint,
    }
}

fn costs(workload: &WorkloadRecord, subjects: &[&str], baseline: &str) -> Vec<Vec<Cell>> {
    let labels = CostMeasure::ALL.into_iter().map(|measure| Cell::faint(measure.label()));
    let mut rows: Vec<Vec<Cell>> = vec![std::iter::once(Cell::default()).chain(labels).collect()];
    for subject in subjects {
        let cells = CostMeasure::ALL.into_iter().map(|measure| {
            let count = |subject| workload.cost(subject, measure).and_then(Cost::per_request);
            let base = count(baseline).filter(|base| *base > 0.0 && *subject != baseline);
            match (count(subject), base) {
                (Some(own), Some(base)) => {
                    Cell::new(format!("{} {:.2}×", measure.format(own), own / base))
                }
                (Some(own), None) => Cell::new(measure.format(own)),
                (None, _) => Cell::faint("–"),
            }
        });
        rows.push(std::iter::once(Cell::new(*subject)).chain(cells).collect());
    }
    rows
}

/// A star on a subject that opens connections where others keep them, a warning on a wrong one.
fn name_with_marks(workload: &WorkloadRecord, subject: &str) -> String {
    let star = if is_closed_alone(workload, subject) { " *" } else { "" };
    let wrong =
        if workload.runs_of(subject).any(|run| is_wrong(workload, run)) { " WRONG" } else { "" };
    format!("{subject}{star}{wrong}")
}

fn is_closed_alone(workload: &WorkloadRecord, subject: &str) -> bool {
    workload.runs_of(subject).any(|run| closes(&run.load.plan))
        && workload.runs.iter().any(|run| !closes(&run.load.plan))
}

/// The layers of a record as text, group by group: for one element, medians of the rounds.
pub fn render_layers(record: &Record, colour: Colour) -> String {
    let mut out = String::new();
    for group in &record.layers {
        let table = report::tables::layers(group, None);
        let cell = |cell: &report::table::Cell| Cell {
            below: cell.notes.join(" "),
            ..Cell::new(&*cell.text)
        };
        let head = table.head.iter().map(Cell::faint).collect();
        let rows = table.rows.iter().map(|row| row.iter().map(cell).collect());
        let rows: Vec<Vec<Cell>> = std::iter::once(head).chain(rows).collect();
        let _ = writeln!(
            out,
            "\n{} ({})\n\n{}",
            table.caption,
            group.package,
            grid::render(&rows, colour)
        );
    }
    out
}

/// Whether something is wrong with a run, beyond being slow.
pub fn is_wrong(workload: &WorkloadRecord, run: &Run) -> bool {
    let has_failed = run.load.connections.unsolicited > 0
        || run.load.failures.keys().any(|failure| !is_refusal(*failure));
    !run.integrity.is_fine()
        || (workload.failures == Failures::AreWrong && has_failed)
        || run.load.requests.succeeded == 0
}

/// A server that says "not now" keeps its word about everything else: too many requests, or no room
/// (RFC 6585, section 4; RFC 9110, section 15.6.4).
fn is_refusal(failure: Failure) -> bool {
    matches!(failure, Failure::Status(429 | 503))
}

impl WorkloadRecord {
    fn runs_of<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| run.subject == subject)
    }
}

fn notes(workload: &WorkloadRecord, subjects: &[&str], baseline: &str) -> Vec<String> {
    let rounds = match workload.rounds() {
        1 => "1 round".to_owned(),
        more => format!("{more} rounds"),
    };
    let mut notes = vec![format!("medians of {rounds}; below, the smallest and the largest")];
    notes.push(format!(
        "× of {baseline} in the same round, the median; ~ no more than the noise; ? too few rounds"
    ));
    notes.push(match workload.is_quiet() {
        Some(_) if (workload.rounds() as usize) < ROUNDS_MIN => {
            format!("fewer than {ROUNDS_MIN} rounds: nothing here tells a difference from noise")
        }
        Some(true) => format!("the same server twice ({}): equal, as it must be", workload.twin),
        Some(false) => format!(
            "THE SAME SERVER TWICE ({}) DIFFERS in every round: ratios are off by about the noise",
            workload.twin
        ),
        None => format!("{} did not run twice: nothing is known about the noise", workload.twin),
    });
    if subjects.iter().any(|subject| is_closed_alone(workload, subject)) {
        notes.push("* closes after each answer: it was given a connection for each request".into());
    }
    notes.extend(subjects.iter().flat_map(|subject| subject_notes(workload, subject)));
    notes.extend(generator_notes(workload, subjects));
    notes.extend(futex_calls(workload));
    notes.extend(missing_costs(workload));
    notes
}

fn subject_notes(workload: &WorkloadRecord, subject: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let rates: Vec<f64> =
        workload.runs_of(subject).filter_map(|run| run.load.rate.offered_rps).collect();
    if let Some(spread) = Spread::of(&rates) {
        let offered = Measure::RequestsPerSecond.format(spread.median);
        notes.push(format!("{subject}: {offered} requests/s offered"));
    }
    if let Some(failed) = failures(workload, subject) {
        notes.push(format!("{subject}: {failed}"));
    }
    for run in workload.runs_of(subject).filter(|run| !run.integrity.is_fine()) {
        let again = if run.series == Series::Again { " (again)" } else { "" };
        notes.push(format!("{subject}, round {}{again}: {}", run.round, complaint(&run.integrity)));
    }
    notes
}

/// Failed requests of all runs by kind, the most frequent first.
fn failures(workload: &WorkloadRecord, subject: &str) -> Option<String> {
    let outcome = workload.outcome(subject);
    if outcome.failed_count() == 0 {
        return None;
    }
    let share = outcome.failed_percent();
    let mut kinds: Vec<_> = outcome.failed.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let list: Vec<String> = kinds
        .iter()
        .take(KINDS_MAX)
        .map(|(kind, count)| format!("{} {kind}", grouped(*count)))
        .collect();
    Some(format!("{share:.2} % of its requests failed: {}", list.join(", ")))
}

/// What is wrong, as a sentence.
pub fn complaint(integrity: &Integrity) -> String {
    match integrity {
        Integrity::StoresNothing | Integrity::Kept { .. } => "nothing is wrong".to_owned(),
        Integrity::Lost { accepted, stored } => {
            format!("LOST METRICS: {} accepted, {} stored", grouped(*accepted), grouped(*stored))
        }
        Integrity::Invented { sent, stored } => format!(
            "INVENTED METRICS: at most {} sent, {} stored",
            grouped(*sent),
            grouped(*stored)
        ),
        Integrity::UncleanEnd { how } => format!("UNCLEAN END: {how}"),
    }
}

/// When the figures may show the generator and not the server: whose, in how many runs, and why.
fn generator_notes(workload: &WorkloadRecord, subjects: &[&str]) -> Option<String> {
    let note = |subject: &&str| {
        let limits = |run: &Run| run.load.generator.limits.first().copied();
        let limited: Vec<Limit> = workload.runs_of(subject).filter_map(limits).collect();
        let why = in_short(*limited.first()?);
        let (count, all) = (limited.len(), workload.runs_of(subject).count());
        Some(format!("{subject} in {count} of {all} runs ({why})"))
    };
    let notes: Vec<String> = subjects.iter().filter_map(note).collect();
    let list = notes.join(", ");
    (!notes.is_empty()).then(|| format!("the generator may have been the limit: {list}"))
}

fn in_short(limit: Limit) -> String {
    match limit {
        Limit::Cpu { share } => format!("busy {:.0} % of the time", share * 100.0),
        Limit::CoreWait { share } => format!("without a core {:.0} % of the time", share * 100.0),
        Limit::SendLag { p99_us } => format!("late by {} at p99", time(p99_us)),
        Limit::LocalPorts => "out of local ports".to_owned(),
        Limit::OpenFiles => "out of open files".to_owned(),
    }
}

/// They are not among the system calls, so they are said beside them.
fn futex_calls(workload: &WorkloadRecord) -> Option<String> {
    let calls = workload.costs.iter().filter_map(|costs| {
        costs.futex_per_request.map(|calls| format!("{} {calls:.2}", costs.subject))
    });
    let calls: Vec<String> = calls.collect();
    let list = calls.join(", ");
    (!calls.is_empty()).then(|| format!("futex calls come on top, as the scheduler will: {list}"))
}

/// Each reason once, with those it is about.
fn missing_costs(workload: &WorkloadRecord) -> Vec<String> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for costs in &workload.costs {
        for measure in CostMeasure::ALL {
            if let Cost::NotCounted { reason } = measure.of(costs) {
                let whose = format!("{} of {}", measure.key(), costs.subject);
                reasons.entry(reason).or_default().push(whose);
            }
        }
    }
    let note = |(reason, whose): (&str, Vec<String>)| {
        format!("not counted ({reason}): {}", whose.join(", "))
    };
    reasons.into_iter().map(note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_record_as_text() {
        let text = render(&sample::record(), "slow", Colour::Never);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn everything_that_is_wrong_is_said() {
        let mut record = sample::record();
        record.workloads.truncate(1);
        let workload = &mut record.workloads[0];
        workload.runs[0].integrity = Integrity::Lost { accepted: 1_000, stored: 998 };
        workload.runs[2].integrity = Integrity::UncleanEnd { how: "signal: 11".to_owned() };
        let load = &mut workload.runs[1].load;
        load.failures = BTreeMap::from([(Failure::Status(503), 7), (Failure::Reset, 3)]);
        load.requests.failed = 10;
        load.rate.offered_rps = Some(30_000.0);
        load.generator.limits = vec![load_gen::Limit::Cpu { share: 0.97 }];
        workload.runs[1].load.plan.reuse = load_gen::Reuse::Close;
        insta::assert_snapshot!(render(&record, "slow", Colour::Never));
    }

    #[test]
    fn failures_are_wrong_only_where_the_workload_says_so() {
        let mut record = sample::record();
        let workload = &mut record.workloads[0];
        assert!(!is_wrong(workload, &workload.runs[1]));
        workload.runs[1].load.failures = BTreeMap::from([(Failure::Status(503), 7)]);
        assert!(!is_wrong(workload, &workload.runs[1]), "to refuse in good order is not wrong");
        workload.runs[1].load.failures.insert(Failure::Reset, 1);
        assert!(is_wrong(workload, &workload.runs[1]));
        workload.failures = Failures::AreFindings;
        assert!(!is_wrong(workload, &workload.runs[1]));
        workload.runs[1].load.requests.succeeded = 0;
        assert!(is_wrong(workload, &workload.runs[1]), "a server that did nothing at all");
    }

    #[test]
    fn after_an_interruption_the_table_says_what_is_missing() {
        let mut record = sample::record();
        record.workloads[0].runs.truncate(2);
        let text = render(&record, "slow", Colour::Never);
        assert!(text.contains("slow did not run twice"), "{text}");
        record.workloads[0].runs.clear();
        record.workloads[0].costs.clear();
        assert!(render(&record, "slow", Colour::Never).contains("nothing was run"));
    }
}
