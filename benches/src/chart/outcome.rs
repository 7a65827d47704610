//! What became of all requests: succeeded, or failed in which way. Failed requests are in no other
//! chart, so a server that answers half of its requests fast shows here what it did with the rest.

use load_gen::table::grouped;
use maud::html;

use super::{Chart, percent, slot_class};

const ROW_PX: u32 = 44;
const LEGEND_ROW_PX: u32 = 18;

/// The outcomes of several subjects.
#[derive(Debug, Clone)]
pub struct Outcomes {
    /// Every kind of failure that occurred, in the order of the legend.
    pub kinds: Vec<String>,
    /// In the order of the rows.
    pub rows: Vec<OutcomeRow>,
}

/// One subject's outcomes, over all rounds.
#[derive(Debug, Clone)]
pub struct OutcomeRow {
    /// The subject's id.
    pub label: String,
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Failed ones, one count for each of [`Outcomes::kinds`].
    pub failed: Vec<u64>,
}

impl OutcomeRow {
    fn total(&self) -> u64 {
        self.succeeded + self.failed.iter().sum::<u64>()
    }

    /// The failed share of all requests, 0 to 1.
    pub fn failed_share(&self) -> f64 {
        1.0 - self.succeeded as f64 / self.total().max(1) as f64
    }
}

impl Outcomes {
    /// The drawn chart: each row is all requests of a subject.
    pub fn draw(&self) -> Chart {
        let rows_px = u32::try_from(self.rows.len()).unwrap_or(0) * ROW_PX;
        let legend_px = u32::try_from(self.kinds.len() + 1).unwrap_or(1) * LEGEND_ROW_PX;
        let body = html! {
            @for (row, top_px) in self.rows.iter().zip((0..).step_by(ROW_PX as usize)) {
                text.name x="0" y=(top_px + 14) { (row.label) }
                text x="100%" y=(top_px + 14) text-anchor="end" { (failed(row)) }
                @for (class, start, share, name) in self.parts(row) {
                    rect class=(format!("part {class}")) x=(percent(start)) y=(top_px + 20)
                        width=(percent(share)) height="16" { title { (name) } }
                }
            }
            @for (index, name) in ["succeeded"].into_iter().chain(self.kinds.iter().map(String::as_str)).enumerate() {
                @let top_px = rows_px as usize + index * LEGEND_ROW_PX as usize;
                rect class=(format!("part {}", part_class(index))) x="0" y=(top_px + 3) width="12" height="12" {}
                text.dim x="20" y=(top_px + 13) { (name) }
            }
        };
        Chart {
            title: "What became of the requests".to_owned(),
            note: "All rounds together; each bar is all requests of a server.".to_owned(),
            description: self.describe(),
            height_px: rows_px + legend_px,
            body,
        }
    }

    fn describe(&self) -> String {
        let rows: Vec<String> =
            self.rows.iter().map(|row| format!("{}: {}", row.label, failed(row))).collect();
        format!("{}.", rows.join("; "))
    }

    /// Class, start, width and name of each part of a bar.
    fn parts(&self, row: &OutcomeRow) -> Vec<(String, f64, f64, String)> {
        let total = row.total().max(1) as f64;
        let names = ["succeeded"].into_iter().chain(self.kinds.iter().map(String::as_str));
        let counts = [row.succeeded].into_iter().chain(row.failed.iter().copied());
        let mut start = 0.0;
        let parts = names.zip(counts).enumerate().filter(|(_, (_, count))| *count > 0);
        parts
            .map(|(index, (name, count))| {
                let share = count as f64 / total;
                let part = (part_class(index), start, share, format!("{name}: {}", grouped(count)));
                start += share;
                part
            })
            .collect()
    }
}

/// Colours of the kinds of failure: those of the subjects without the greens and the blues, which
/// would pass for success.
const FAILURE_SLOTS: [usize; 5] = [1, 3, 5, 6, 7];

/// Success has a colour of its own.
fn part_class(index: usize) -> String {
    match index.checked_sub(1) {
        None => "succeeded".to_owned(),
        Some(kind) => slot_class(FAILURE_SLOTS[kind % FAILURE_SLOTS.len()]),
    }
}

fn failed(row: &OutcomeRow) -> String {
    let failed: u64 = row.failed.iter().sum();
    match failed {
        0 => format!("{} requests, none failed", grouped(row.total())),
        _ => format!(
            "{:.1} % of {} requests failed",
            row.failed_share() * 100.0,
            grouped(row.total())
        ),
    }
}
