//! From figures to places: a linear scale that begins at zero, and a logarithmic one.
//!
//! Bars are drawn on the first alone, because the length of a bar is read as its value.

/// From this ratio of the largest to the smallest figure on, a linear scale would squeeze the small
/// ones into a corner.
const LINEAR_RATIO_MAX: f64 = 40.0;

/// How many steps a linear axis has at most; on a phone, there is room for five labels.
const STEPS_MAX: f64 = 4.0;

/// An axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// From zero to `high`.
    Linear { high: f64, step: f64 },
    /// Logarithmic from `low` to `high`, both above zero.
    Log { low: f64, high: f64 },
}

impl Scale {
    /// The axis that shows all these figures best. `unit` is what a round step is round in: 1, or
    /// 1,048,576 for bytes that are written in MiB.
    pub(crate) fn for_all(figures: impl Iterator<Item = f64> + Clone, unit: f64) -> Self {
        let high = figures.clone().fold(0.0, f64::max);
        let low = figures.fold(f64::INFINITY, f64::min);
        if low > 0.0 && high / low > LINEAR_RATIO_MAX {
            Self::log(low, high)
        } else {
            Self::linear(high, unit)
        }
    }

    /// From zero to a round step at or beyond `high`.
    pub(crate) fn linear(high: f64, unit: f64) -> Self {
        let high = if high > 0.0 { high } else { unit };
        let step = round_step(high / unit / STEPS_MAX) * unit;
        Self::Linear { high: (high / step).ceil() * step, step }
    }

    /// Between figures above zero, with a little room around.
    pub(crate) fn log(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low * 10.0 };
        Self::Log { low: low / 1.15, high: high * 1.15 }
    }

    /// Whether bars may be drawn.
    pub(crate) fn is_linear(self) -> bool {
        matches!(self, Self::Linear { .. })
    }

    /// Where a figure lies, 0 to 1. What lies outside is put at the edge.
    pub(crate) fn share(self, figure: f64) -> f64 {
        let share = match self {
            Self::Linear { high, .. } => figure / high,
            Self::Log { low, high } => (figure.max(low) / low).ln() / (high / low).ln(),
        };
        share.clamp(0.0, 1.0)
    }

    /// Round figures along the axis, at most eight of them.
    pub(crate) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear { high, step } => multiples(high, step),
            Self::Log { low, high } => {
                let fine = decades(low, high, &[1.0, 2.0, 5.0]);
                if fine.len() <= 6 { fine } else { decades(low, high, &[1.0]) }
            }
        }
    }
}

fn multiples(high: f64, step: f64) -> Vec<f64> {
    let figures = (0..).map(|number: u32| f64::from(number) * step);
    // Half a step beyond, so that the last one does not fall to a rounding error.
    figures.take_while(|figure| *figure < high + step / 2.0).collect()
}

/// From a picosecond's share to more than any count: powers of ten that a figure may have.
const POWERS: std::ops::RangeInclusive<i32> = -12..=15;

fn decades(low: f64, high: f64, leading: &[f64]) -> Vec<f64> {
    let powers = POWERS.map(|power| 10_f64.powi(power));
    let figures = powers.flat_map(|power| leading.iter().map(move |digit| digit * power));
    figures.filter(|figure| (low..=high).contains(figure)).collect()
}

/// The smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is at least `least`.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let digit = [1.0, 2.0, 2.5, 5.0].into_iter().find(|digit| digit * power >= least * 0.999_999);
    digit.unwrap_or(10.0) * power
}

/// A figure on an axis: `2.50 ms` as `2.5 ms`, `100.00` as `100`.
pub(crate) fn tick_label(figure: &str) -> String {
    let (number, unit) = figure.split_once(' ').unwrap_or((figure, ""));
    let short = match number.split_once('.') {
        Some(_) => number.trim_end_matches('0').trim_end_matches('.'),
        None => number,
    };
    if unit.is_empty() { short.to_owned() } else { format!("{short} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_scale_has_round_steps_and_begins_at_zero() {
        let scale = Scale::for_all([37.0, 82.0].into_iter(), 1.0);
        assert_eq!(scale, Scale::Linear { high: 100.0, step: 25.0 });
        assert_eq!(scale.ticks(), [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert!((scale.share(50.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn steps_are_round_in_the_unit_that_is_written() {
        let mebibyte = f64::from(1 << 20);
        let scale = Scale::linear(7.3 * mebibyte, mebibyte);
        assert_eq!(scale.ticks().last(), Some(&(8.0 * mebibyte)));
    }

    #[test]
    fn far_apart_figures_get_a_logarithmic_scale() {
        let scale = Scale::for_all([100.0, 10_000.0].into_iter(), 1.0);
        assert!(!scale.is_linear());
        assert_eq!(scale.ticks(), [100.0, 1e3, 1e4]);
        assert!((scale.share(1e3) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn nothing_measured_is_still_an_axis() {
        assert_eq!(Scale::for_all(std::iter::empty(), 1.0).ticks().first(), Some(&0.0));
        assert!(Scale::for_all([0.0].into_iter(), 1.0).share(0.0) < 1e-12);
    }

    #[test]
    fn labels_drop_what_says_nothing() {
        for (figure, label) in
            [("100.00", "100"), ("2.50 ms", "2.5 ms"), ("12,000", "12,000"), ("0.0 MiB", "0 MiB")]
        {
            assert_eq!(tick_label(figure), label);
        }
    }
}
