//! What servers tell of themselves, as a table that is made from what they answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use testkit::{DataFolder, get};

use crate::page::Book;
use crate::{programs, regions};

/// Where the table stands.
const PAGE: &str = "docs/src/reference/telemetry.md";

/// The phases that tell something else than the one before, and what they are called in the table.
const SERVERS: [(&str, &str); 4] = [
    ("craft1-phase1", "1"),
    ("craft1-phase2", "2, 3"),
    ("craft1-phase4", "4"),
    ("craft1-final", "final"),
];

/// A metric, as its `HELP` and `TYPE` lines say.
#[derive(Debug, Default)]
struct Metric {
    kind: String,
    help: String,
    phases: Vec<&'static str>,
}

/// The page, if its table is not what the servers say.
pub(crate) fn stale(book: &Book) -> Vec<String> {
    let page = book.pages.iter().find(|page| page.path.ends_with("telemetry.md"));
    let page = page.unwrap_or_else(|| panic!("there is no {PAGE}"));
    let text = regions::filled(page, "telemetry", &table(&metrics()));
    text.map_or_else(
        || vec![format!("{PAGE}: no <!-- telemetry --> … <!-- /telemetry -->")],
        |text| regions::stale(page, &text).into_iter().collect(),
    )
}

fn metrics() -> BTreeMap<String, Metric> {
    let mut metrics = BTreeMap::new();
    for (program, phases) in SERVERS {
        let folder = DataFolder::new();
        let program = programs::find(program).expect("a program of the workspace");
        let server = folder.start(program.to_str().expect("a path of ours"), &[]);
        add(&mut metrics, &get(server.address(), "/metrics").text(), phases);
    }
    metrics
}

/// Adds what one answer says. Where phases differ in their words, the last one's count.
fn add(metrics: &mut BTreeMap<String, Metric>, answer: &str, phases: &'static str) {
    for line in answer.lines() {
        let words = line.strip_prefix("# ").and_then(|it| it.split_once(' '));
        let Some((what, (name, text))) =
            words.and_then(|(what, it)| Some((what, it.split_once(' ')?)))
        else {
            continue;
        };
        let metric = metrics.entry(name.to_owned()).or_default();
        match what {
            "HELP" => text.clone_into(&mut metric.help),
            "TYPE" => {
                text.clone_into(&mut metric.kind);
                metric.phases.push(phases);
            }
            _ => {}
        }
    }
}

fn table(metrics: &BTreeMap<String, Metric>) -> String {
    let mut table =
        String::from("| metric | type | unit | what it says | phases |\n|---|---|---|---|---|\n");
    for (name, Metric { kind, help, phases }) in metrics {
        let (unit, phases) = (unit(name), phases.join(", "));
        writeln!(table, "| `{name}` | {kind} | {unit} | {help} | {phases} |")
            .expect("a String takes every character");
    }
    table
}

/// The last word of a name, where it is a unit.
fn unit(name: &str) -> &str {
    let last = name.trim_end_matches("_total").rsplit('_').next().unwrap_or_default();
    if matches!(last, "seconds" | "bytes") { last } else { "" }
}

#[test]
fn a_table_says_what_the_answers_say() {
    let mut metrics = BTreeMap::new();
    let first =
        "# HELP a_seconds_total Old words.\n# TYPE a_seconds_total counter\na_seconds_total 1\n";
    let second = "# HELP a_seconds_total New words.\n# TYPE a_seconds_total counter\n\
                  # HELP b Others.\n# TYPE b gauge\nb 2\n";
    add(&mut metrics, first, "1");
    add(&mut metrics, second, "2, 3");
    let rows = "| `a_seconds_total` | counter | seconds | New words. | 1, 2, 3 |\n\
                | `b` | gauge |  | Others. | 2, 3 |\n";
    assert!(table(&metrics).ends_with(rows), "{}", table(&metrics));
}
