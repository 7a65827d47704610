//! When two series of rounds differ, and when they only look as if they did.
//!
//! A shared machine is noisy, its noise is not normal, and rounds are few, so nothing here assumes
//! a distribution. A difference is **significant** when both hold:
//!
//! 1. The rounds separate: the exact two-sided Mann-Whitney test (Mann and Whitney, 1947) gives at
//!    most [`P_MAX`]. With five rounds each this is so only if every round of one is beyond every
//!    round of the other, that is, if the ranges do not overlap.
//! 2. The medians are further apart than the **noise band**, which is measured: the same server runs
//!    twice in every round (A B C A'), and what A and A' differ by is what nothing can be read into.
//!
//! The first alone would call a steady half per cent a discovery, because a test asks only whether
//! a difference is there. The second alone would trust two lucky medians.

/// One chance in a hundred that rounds of equal servers separate so. Five rounds that separate
/// completely have 2 in 252; four have 2 in 70, so four never suffice.
pub const P_MAX: f64 = 0.01;

/// Fewer rounds than this cannot reach [`P_MAX`].
pub const ROUNDS_MIN: usize = 5;

/// No band is narrower: the layout of a binary and of its memory alone moves a server by a per cent
/// (Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong", 2009), and a
/// pair of runs does not show that.
pub const BAND_MIN: f64 = 0.01;

/// The middle and the ends of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Half of the rounds are at most this.
    pub median: f64,
    /// The smallest round.
    pub min: f64,
    /// The largest round.
    pub max: f64,
    /// How many rounds.
    pub rounds: usize,
}

impl Spread {
    /// Of at least one value.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Self { median: middle(&sorted), min, max, rounds: sorted.len() })
    }
}

/// What two series say about two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They differ: see the rule above.
    Significant,
    /// Whatever they differ by, the same server differs from itself by as much.
    InsideNoise,
    /// Fewer than [`ROUNDS_MIN`] rounds: no rule can tell.
    TooFewRounds,
}

/// What the same server, run twice in every round, differs from itself by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// As a share of the value, at least [`BAND_MIN`]: 0.05 is five per cent either way.
    pub band: f64,
    /// Whether the pair passes for equal. If not, something favoured a place in the rounds (a
    /// neighbour, heat, a filling disk), and no verdict of this comparison deserves trust.
    pub is_quiet: bool,
}

impl Noise {
    /// From the two series of the twin. The band is the larger of what their medians differ by and
    /// what a round of one typically differs from the same round of the other by.
    pub fn of(first: &[f64], again: &[f64]) -> Option<Self> {
        let medians = distance(Spread::of(first)?.median, Spread::of(again)?.median)?;
        let mut by_round: Vec<f64> =
            first.iter().zip(again).filter_map(|(a, b)| distance(*a, *b)).collect();
        by_round.sort_by(f64::total_cmp);
        let typical = if by_round.is_empty() { 0.0 } else { middle(&by_round) };
        let is_quiet = p_value(first, again) > P_MAX || medians <= BAND_MIN;
        Some(Self { band: BAND_MIN.max(medians).max(typical), is_quiet })
    }
}

/// Applies the rule to two series. Nothing where a median is zero, since a ratio to it says nothing.
pub fn verdict(one: &[f64], other: &[f64], noise: Noise) -> Option<Verdict> {
    let apart = distance(Spread::of(one)?.median, Spread::of(other)?.median)?;
    Some(if one.len().min(other.len()) < ROUNDS_MIN {
        Verdict::TooFewRounds
    } else if apart > noise.band && p_value(one, other) <= P_MAX {
        Verdict::Significant
    } else {
        Verdict::InsideNoise
    })
}

/// By how much the larger exceeds the smaller, as a share of the smaller: the same both ways.
fn distance(one: f64, other: f64) -> Option<f64> {
    let (smaller, larger) = (one.min(other), one.max(other));
    (smaller > 0.0).then(|| larger / smaller - 1.0)
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[half - 1], sorted[half])
    } else {
        sorted[half]
    }
}

/// The exact two-sided Mann-Whitney probability: of all ways to deal the values out to the two
/// series, the share in which the rank sum is at least as far from its mean as it is here. Ties get
/// the middle of their ranks.
pub fn p_value(one: &[f64], other: &[f64]) -> f64 {
    if one.is_empty() || other.is_empty() {
        return 1.0;
    }
    let ranks = doubled_ranks(one, other);
    let seen: usize = ranks[..one.len()].iter().sum();
    let ways = ways_by_sum(&ranks, one.len());
    // The mean of the doubled rank sum.
    let mean = one.len() * (ranks.len() + 1);
    let far_ways =
        ways.iter().enumerate().filter(|(sum, _)| sum.abs_diff(mean) >= seen.abs_diff(mean));
    far_ways.map(|(_, count)| count).sum::<f64>() / ways.iter().sum::<f64>()
}

/// Twice the rank of each value among all, so that the middle of two ranks is a whole number.
fn doubled_ranks(one: &[f64], other: &[f64]) -> Vec<usize> {
    let all: Vec<f64> = one.iter().chain(other).copied().collect();
    let rank = |value: &f64| {
        let smaller = all.iter().filter(|other| *other < value).count();
        let equal = all.iter().filter(|other| other.total_cmp(value).is_eq()).count();
        2 * smaller + equal + 1
    };
    all.iter().map(rank).collect()
}

/// In how many ways `chosen` of the ranks have each sum.
fn ways_by_sum(ranks: &[usize], chosen: usize) -> Vec<f64> {
    let total: usize = ranks.iter().sum();
    let mut ways = vec![vec![0.0; total + 1]; chosen + 1];
    ways[0][0] = 1.0;
    for &rank in ranks {
        // Downwards, so that a rank is chosen once.
        for count in (1..=chosen).rev() {
            for sum in (rank..=total).rev() {
                ways[count][sum] += ways[count - 1][sum - rank];
            }
        }
    }
    ways.swap_remove(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUIET: [f64; 5] = [100.0, 101.0, 99.5, 100.5, 99.0];

    fn scaled(values: &[f64], factor: f64) -> Vec<f64> {
        values.iter().map(|value| value * factor).collect()
    }

    /// The noise of a twin whose second series is the first in another order.
    fn noise(series: &[f64]) -> Noise {
        let mut again = series.to_vec();
        again.rotate_left(2);
        Noise::of(series, &again).unwrap()
    }

    #[test]
    fn the_spread_is_the_middle_and_the_ends() {
        let spread = Spread::of(&[3.0, 1.0, 10.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { median: 2.5, min: 1.0, max: 10.0, rounds: 4 });
        assert_eq!(Spread::of(&[7.0]).unwrap().median.to_bits(), 7.0_f64.to_bits());
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn equal_servers_are_called_equal() {
        let other = [99.8, 100.9, 99.1, 100.2, 100.4];
        assert_eq!(verdict(&QUIET, &other, noise(&QUIET)), Some(Verdict::InsideNoise));
        assert!(noise(&QUIET).is_quiet);
    }

    #[test]
    fn twenty_per_cent_show_in_five_quiet_rounds() {
        for factor in [1.2, 1.0 / 1.2] {
            let other = scaled(&QUIET, factor);
            assert_eq!(verdict(&QUIET, &other, noise(&QUIET)), Some(Verdict::Significant));
        }
    }

    #[test]
    fn twenty_per_cent_drown_in_noise() {
        let noisy = [100.0, 140.0, 80.0, 125.0, 95.0];
        let other = scaled(&[130.0, 82.0, 101.0, 90.0, 144.0], 1.2);
        assert_eq!(verdict(&noisy, &other, noise(&noisy)), Some(Verdict::InsideNoise));
    }

    #[test]
    fn a_steady_difference_inside_the_band_is_noise() {
        let steady = [100.0, 100.01, 100.02, 100.03, 100.04];
        let other = scaled(&steady, 1.005);
        assert!(p_value(&steady, &other) <= P_MAX, "the rounds do separate");
        assert_eq!(verdict(&steady, &other, noise(&steady)), Some(Verdict::InsideNoise));
    }

    #[test]
    fn ranges_that_overlap_are_noise_even_where_medians_are_apart() {
        let other = [121.0, 120.0, 122.0, 119.0, 98.0];
        assert_eq!(verdict(&QUIET, &other, noise(&QUIET)), Some(Verdict::InsideNoise));
    }

    #[test]
    fn four_rounds_are_too_few() {
        let other = scaled(&QUIET[..4], 2.0);
        assert_eq!(verdict(&QUIET[..4], &other, noise(&QUIET)), Some(Verdict::TooFewRounds));
    }

    #[test]
    fn a_pair_that_separates_is_not_quiet() {
        let again = scaled(&QUIET, 1.1);
        let noise = Noise::of(&QUIET, &again).unwrap();
        assert!(!noise.is_quiet && noise.band > 0.09, "{noise:?}");
    }

    #[test]
    fn nothing_is_compared_with_zero() {
        assert_eq!(Noise::of(&[0.0; 5], &[0.0; 5]), None);
        assert_eq!(verdict(&[0.0; 5], &QUIET, noise(&QUIET)), None);
    }

    /// From the tables of the exact distribution.
    #[test]
    fn probabilities_are_those_of_the_tables() {
        let low = [1.0, 2.0, 3.0, 4.0, 5.0];
        let high = [6.0, 7.0, 8.0, 9.0, 10.0];
        assert!((p_value(&low, &high) - 2.0 / 252.0).abs() < 1e-12);
        let one_swapped = [1.0, 2.0, 3.0, 4.0, 6.0];
        let its_other = [5.0, 7.0, 8.0, 9.0, 10.0];
        assert!((p_value(&one_swapped, &its_other) - 4.0 / 252.0).abs() < 1e-12);
        assert!((p_value(&low[..3], &high[..3]) - 0.1).abs() < 1e-12);
        assert!((p_value(&[1.0; 5], &[1.0; 5]) - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn a_probability_is_one_and_the_same_both_ways(
            one in prop::collection::vec(0_u32..20, 1..9),
            other in prop::collection::vec(0_u32..20, 1..9),
        ) {
            let [one, other] = [one, other].map(|values| {
                values.into_iter().map(f64::from).collect::<Vec<_>>()
            });
            let (p, back) = (p_value(&one, &other), p_value(&other, &one));
            prop_assert!((0.0..=1.0 + 1e-9).contains(&p));
            prop_assert!((p - back).abs() < 1e-9);
        }
    }
}
