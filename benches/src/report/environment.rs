//! On what it was measured, what was compared, and the commands that measure it again.

use maud::{Markup, html};

use super::table::{Cell, Columns, Table};
use crate::record::{Pinning, Provenance, Record, SubjectKind, SubjectRecord};

/// Everything that a figure of this record depends on.
pub(crate) fn section(record: &Record) -> Markup {
    html! {
        section.card.wide {
            h3 { "What was compared" }
            (subjects(record).html())
        }
        div.grid {
            section.card {
                h3 { "Where it was measured" }
                dl { @for (name, value) in facts(&record.provenance) { div { dt { (name) } dd { (value) } } } }
            }
            section.card {
                h3 { "Measure it again" }
                pre tabindex="0" role="region" aria-label="Commands" { code { (commands(record)) } }
                p.dim { "Your figures will differ, the multiples hardly." }
            }
        }
    }
}

/// The facts about machine and run, as names and values.
pub(crate) fn facts(provenance: &Provenance) -> Vec<(&'static str, String)> {
    let machine = &provenance.machine;
    let commit = provenance.commit.as_deref().unwrap_or("none");
    let dirty = if provenance.dirty { ", with uncommitted changes" } else { "" };
    let kind = if machine.is_virtual { " (virtual)" } else { "" };
    let gibibytes = machine.memory_bytes as f64 / f64::from(1 << 30);
    vec![
        ("Processor", format!("{}{kind}", machine.cpu)),
        ("Cores", machine.cores.to_string()),
        ("Memory", format!("{gibibytes:.1} GiB")),
        ("Kernel", format!("{}, {}", machine.kernel, machine.architecture)),
        ("Compiler", machine.rustc.clone()),
        ("Build", machine.flags.clone()),
        ("Pinning", pinning(&provenance.pinning)),
        ("Commit", format!("{commit}{dirty}")),
        ("Recorded", provenance.recorded_at.clone()),
        ("Rounds", format!("{} ({})", provenance.rounds, provenance.preset)),
        ("Seed", provenance.seed.to_string()),
    ]
}

fn pinning(pinning: &Pinning) -> String {
    match pinning {
        Pinning::Unpinned => "not pinned".to_owned(),
        Pinning::Pinned { server_core, generator_core } => {
            format!("server on core {server_core}, generator on core {generator_core}")
        }
    }
}

/// What to type to see figures like these: the commit, then the command.
pub(crate) fn commands(record: &Record) -> String {
    let provenance = &record.provenance;
    let checkout = provenance.commit.as_ref().map(|commit| format!("git checkout {commit}\n"));
    format!("{}{}\n", checkout.unwrap_or_default(), provenance.command)
}

/// The facts as a table, for the book.
pub(crate) fn table(record: &Record) -> Table {
    let row = |(name, value): (&'static str, String)| vec![Cell::from(name), Cell::from(value)];
    Table {
        caption: "Where it was measured".to_owned(),
        columns: Columns::Words,
        head: vec!["what".to_owned(), "value".to_owned()],
        rows: facts(&record.provenance).into_iter().map(row).collect(),
    }
}

fn subjects(record: &Record) -> Table {
    let head = ["server", "what it is", "options", "keep-alive", "pipelining", "stores", "build"];
    Table {
        caption: "What was compared".to_owned(),
        columns: Columns::Words,
        head: head.map(str::to_owned).to_vec(),
        rows: record.subjects.iter().map(subject).collect(),
    }
}

fn subject(subject: &SubjectRecord) -> Vec<Cell> {
    let kind = match subject.kind {
        SubjectKind::Phase => "phase",
        SubjectKind::Rival => "rival",
    };
    let yes = |can: bool| Cell::from(if can { "yes" } else { "no" });
    vec![
        Cell::with_note(&subject.id, kind),
        Cell::from(&subject.about),
        Cell::from(&subject.options),
        yes(subject.abilities.keep_alive),
        yes(subject.abilities.pipelining),
        yes(subject.abilities.stores),
        Cell::from(subject.build.as_deref().unwrap_or("from the system")),
    ]
}
