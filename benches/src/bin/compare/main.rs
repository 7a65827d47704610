//! `cargo compare`: which server is faster, by how much, and is that more than noise?
//!
//! Standard output holds the result and nothing else; progress and errors go to standard error.

mod cli;
mod display;
mod interrupt;

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
    time::SystemTime,
};

use anyhow::{Context, Result};
use benches::{
    Colour, ablation,
    budget::{Budgets, Outcome},
    build::workspace_directory,
    comparison::{self, Comparison},
    layers,
    measure::CostMeasure,
    profile,
    record::{Cost, Record, check_name, results_directory},
    render::{self, Rendering},
    report::page,
    subject::{self, PHASES, RIVALS, Subject, UnknownSubject},
    table,
    workload::{self, WORKLOADS},
};
use clap::Parser;

use crate::{
    cli::{Arguments, Command, Compare},
    display::Display,
};

const WRONG: u8 = 1;
const USAGE: u8 = 2;
const NOT_POSSIBLE: u8 = 3;
/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// Budgets and profiles are about the same requests every time.
const SEED: u64 = 1;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        None => compare(&arguments.compare),
        Some(Command::List) => list(),
        Some(Command::Budget { subjects }) => budget(subjects),
        Some(Command::Layers { packages, filter, rounds, no_costs, save, json }) => {
            let request = layers::Request {
                packages: packages.clone(),
                filter: filter.clone(),
                rounds: *rounds,
                count: !no_costs,
                name: save.clone().unwrap_or_else(|| "layers".to_owned()),
                command: cli::layers_command(packages, filter.as_deref(), *rounds, *no_costs),
            };
            layers(&request, save.is_some(), *json)
        }
        Some(Command::Profile { subject, workload, duration, file, no_costs }) => {
            match (subject::find(subject), workload::find(workload)) {
                (Ok(subject), Ok(workload)) => {
                    let (subject, workload) = (*subject, *workload);
                    let (duration, file) = (*duration, file.clone());
                    let request =
                        profile::Request { subject, workload, duration, seed: SEED, file };
                    profile(&request, !no_costs)
                }
                (Err(error), _) => Ok(usage(&error)),
                (_, Err(error)) => Ok(usage(&error)),
            }
        }
        Some(Command::Report { records, file }) => report(records, file),
        Some(Command::Render { check }) => render(*check),
    };
    result.unwrap_or_else(|error| {
        eprintln!("compare: {error:#}");
        ExitCode::from(NOT_POSSIBLE)
    })
}

fn compare(options: &Compare) -> Result<ExitCode> {
    let request = options.request().and_then(|request| {
        let baseline = options.baseline(&request)?;
        Ok((request, baseline))
    });
    let (request, baseline) = match request {
        Ok(request) => request,
        Err(error) => {
            eprintln!("compare: {error:#}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let stop = interrupt::stop_on_signals()?;
    let mut display = Display::new(request.runs(), request.rounds, stop);
    let comparison = comparison::run(&request, SystemTime::now(), &mut display, &mut |missing| {
        eprintln!("SKIPPED: {missing}");
    });
    display.finish();
    let Comparison { record, failures } = comparison?;
    let is_complete = failures.is_empty();
    for (workload, error) in failures {
        let error = anyhow::Error::new(error);
        eprintln!("compare: {workload} could not be measured and is not in the record: {error:#}");
    }
    // A record without a load says nothing.
    if !record.workloads.is_empty() {
        show(&record, &baseline, options)?;
    }
    Ok(if is_complete { verdict(&record) } else { ExitCode::from(NOT_POSSIBLE) })
}

/// The tables, or the record itself; and the files, where they are wanted.
fn show(record: &Record, baseline: &str, options: &Compare) -> Result<()> {
    let tables =
        |colour| table::render(record, baseline, colour) + &ablation::render(record, colour);
    hand_over(record, options.json, options.is_saved(), tables)?;
    if let Some(file) = &options.report {
        write_page(std::slice::from_ref(record), file)?;
    }
    Ok(())
}

/// Prints a record as tables or as it is, and keeps it where that is wanted.
fn hand_over(
    record: &Record,
    json: bool,
    is_saved: bool,
    tables: impl FnOnce(Colour) -> String,
) -> Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, record)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", tables(colour()))?;
    }
    if is_saved {
        record.save(&results_directory()).context("cannot keep the record")?;
        eprintln!("saved as benches/results/{}.json", record.name);
    }
    Ok(())
}

/// Colours for a person at a terminal who has not said otherwise (<https://no-color.org>).
fn colour() -> Colour {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if io::stdout().is_terminal() && !is_refused { Colour::Ansi } else { Colour::Never }
}

fn verdict(record: &Record) -> ExitCode {
    let mut runs =
        record.workloads.iter().flat_map(|load| load.runs.iter().map(move |run| (load, run)));
    if runs.any(|(workload, run)| table::is_wrong(workload, run)) {
        ExitCode::from(WRONG)
    } else if record.provenance.interrupted {
        ExitCode::from(INTERRUPTED)
    } else {
        ExitCode::SUCCESS
    }
}

/// Layers by themselves, as tables or as the record.
fn layers(request: &layers::Request, is_saved: bool, json: bool) -> Result<ExitCode> {
    if let Err(error) = check_name(&request.name) {
        eprintln!("compare: {error:#}");
        return Ok(ExitCode::from(USAGE));
    }
    let record = layers::run(request, &mut |step| eprintln!("{step}"))?;
    hand_over(&record, json, is_saved, |colour| table::render_layers(&record, colour))?;
    Ok(ExitCode::SUCCESS)
}

/// Where a server's time goes, and what a request costs it.
fn profile(request: &profile::Request, count: bool) -> Result<ExitCode> {
    let mut display = Display::new(0, 0, interrupt::stop_on_signals()?);
    let hottest = profile::run(request, &mut display)?;
    let mut out = io::stdout().lock();
    writeln!(out, "Functions that were running, by their share of the time:")?;
    for (function, share) in &hottest {
        writeln!(out, "  {:>5.1} %  {function}", share * 100.0)?;
    }
    if count {
        let (workload, subject) = (&request.workload, &request.subject);
        let costs = comparison::count_costs(workload, subject, SEED, &mut display)?;
        writeln!(out, "One request, one client that waits for each answer:")?;
        for measure in CostMeasure::ALL {
            match measure.of(&costs) {
                Cost::Counted { per_request, .. } => {
                    writeln!(out, "  {:<20} {}", measure.label(), measure.format(*per_request))?;
                }
                Cost::NotCounted { reason } => {
                    writeln!(out, "  {:<20} not counted: {reason}", measure.label())?;
                }
            }
        }
    }
    eprintln!("flame graph written to {}", request.file.display());
    Ok(ExitCode::SUCCESS)
}

fn usage(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("compare: {error}");
    ExitCode::from(USAGE)
}

/// Over budget fails; so does a check of nothing, which must not look like a pass.
fn budget(phases: &[String]) -> Result<ExitCode> {
    let phases = match chosen_phases(phases) {
        Ok(phases) => phases,
        Err(error) => {
            eprintln!("compare: {error:#}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let budgets = Budgets::of_workspace()?;
    let mut display = Display::new(0, 0, interrupt::stop_on_signals()?);
    let (mut over, mut checked) = (0, 0);
    for phase in phases {
        for workload in budgets.workloads(phase.id)? {
            let workload = workload::find(workload)?;
            let costs = comparison::count_costs(workload, phase, SEED, &mut display)?;
            for finding in budgets.check(workload.id, &costs) {
                println!("{finding}");
                over += usize::from(matches!(finding.outcome, Outcome::Over(_)));
                checked += usize::from(!matches!(finding.outcome, Outcome::Skipped(_)));
            }
        }
    }
    Ok(match (over, checked) {
        (1.., _) => ExitCode::from(WRONG),
        (0, 0) => ExitCode::from(NOT_POSSIBLE),
        (0, _) => ExitCode::SUCCESS,
    })
}

fn report(names: &[String], file: &Path) -> Result<ExitCode> {
    let stored = render::stored_records(&results_directory())?;
    let (records, unknown) = chosen_records(stored, names);
    if let Some(name) = unknown {
        eprintln!("compare: there is no record benches/results/{name}.json");
        return Ok(ExitCode::from(USAGE));
    }
    if records.is_empty() {
        eprintln!("compare: there are no records yet; make one with --save");
        return Ok(ExitCode::from(USAGE));
    }
    write_page(&records, file)?;
    Ok(ExitCode::SUCCESS)
}

/// The records of these names in their order, or all; and the first name that there is not.
fn chosen_records(stored: Vec<Record>, names: &[String]) -> (Vec<Record>, Option<&String>) {
    if names.is_empty() {
        return (stored, None);
    }
    let find = |name: &String| stored.iter().find(|record| record.name == *name).cloned();
    let unknown = names.iter().find(|name| find(name).is_none());
    (names.iter().filter_map(find).collect(), unknown)
}

fn write_page(records: &[Record], file: &Path) -> Result<()> {
    fs::write(file, page(records)).with_context(|| format!("cannot write {}", file.display()))?;
    eprintln!("report written to {}", file.display());
    Ok(())
}

/// Findings go to standard output, one a line, as a compiler's do.
fn render(check: bool) -> Result<ExitCode> {
    let root = workspace_directory();
    let rendering = Rendering::of(root, render::stored_records(&results_directory())?)?;
    let findings = if check { rendering.failures() } else { rendering.findings.clone() };
    for finding in &findings {
        println!("{finding}");
    }
    if !check {
        rendering.write(root)?;
        eprintln!("{} files changed", rendering.changes.len());
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(WRONG) })
}

fn chosen_phases(ids: &[String]) -> Result<Vec<&'static Subject>, UnknownSubject> {
    if ids.is_empty() {
        return Ok(PHASES.iter().collect());
    }
    ids.iter().map(|id| subject::find(id)).collect()
}

fn list() -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    for (title, subjects) in [("Phases", PHASES.as_slice()), ("Rivals", RIVALS.as_slice())] {
        writeln!(out, "{title}")?;
        for subject in subjects {
            writeln!(out, "  {:<14} {}", subject.id, subject.about)?;
        }
    }
    writeln!(out, "Workloads")?;
    for workload in WORKLOADS {
        writeln!(out, "  {:<14} {}", workload.id, workload.about)?;
    }
    writeln!(out, "Toggles")?;
    for toggle in ablation::TOGGLES {
        writeln!(out, "  {:<14} {}", toggle.id, toggle.question)?;
    }
    Ok(ExitCode::SUCCESS)
}
