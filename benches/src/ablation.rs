//! One layer exchanged, everything else shared: what does each change buy?
//!
//! A toggle is a list of variants in which exactly one thing differs from one to the next. Its runs
//! are ordinary interleaved rounds; the waterfall is read from their medians
//! ([`crate::analysis::waterfall`]).

use std::fmt::Write;

use thiserror::Error;

use crate::{
    analysis::{Step, waterfall},
    grid::{self, Cell, Colour, Tone},
    measure::Measure,
    record::{AblationRecord, AblationStep, Record},
    subject::{self, Subject},
    table,
};

/// A layer that can be exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toggle {
    /// What it is called on the command line.
    pub id: &'static str,
    /// What it asks, in a line.
    pub question: &'static str,
    /// The workload that shows it best; another can be asked for.
    pub workload: &'static str,
    /// Subjects in the order of the waterfall, each with what differs from the one before.
    steps: &'static [(&'static str, &'static str)],
}

/// Every toggle.
pub const TOGGLES: [Toggle; 11] = [
    Toggle {
        id: "parser",
        question: "what does the JSON parser cost, server and writer being the same?",
        workload: "batch",
        steps: &[
            ("hyper-serde", "serde_json"),
            ("hyper-simd", "simd-json in its place"),
            ("hyper-sonic", "sonic-rs in its place"),
        ],
    },
    Toggle {
        id: "keep-alive",
        question: "what does a connection for each request cost, the server being the same?",
        workload: "single",
        steps: &[
            ("hyper-serde-close", "a connection for each request"),
            ("hyper-serde", "connections used again"),
        ],
    },
    Toggle {
        id: "framework",
        question: "what does a web framework cost on top of the same server loop and parser?",
        workload: "single",
        steps: &[("axum", "axum's router and extractors"), ("hyper-serde", "hyper alone")],
    },
    Toggle {
        id: "json",
        question: "what do our own JSON parser and encoder buy, everything else being the same?",
        workload: "batch",
        steps: &[
            ("craft1-phase2", "serde_json, through a tree"),
            ("craft1-phase3", "read in place, written by hand"),
        ],
    },
    Toggle {
        id: "limiter",
        question: "what does knowing each client's rate cost?",
        workload: "close",
        steps: &[
            ("unlimited", "no rate limit"),
            ("craft1-phase2", "two buckets a client"),
            ("exact-log", "a log of every request"),
        ],
    },
    Toggle {
        id: "pool-size",
        question: "what does a fixed number of threads cost or buy?",
        workload: "close",
        steps: &[
            ("craft1-phase1", "a thread for each connection"),
            ("512-workers", "512 workers"),
            ("64-workers", "64 workers"),
            ("16-workers", "16 workers"),
            ("2-workers", "2 workers"),
        ],
    },
    Toggle {
        id: "writer",
        question: "what does one writer for all buy, the server being the same?",
        workload: "single",
        steps: &[
            ("phase4-in-place", "a write in each request, under a lock"),
            ("phase4-stored", "one writer for all, and the same promise"),
            ("craft1-phase4", "a promise less: 202 when it is queued"),
        ],
    },
    Toggle {
        id: "ring",
        question: "what do our own rings between the loops and the writer buy?",
        workload: "single",
        steps: &[
            ("final-channel", "crossbeam's channel"),
            ("craft1-final", "lock-free rings of our own"),
        ],
    },
    Toggle {
        id: "loops",
        question: "what does an event loop a core cost where one would do?",
        workload: "single-small",
        steps: &[("craft1-final", "an event loop a core"), ("final-one-loop", "one event loop")],
    },
    Toggle {
        id: "ack",
        question: "what does it cost phase 4 to answer later and promise more?",
        workload: "crowd",
        steps: &[
            ("craft1-phase4", "202 when it is queued"),
            ("phase4-stored", "202 when it is written"),
            ("phase4-durable", "202 when it is synced"),
        ],
    },
    Toggle {
        id: "ack-final",
        question: "and what does it cost the final phase?",
        workload: "crowd",
        steps: &[
            ("craft1-final", "202 when it is queued"),
            ("final-stored", "202 when it is written"),
            ("final-durable", "202 when it is synced"),
        ],
    },
];

/// The toggle with this name.
pub fn find(id: &str) -> Result<&'static Toggle, UnknownToggle> {
    TOGGLES.iter().find(|toggle| toggle.id == id).ok_or_else(|| UnknownToggle {
        id: id.to_owned(),
        known: TOGGLES.map(|toggle| toggle.id).join(", "),
    })
}

/// No such layer can be exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no toggle {id:?}; there are {known}")]
pub struct UnknownToggle {
    id: String,
    known: String,
}

impl Toggle {
    /// The variants in the order of the waterfall.
    pub fn subjects(&self) -> Vec<Subject> {
        let known = || subject::all().chain(&subject::VARIANTS);
        let find = |id: &str| known().find(|subject| subject.id == id).copied();
        self.steps.iter().filter_map(|(id, _)| find(id)).collect()
    }

    /// As it stands in a record.
    pub fn record(&self, workload: &str) -> AblationRecord {
        let step = |(subject, change): &(&str, &str)| AblationStep {
            subject: (*subject).to_owned(),
            change: (*change).to_owned(),
        };
        AblationRecord {
            toggle: self.id.to_owned(),
            question: self.question.to_owned(),
            workload: workload.to_owned(),
            steps: self.steps.iter().map(step).collect(),
        }
    }
}

/// Every ablation of a record as text: what each change bought in processor time for each request,
/// which does not depend on how fast the generator is.
pub fn render(record: &Record, colour: Colour) -> String {
    let mut out = String::new();
    for ablation in &record.ablations {
        let steps = waterfall(record, ablation, Measure::CpuPerRequest);
        let _ = writeln!(out, "\n{}: {}", ablation.toggle, ablation.question);
        let _ = writeln!(
            out,
            "  CPU-µs of the server for each request, workload {}\n",
            ablation.workload
        );
        if steps.len() < ablation.steps.len() {
            out +=
                "  a variant has no figure: no processor time here, or the run was interrupted\n";
        }
        out += &grid::render(&rows(&steps), colour);
    }
    out
}

/// The longest bar.
const BAR_WIDTH: f64 = 30.0;

fn rows(steps: &[Step]) -> Vec<Vec<Cell>> {
    let head = ["variant", "what differs", "CPU-µs/request", "change", "of the step before"];
    let mut head: Vec<Cell> = head.map(Cell::faint).to_vec();
    head.push(Cell::default());
    let longest = steps.iter().map(|step| step.spread.median).fold(0.0, f64::max);
    std::iter::once(head).chain(steps.iter().map(|step| row(step, longest))).collect()
}

fn row(step: &Step, longest: f64) -> Vec<Cell> {
    let measure = Measure::CpuPerRequest;
    let tone = step.versus.map_or(Tone::Plain, |versus| table::tone(versus, measure.better()));
    let figure = Cell {
        below: format!("{} … {}", measure.format(step.spread.min), measure.format(step.spread.max)),
        ..Cell::new(measure.format(step.spread.median))
    };
    let delta = step.delta.map_or_else(String::new, |delta| format!("{delta:+.2}"));
    let ratio = step.versus.map_or_else(String::new, table::ratio);
    vec![
        Cell::new(&*step.subject),
        Cell::new(&*step.change),
        figure,
        Cell { tone, ..Cell::new(delta) },
        Cell { tone, ..Cell::new(ratio) },
        Cell { tone, ..Cell::new(bar(step.spread.median / longest)) },
    ]
}

/// The grid sets figures right, so the bar is filled up to its whole width.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of the longest bar is between nothing and thirty"
)]
fn bar(share: f64) -> String {
    let len = (share * BAR_WIDTH).round() as usize;
    format!("{:<width$}", "█".repeat(len), width = BAR_WIDTH as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sample, workload};

    #[test]
    fn every_variant_and_every_workload_exists() {
        for toggle in TOGGLES {
            assert_eq!(toggle.subjects().len(), toggle.steps.len(), "{}", toggle.id);
            assert!(toggle.steps.len() >= 2 && workload::find(toggle.workload).is_ok());
        }
    }

    #[test]
    fn an_unknown_toggle_is_refused_with_the_known_ones() {
        let error = find("colour").unwrap_err().to_string();
        assert!(error.starts_with("there is no toggle \"colour\"; there are parser, "), "{error}");
        assert_eq!(find("ack").unwrap().workload, "crowd");
    }

    #[test]
    fn a_waterfall_as_text() {
        insta::assert_snapshot!(render(&sample::record(), Colour::Never));
    }

    #[test]
    fn a_missing_variant_is_said() {
        let mut record = sample::record();
        record.workloads[1].runs.retain(|run| run.subject == "slow");
        assert!(render(&record, Colour::Never).contains("a variant has no figure"));
    }
}
