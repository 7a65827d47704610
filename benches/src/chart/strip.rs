//! One measure over all subjects: every round a dot, the median a line, the noise band a shade.
//!
//! A bar of medians would hide what a comparison stands on, namely whether the rounds of two
//! servers overlap. So the rounds are drawn, and around each median the band in which the same
//! server differs from itself: two medians whose distance is within a band are not told apart.

use maud::{Markup, html};

use super::{
    Chart, anchor, measures, percent,
    scale::{Scale, tick_label},
    slot_class,
};
use crate::{
    measure::{Better, Measure},
    statistics::Spread,
};

const ROW_PX: u32 = 50;
const BAR_TOP_PX: u32 = 22;
const BAR_PX: u32 = 18;
const DOT_RADIUS_PX: u32 = 3;
const AXIS_PX: u32 = 22;

/// A measure over all subjects.
#[derive(Debug, Clone)]
pub struct Strip {
    /// What is drawn.
    pub measure: Measure,
    /// In the order of the rows.
    pub rows: Vec<StripRow>,
    /// The server that ran twice in every round, and what it differs from itself by.
    pub noise: Option<StripNoise>,
}

/// The noise floor of a measure.
#[derive(Debug, Clone)]
pub struct StripNoise {
    /// The subject that ran twice.
    pub twin: String,
    /// A share of the value, as in [`crate::statistics::Noise::band`].
    pub band: f64,
}

/// A subject's figures.
#[derive(Debug, Clone)]
pub struct StripRow {
    /// The subject's id.
    pub label: String,
    /// Its colour, the same in all charts of a record.
    pub slot: usize,
    /// One figure for each round.
    pub rounds: Vec<f64>,
    /// The figures of the twin's second series; empty for other subjects.
    pub again: Vec<f64>,
    /// Over `rounds`.
    pub spread: Spread,
}

impl Strip {
    /// The drawn chart; its title is the measure's name.
    pub fn draw(&self) -> Chart {
        let figures = self.rows.iter().flat_map(|row| row.rounds.iter().chain(&row.again)).copied();
        let scale = Scale::for_all(figures, measures::round_unit(self.measure));
        let rows_px = u32::try_from(self.rows.len()).unwrap_or(0) * ROW_PX;
        let body = html! {
            (self.axis(scale, rows_px))
            @for (row, top_px) in self.rows.iter().zip((0..).step_by(ROW_PX as usize)) {
                g.(slot_class(row.slot)) transform=(format!("translate(0 {top_px})")) {
                    (self.row(row, scale))
                }
            }
        };
        Chart {
            title: self.title(scale),
            note: self.note(),
            description: self.describe(),
            height_px: rows_px + AXIS_PX,
            body,
        }
    }

    fn title(&self, scale: Scale) -> String {
        let better = match self.measure.better() {
            Better::Higher => "more is better",
            Better::Lower => "less is better",
        };
        let scale = if scale.is_linear() { "" } else { ", logarithmic scale" };
        format!("{}: {better}{scale}", measures::title(self.measure))
    }

    fn note(&self) -> String {
        let Some(StripNoise { twin, band }) = &self.noise else {
            return "Dots are rounds, lines their medians.".to_owned();
        };
        let percent = band * 100.0;
        format!(
            "Dots are rounds, rings {twin} run again, grey the noise: {percent:.1} % either way."
        )
    }

    fn describe(&self) -> String {
        let rows: Vec<String> =
            self.rows.iter().map(|row| format!("{} {}", row.label, self.range(row))).collect();
        let noise = self.noise.as_ref().map_or_else(String::new, |noise| {
            format!(" {} differs from itself by {:.1} %.", noise.twin, noise.band * 100.0)
        });
        format!("Medians, with the smallest and largest round: {}.{noise}", rows.join("; "))
    }

    fn range(&self, row: &StripRow) -> String {
        let Spread { median, min, max, .. } = row.spread;
        let [median, min, max] = [median, min, max].map(|figure| self.measure.format(figure));
        if min == max { median } else { format!("{median} ({min} to {max})") }
    }

    fn axis(&self, scale: Scale, rows_px: u32) -> Markup {
        html! {
            @for tick in scale.ticks() {
                @let share = scale.share(tick);
                line.grid x1=(percent(share)) x2=(percent(share)) y1=(BAR_TOP_PX - 4) y2=(rows_px) {}
                text.tick x=(percent(share)) y=(rows_px + 15) text-anchor=(anchor(share)) {
                    (tick_label(&self.measure.format(tick)))
                }
            }
        }
    }

    fn row(&self, row: &StripRow, scale: Scale) -> Markup {
        let median = scale.share(row.spread.median);
        html! {
            text.name.halo x="0" y="14" { (row.label) }
            text.halo x="100%" y="14" text-anchor="end" { (self.range(row)) }
            @if scale.is_linear() {
                rect.bar x="0" y=(BAR_TOP_PX) width=(percent(median)) height=(BAR_PX) rx="2" {}
            }
            @if let Some(noise) = &self.noise { (band(row.spread.median, noise.band, scale)) }
            line.median x1=(percent(median)) x2=(percent(median))
                y1=(BAR_TOP_PX - 3) y2=(BAR_TOP_PX + BAR_PX + 3) {}
            (self.dots(&row.rounds, "round", &row.label, scale))
            (self.dots(&row.again, "again", &format!("{}, run again", row.label), scale))
        }
    }

    /// The rounds from top to bottom, so that equal ones stay apart and a drift over time is seen.
    /// A round's figure appears under the pointer.
    fn dots(&self, figures: &[f64], class: &str, label: &str, scale: Scale) -> Markup {
        let room_px = f64::from(BAR_PX - 2 * DOT_RADIUS_PX);
        let step_px = room_px / (figures.len().max(2) - 1) as f64;
        html! {
            @for (index, figure) in figures.iter().enumerate() {
                @let y_px = f64::from(BAR_TOP_PX + DOT_RADIUS_PX) + step_px * index as f64;
                circle.(class) cx=(percent(scale.share(*figure))) cy=(format!("{y_px:.1}")) r=(DOT_RADIUS_PX) {
                    title { (label) ", round " (index + 1) ": " (self.measure.format(*figure)) }
                }
            }
        }
    }
}

/// What nothing can be read into, around a median.
fn band(median: f64, band: f64, scale: Scale) -> Markup {
    let (low, high) = (scale.share(median * (1.0 - band)), scale.share(median * (1.0 + band)));
    let (top_px, height_px) = (BAR_TOP_PX - 3, BAR_PX + 6);
    html! { rect.band x=(percent(low)) y=(top_px) width=(percent(high - low)) height=(height_px) {} }
}
