//! Latency over the percentile, with the axis stretched so that each further nine takes as much
//! room as the one before: the scale of 1/(1-p) that came with Gil Tene's HdrHistogram.
//!
//! An average hides the slow requests, and so does a linear axis of percentiles. Both axes are
//! logarithmic. The strong line is all rounds together; the faint ones are the rounds.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use load_gen::table::time;
use maud::{Markup, html};

use super::{
    Chart, anchor, percent,
    scale::{Scale, tick_label},
    slot_class,
};

const PLOT_PX: u32 = 260;
const AXIS_PX: u32 = 26;
const LEGEND_ROW_PX: u32 = 20;
/// A longer name leaves its figures no room beside it on a phone, so they go below it.
const LEGEND_NAME_LEN_MAX: usize = 16;
/// Inside the plot, both axes have this many units, and the box stretches them.
const UNITS: f64 = 1_000.0;
/// Points along a curve. More would not be seen on any screen.
const POINTS: u32 = 120;
/// The rarest requests that the axis has room for on a phone: one in a million.
const DECADES_MAX: u32 = 6;
/// As the generator records.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Latency curves of several subjects.
#[derive(Debug, Clone)]
pub struct Curves {
    /// In the order of the legend.
    pub lines: Vec<CurveLine>,
}

/// One subject's latency in nanoseconds.
#[derive(Debug, Clone)]
pub struct CurveLine {
    /// The subject's id.
    pub label: String,
    /// Its colour and dashes, the same in all charts of a record.
    pub slot: usize,
    /// Each round.
    pub rounds: Vec<Histogram<u64>>,
}

/// A line with its rounds added up.
#[derive(Debug)]
struct Merged<'a> {
    line: &'a CurveLine,
    histogram: Histogram<u64>,
}

impl<'a> Merged<'a> {
    fn of(line: &'a CurveLine) -> Self {
        let mut histogram = Histogram::new(SIGNIFICANT_DIGITS).expect("three digits are allowed");
        for round in &line.rounds {
            histogram.add(round).expect("a histogram that resizes itself holds every value");
        }
        Self { line, histogram }
    }
}

impl Curves {
    /// The drawn chart. Subjects without a successful request have no line and say so.
    pub fn draw(&self) -> Chart {
        let lines: Vec<Merged<'_>> = self.lines.iter().map(Merged::of).collect();
        let plot = PlotArea::of(&lines);
        let is_long = |line: &CurveLine| line.label.chars().count() > LEGEND_NAME_LEN_MAX;
        let row_px = LEGEND_ROW_PX * if self.lines.iter().any(is_long) { 2 } else { 1 };
        let legend_px = u32::try_from(lines.len()).unwrap_or(0) * row_px;
        let body = html! {
            (plot.grid())
            svg x="0" y="0" width="100%" height=(PLOT_PX) viewBox="0 0 1000 1000"
                preserveAspectRatio="none" {
                @for merged in &lines { g.(slot_class(merged.line.slot)) { (plot.line(merged)) } }
            }
            (plot.labels())
            @for (merged, row) in lines.iter().zip(0..) {
                g.(slot_class(merged.line.slot)) {
                    (legend(merged, PLOT_PX + AXIS_PX + row * row_px, row_px))
                }
            }
        };
        let texts: Vec<String> = lines
            .iter()
            .map(|merged| format!("{} {}", merged.line.label, figures(merged)))
            .collect();
        Chart {
            title: "Latency by percentile: lower is better, both axes logarithmic".to_owned(),
            note: "Strong lines are all rounds together, faint ones the rounds.".to_owned(),
            description: format!("All rounds together: {}.", texts.join("; ")),
            height_px: PLOT_PX + AXIS_PX + legend_px,
            body,
        }
    }
}

/// Where percentiles and latencies lie.
#[derive(Debug, Clone, Copy)]
struct PlotArea {
    scale: Scale,
    decades: u32,
}

impl PlotArea {
    /// As wide as all lines need: every latency, and as many nines as the requests can show.
    fn of(lines: &[Merged<'_>]) -> Self {
        let shown = lines.iter().map(|merged| &merged.histogram).filter(|all| !all.is_empty());
        let low = shown.clone().map(Histogram::min).min().unwrap_or(1_000).max(1);
        let high = shown.clone().map(Histogram::max).max().unwrap_or(1_000_000).max(1);
        let most = shown.map(Histogram::len).max().unwrap_or(0);
        Self {
            scale: Scale::log(low as f64, high as f64),
            decades: (3..DECADES_MAX)
                .find(|nines| 10_u64.pow(*nines) >= most)
                .unwrap_or(DECADES_MAX),
        }
    }

    fn grid(self) -> Markup {
        html! {
            @for tick in self.scale.ticks() {
                @let y_px = self.y_px(tick);
                line.grid x1="0" x2="100%" y1=(y_px) y2=(y_px) {}
            }
            @for decade in 0..=self.decades {
                @let x = percent(self.decade_share(decade));
                line.grid x1=(x) x2=(x) y1="0" y2=(PLOT_PX) {}
            }
        }
    }

    /// Above the curves, which would otherwise cross them out.
    fn labels(self) -> Markup {
        html! {
            @for tick in self.scale.ticks() {
                text.tick.halo x="0" y=(self.y_px(tick)) dy="-3" { (tick_label(&time(tick / 1e3))) }
            }
            @for decade in 0..=self.decades {
                @let share = self.decade_share(decade);
                text.tick x=(percent(share)) y=(PLOT_PX + 15) text-anchor=(anchor(share)) {
                    (percentile_label(decade))
                }
            }
        }
    }

    fn y_px(self, latency_ns: f64) -> String {
        format!("{:.1}", f64::from(PLOT_PX) * (1.0 - self.scale.share(latency_ns)))
    }

    fn decade_share(self, decade: u32) -> f64 {
        f64::from(decade) / f64::from(self.decades)
    }

    fn line(self, merged: &Merged<'_>) -> Markup {
        html! {
            @for round in &merged.line.rounds { path.curve.faint d=(self.path(round)) {} }
            path.curve d=(self.path(&merged.histogram)) { title { (merged.line.label) } }
        }
    }

    /// The last point is the maximum, at the percentile that so many requests can still show.
    fn path(self, histogram: &Histogram<u64>) -> String {
        if histogram.is_empty() {
            return String::new();
        }
        let end = (histogram.len() as f64).log10().clamp(0.1, f64::from(self.decades));
        let mut path = String::new();
        for point in 0..=POINTS {
            let nines = end * f64::from(point) / f64::from(POINTS);
            let latency = histogram.value_at_quantile(1.0 - 10_f64.powf(-nines)) as f64;
            let latency = if point == POINTS { histogram.max() as f64 } else { latency };
            let x = UNITS * nines / f64::from(self.decades);
            let y = UNITS * (1.0 - self.scale.share(latency));
            let command = if point == 0 { 'M' } else { 'L' };
            write!(path, "{command}{x:.0} {y:.0}").expect("a String takes every character");
        }
        path
    }
}

fn legend(merged: &Merged<'_>, top_px: u32, row_px: u32) -> Markup {
    html! {
        line.curve x1="0" x2="30" y1=(top_px + 10) y2=(top_px + 10) {}
        text.name x="38" y=(top_px + 14) { (merged.line.label) }
        text.dim x="100%" y=(top_px + row_px - 6) text-anchor="end" { (figures(merged)) }
    }
}

fn figures(merged: &Merged<'_>) -> String {
    let all = &merged.histogram;
    if all.is_empty() {
        return "no request succeeded".to_owned();
    }
    let at = |quantile: f64| time(all.value_at_quantile(quantile) as f64 / 1e3);
    format!("p99 {}, max {}", at(0.99), time(all.max() as f64 / 1e3))
}

/// `p0`, `p90`, `p99`, `p99.9`: so many nines.
fn percentile_label(decade: u32) -> String {
    match decade {
        0 => "p0".to_owned(),
        1 => "p90".to_owned(),
        2 => "p99".to_owned(),
        more => format!("p99.{}", "9".repeat(more as usize - 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values_us: std::ops::RangeInclusive<u64>) -> CurveLine {
        let mut round = Histogram::new(SIGNIFICANT_DIGITS).unwrap();
        for value_us in values_us {
            round.record(value_us * 1_000).unwrap();
        }
        CurveLine { label: "a".to_owned(), slot: 0, rounds: vec![round] }
    }

    #[test]
    fn every_nine_takes_the_same_room() {
        let labels: Vec<String> = (0..5).map(percentile_label).collect();
        assert_eq!(labels, ["p0", "p90", "p99", "p99.9", "p99.99"]);
    }

    #[test]
    fn a_curve_never_falls_and_ends_at_the_maximum() {
        let line = line(1..=1_000);
        let merged = Merged::of(&line);
        let plot = PlotArea::of(&[Merged::of(&line)]);
        let path = plot.path(&merged.histogram);
        let points = path.split(['M', 'L']).skip(1);
        let ys: Vec<f64> =
            points.map(|point| point.split(' ').nth(1).unwrap().parse().unwrap()).collect();
        assert_eq!(ys.len(), POINTS as usize + 1);
        assert!(ys.windows(2).all(|pair| pair[0] >= pair[1]), "{path}");
        let top = UNITS * (1.0 - plot.scale.share(merged.histogram.max() as f64));
        assert!((ys.last().unwrap() - top).abs() <= 0.5, "{path}");
    }

    #[test]
    fn a_subject_without_a_success_is_said_and_not_drawn() {
        let empty = CurveLine { rounds: Vec::new(), ..line(1..=1) };
        let svg = Curves { lines: vec![empty] }.draw().standalone();
        assert!(svg.contains("no request succeeded"), "{svg}");
        assert!(svg.contains(r#"d="""#), "{svg}");
    }
}
