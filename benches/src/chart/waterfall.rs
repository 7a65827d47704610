//! What each change of an ablation bought: bars that begin where the one before ended.
//!
//! Only what the rounds can tell is painted as a gain or a loss. A difference inside the noise is
//! drawn empty and called so, because a waterfall is read as a list of reasons.

use maud::{Markup, html};

use super::{
    Chart, anchor, measures, percent,
    scale::{Scale, tick_label},
    wrapped,
};
use crate::{
    analysis::Step,
    measure::{Better, Measure},
    statistics::Verdict,
};

const LINE_PX: u32 = 17;
const BAR_PX: u32 = 16;
const GAP_PX: u32 = 12;
const AXIS_PX: u32 = 22;
/// What fits beside each other on a phone.
const LINE_LEN_MAX: usize = 44;

/// The steps of an ablation in one measure.
#[derive(Debug, Clone)]
pub struct Waterfall {
    /// What is drawn.
    pub measure: Measure,
    /// What the ablation asks.
    pub question: String,
    /// From [`crate::analysis::waterfall`].
    pub steps: Vec<Step>,
}

impl Waterfall {
    /// The drawn chart.
    pub fn draw(&self) -> Chart {
        let high = self.steps.iter().map(|step| step.spread.median).fold(0.0, f64::max);
        let scale = Scale::linear(high, measures::round_unit(self.measure));
        let mut top_px = 0;
        let mut before = None;
        let rows: Vec<Markup> = self
            .steps
            .iter()
            .map(|step| {
                let lines = self.lines(step);
                let bar_px = top_px + u32::try_from(lines.len()).unwrap_or(1) * LINE_PX + 4;
                let row = self.row(step, before, &lines, top_px, bar_px, scale);
                top_px = bar_px + BAR_PX + GAP_PX;
                before = Some(step.spread.median);
                row
            })
            .collect();
        Chart {
            title: format!("{} {}", self.question, measures::title(self.measure)),
            note: "Green is better, red is worse, dashed is inside the noise.".to_owned(),
            description: self.describe(),
            height_px: top_px + AXIS_PX,
            body: html! {
                (self.axis(scale, top_px))
                @for row in &rows { (row) }
            },
        }
    }

    fn describe(&self) -> String {
        let steps: Vec<String> = self.steps.iter().map(|step| self.lines(step).join(" ")).collect();
        format!("{}.", steps.join("; "))
    }

    /// What changed, then what it came to.
    fn lines(&self, step: &Step) -> Vec<String> {
        let mut lines = wrapped(&step.change, LINE_LEN_MAX);
        lines.push(format!("{} {}", step.subject, self.outcome(step)));
        lines
    }

    fn outcome(&self, step: &Step) -> String {
        let figure = self.measure.format(step.spread.median);
        let Some(versus) = step.versus else { return figure };
        let percent = (versus.ratio - 1.0) * 100.0;
        let sign = if percent < 0.0 { "−" } else { "+" };
        let verdict = match versus.verdict {
            Verdict::Significant => "",
            Verdict::InsideNoise => ", inside the noise",
            Verdict::TooFewRounds => ", too few rounds to tell",
        };
        format!("{figure}: {sign}{:.1} %{verdict}", percent.abs())
    }

    fn axis(&self, scale: Scale, bottom_px: u32) -> Markup {
        html! {
            @for tick in scale.ticks() {
                @let share = scale.share(tick);
                line.grid x1=(percent(share)) x2=(percent(share)) y1="0" y2=(bottom_px) {}
                text.tick x=(percent(share)) y=(bottom_px + 15) text-anchor=(anchor(share)) {
                    (tick_label(&self.measure.format(tick)))
                }
            }
        }
    }

    fn row(
        &self,
        step: &Step,
        before: Option<f64>,
        lines: &[String],
        top_px: u32,
        bar_px: u32,
        scale: Scale,
    ) -> Markup {
        let end = scale.share(step.spread.median);
        let start = before.map_or(0.0, |before| scale.share(before));
        let (left, width) = (start.min(end), (start - end).abs());
        html! {
            @for (line, text) in lines.iter().enumerate() {
                @let class = if line + 1 == lines.len() { "dim halo" } else { "name halo" };
                text class=(class) x="0" y=(top_px as usize + 13 + line * LINE_PX as usize) { (text) }
            }
            @if before.is_some() {
                line.join x1=(percent(start)) x2=(percent(start)) y1=(top_px) y2=(bar_px) {}
            }
            rect class=(self.class(step)) x=(percent(left)) y=(bar_px)
                width=(percent(width.max(0.002))) height=(BAR_PX) rx="2" {
                title { (self.outcome(step)) }
            }
            line.zero x1=(percent(end)) x2=(percent(end)) y1=(bar_px - 2) y2=(bar_px + BAR_PX + GAP_PX) {}
        }
    }

    fn class(&self, step: &Step) -> &'static str {
        let Some(versus) = step.versus else { return "whole" };
        let is_less = versus.ratio < 1.0;
        match (versus.verdict, self.measure.better()) {
            (Verdict::InsideNoise | Verdict::TooFewRounds, _) => "unclear",
            (Verdict::Significant, Better::Lower) if is_less => "better",
            (Verdict::Significant, Better::Higher) if !is_less => "better",
            (Verdict::Significant, _) => "worse",
        }
    }
}
