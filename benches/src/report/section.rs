//! A record's part of the page: summary, overview, workloads, ablations, environment.

use maud::{Markup, html};

use super::{
    charts, environment,
    summary::{self, Statement, Tone},
    table::{Cell, Columns, Table},
    tables,
};
use crate::{
    chart::Chart,
    measure::Measure,
    record::{AblationRecord, Failures, LayerGroup, Record, WorkloadRecord},
};

/// One record. It has a heading of its own where there are several.
pub(crate) fn record(record: &Record, is_one_of_many: bool) -> Markup {
    html! {
        article id=(record.name) {
            @if is_one_of_many { h2.record { (record.name) } }
            (facts(record))
            (statements(&summary::cautions(record)))
            (navigation(record))
            @if !record.workloads.is_empty() {
                h2 { "In short" }
                (statements(&summary::in_short(record)))
                (overview(record))
            }
            @for workload in &record.workloads { (workload_section(record, workload)) }
            @for ablation in &record.ablations { (ablation_section(record, ablation)) }
            @for group in &record.layers { (layer_section(group)) }
            h2 id=(anchor(record, "environment")) { "Environment" }
            (environment::section(record))
        }
    }
}

fn anchor(record: &Record, part: &str) -> String {
    format!("{}-{part}", record.name)
}

/// The line under the title: what a reader asks first.
fn facts(record: &Record) -> Markup {
    let provenance = &record.provenance;
    let date = provenance.recorded_at.split('T').next().unwrap_or_default();
    html! {
        p.facts {
            span { (date) }
            span { (provenance.rounds) " rounds, " (provenance.preset) }
            span { (provenance.machine.cpu) ", " (provenance.machine.cores) " cores" }
            code { (provenance.command) }
        }
    }
}

fn navigation(record: &Record) -> Markup {
    html! {
        nav.chips aria-label=(format!("Parts of {}", record.name)) {
            @for workload in &record.workloads {
                a href=(format!("#{}", anchor(record, &workload.id))) { (workload.id) }
            }
            @for ablation in &record.ablations {
                a href=(format!("#{}", anchor(record, &toggle_id(ablation)))) { (ablation_name(ablation)) }
            }
            a href=(format!("#{}", anchor(record, "environment"))) { "environment" }
        }
    }
}

/// A group of layers by themselves.
fn layer_section(group: &LayerGroup) -> Markup {
    let table = tables::layers(group, None);
    html! {
        section.card.wide {
            h2 { (group.id) }
            p.dim { "Criterion, " (group.package) ". " (table.caption) "." }
            (table.html())
        }
    }
}

fn toggle_id(ablation: &AblationRecord) -> String {
    format!("{}-{}", ablation.toggle, ablation.workload)
}

fn ablation_name(ablation: &AblationRecord) -> String {
    format!("Ablation: {} under {}", ablation.toggle, ablation.workload)
}

/// Processor time of every server in every workload: the whole comparison in one table.
fn overview(record: &Record) -> Markup {
    html! {
        section.card.wide {
            h2 { "Server CPU time per request" }
            p.dim {
                "CPU-µs for each successful request, medians of the rounds; less is better. "
                "The second line is the multiple of the first server in its column."
            }
            (overview_table(record).html())
        }
    }
}

fn overview_table(record: &Record) -> Table {
    let mut head = vec!["server".to_owned()];
    head.extend(record.workloads.iter().map(|workload| workload.id.clone()));
    let row = |id: &str| {
        let figures = record.workloads.iter().map(|workload| overview_cell(record, workload, id));
        [Cell::from(id)].into_iter().chain(figures).collect()
    };
    Table {
        caption: "Server CPU-µs per request, by server and workload".to_owned(),
        columns: Columns::Figures,
        head,
        rows: record.subjects.iter().map(|subject| row(&subject.id)).collect(),
    }
}

fn overview_cell(record: &Record, workload: &WorkloadRecord, id: &str) -> Cell {
    let measure = Measure::CpuPerRequest;
    let baseline = tables::subjects_of(record, workload).first().copied().unwrap_or_default();
    let Some(cell) = workload.cell(id, baseline, measure) else {
        return Cell::absent();
    };
    let notes = cell.versus.map(tables::versus_text).into_iter().collect();
    Cell { text: measure.format(cell.spread.median), notes, is_bad: false }
}

fn workload_section(record: &Record, workload: &WorkloadRecord) -> Markup {
    html! {
        section.workload {
            h2 id=(anchor(record, &workload.id)) { "Workload: " (workload.id) }
            p.about { (workload.about) (meaning_of_failures(workload)) }
            (statements(&summary::of_workload(record, workload)))
            div.grid {
                @for measure in [
                    Measure::CpuPerRequest, Measure::RequestsPerSecond,
                    Measure::LatencyP50, Measure::LatencyP99,
                ] {
                    @if let Some(chart) = charts::strip(record, workload, measure) { (figure(&chart)) }
                }
                @if let Some(chart) = charts::outcomes(record, workload) { div.span { (figure(&chart)) } }
                div.span { (figure(&charts::curves(record, workload))) }
            }
            (workload_tables(record, workload))
        }
    }
}

fn meaning_of_failures(workload: &WorkloadRecord) -> &'static str {
    match workload.failures {
        Failures::AreWrong => "",
        Failures::AreFindings => " Failed requests are part of the answer here.",
    }
}

fn workload_tables(record: &Record, workload: &WorkloadRecord) -> Markup {
    let figures = tables::staircase(record, workload, &tables::STAIRCASE, None);
    html! {
        section.card.wide {
            h3 { "All figures" }
            p.dim { (figures.caption) }
            (figures.html())
            @if let Some(failures) = tables::failures(record, workload) {
                h3 { "Requests by outcome" }
                (failures.html())
            }
            @if let Some(costs) = tables::costs(workload) {
                h3 { "Counted costs of a request" }
                (costs.html())
            }
            details {
                summary { "Every round as a table (" (workload.runs.len()) " runs)" }
                (tables::rounds(workload).html())
            }
        }
    }
}

fn ablation_section(record: &Record, ablation: &AblationRecord) -> Markup {
    let measures = [Measure::CpuPerRequest, Measure::RequestsPerSecond];
    html! {
        section.workload {
            h2 id=(anchor(record, &toggle_id(ablation))) { (ablation_name(ablation)) }
            p.about {
                (ablation.question) " One layer changes from step to step, everything else is shared."
            }
            div.grid {
                @for measure in measures {
                    @if let Some(chart) = charts::waterfall(record, ablation, measure) {
                        (figure_with_table(&chart, &tables::ablation(record, ablation, measure)))
                    }
                }
            }
        }
    }
}

fn figure(chart: &Chart) -> Markup {
    html! { figure.card { (caption(chart)) (chart.inline()) } }
}

fn caption(chart: &Chart) -> Markup {
    html! { figcaption { (chart.title) span.note { (chart.note) } } }
}

fn figure_with_table(chart: &Chart, table: &Table) -> Markup {
    html! {
        figure.card {
            (caption(chart))
            (chart.inline())
            details { summary { "As a table" } (table.html()) }
        }
    }
}

fn statements(statements: &[Statement]) -> Markup {
    html! {
        @if !statements.is_empty() {
            ul.statements {
                @for statement in statements {
                    @let (class, sign) = look(statement.tone);
                    li class=(class) {
                        span.sign aria-hidden="true" { (sign) }
                        span { strong { (statement.topic) ". " } (statement.text) }
                    }
                }
            }
        }
    }
}

fn look(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Result => ("result", "•"),
        Tone::Caution => ("caution", "!"),
        Tone::Wrong => ("wrong", "✕"),
    }
}
