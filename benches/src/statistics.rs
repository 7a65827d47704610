//! When two servers differ, and when they only look as if they did.
//!
//! A shared machine is noisy, its noise is not normal, it drifts, and rounds are few. So runs are
//! compared only with their neighbours of the same round, by their **ratio**: a machine that becomes
//! half as fast in the third round halves both. And nothing here assumes a distribution.
//!
//! The first server, the **twin**, runs twice in every round (A B C A'). The ratios of A' to A are
//! what a ratio looks like when there is no difference. A difference between B and C is
//! **significant** when both hold:
//!
//! 1. The ratios of C to B separate from those of A' to A: the exact two-sided Mann-Whitney test
//!    (Mann and Whitney, 1947) gives at most [`P_MAX`]. With five rounds this is so only if every
//!    ratio of the one is beyond every ratio of the other.
//! 2. Their median is outside the **noise band**, which is as wide as the twin differs from itself.
//!
//! The first alone would call a steady half per cent a discovery, because a test asks only whether
//! a difference is there. The second alone would trust a lucky median.

/// One chance in a hundred that ratios of equal servers separate so. Five rounds that separate
/// completely have 2 in 252; four have 2 in 70, so four never suffice.
pub const P_MAX: f64 = 0.01;

/// Fewer rounds than this cannot reach [`P_MAX`].
pub const ROUNDS_MIN: usize = 5;

/// No band is narrower. Two comparisons of the same programs, half an hour apart, give ratios that
/// are off by this much though every round of each agrees: the layout of memory (Mytkowicz et al.,
/// "Producing Wrong Data Without Doing Anything Obviously Wrong", 2009) and the neighbours on a
/// shared machine stay the same throughout a comparison, so no pair of runs within it shows them.
/// The test `two_records_of_the_same_servers_agree` holds this against stored records.
pub const BAND_MIN: f64 = 0.05;

/// A twin that leans to one side in every round, by more than this, is no accident of noise. Five
/// rounds lean one way by chance once in sixteen times, so the lean must also be worth a warning.
pub const LEAN_MAX: f64 = 0.05;

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

/// What the rounds say about two servers.
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
    /// Whether the pair passes for equal. If not, something favours a place in the rounds (heat, a
    /// filling disk, connections of the run before), and ratios are off by about the band.
    pub is_quiet: bool,
}

impl Noise {
    /// From the ratios of A' to A, round by round. The band is the larger of what their median is
    /// off by and what a round is typically off by.
    pub fn of(twin: &[f64]) -> Option<Self> {
        let lean = from_one(Spread::of(twin)?.median);
        let by_round: Vec<f64> = twin.iter().map(|ratio| from_one(*ratio)).collect();
        let typical = Spread::of(&by_round)?.median;
        let leans_always = twin.iter().all(|ratio| *ratio > 1.0) || twin.iter().all(|r| *r < 1.0);
        let is_restless = twin.len() >= ROUNDS_MIN && leans_always && lean > LEAN_MAX;
        Some(Self { band: BAND_MIN.max(lean).max(typical), is_quiet: !is_restless })
    }
}

/// Applies the rule to the ratios of two servers and those of the twin, round by round.
pub fn verdict(ratios: &[f64], twin: &[f64]) -> Option<Verdict> {
    let apart = from_one(Spread::of(ratios)?.median);
    let noise = Noise::of(twin)?;
    Some(if ratios.len().min(twin.len()) < ROUNDS_MIN {
        Verdict::TooFewRounds
    } else if apart > noise.band && p_value(ratios, twin) <= P_MAX {
        Verdict::Significant
    } else {
        Verdict::InsideNoise
    })
}

/// How far a ratio is from one, the same for its inverse.
fn from_one(ratio: f64) -> f64 {
    ratio.max(1.0 / ratio) - 1.0
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
    const QUIET_AGAIN: [f64; 5] = [100.5, 99.8, 100.9, 99.1, 100.2];
    const OTHER: [f64; 5] = [99.8, 100.9, 99.1, 100.2, 100.4];

    fn ratios(of: [f64; 5], to: [f64; 5]) -> [f64; 5] {
        std::array::from_fn(|round| of[round] / to[round])
    }

    fn twin() -> [f64; 5] {
        ratios(QUIET_AGAIN, QUIET)
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
        assert_eq!(verdict(&ratios(OTHER, QUIET), &twin()), Some(Verdict::InsideNoise));
        assert!(Noise::of(&twin()).unwrap().is_quiet);
    }

    #[test]
    fn twenty_per_cent_show_in_five_quiet_rounds() {
        for factor in [1.2, 1.0 / 1.2] {
            let other = OTHER.map(|value| value * factor);
            assert_eq!(verdict(&ratios(other, QUIET), &twin()), Some(Verdict::Significant));
        }
    }

    #[test]
    fn twenty_per_cent_drown_in_noise() {
        let noisy = [100.0, 140.0, 80.0, 125.0, 95.0];
        let again = [130.0, 82.0, 101.0, 90.0, 144.0];
        let other = [95.0, 128.0, 103.0, 84.0, 138.0].map(|value| value * 1.2);
        let found = verdict(&ratios(other, noisy), &ratios(again, noisy));
        assert_eq!(found, Some(Verdict::InsideNoise));
    }

    #[test]
    fn a_machine_that_becomes_slower_hides_no_difference() {
        let slower = [1.0, 0.9, 0.5, 0.1, 0.05];
        let on_it = |values: [f64; 5]| -> [f64; 5] {
            std::array::from_fn(|round| values[round] * slower[round])
        };
        let (first, again) = (on_it(QUIET), on_it(QUIET_AGAIN));
        let other = on_it(OTHER.map(|value| value * 1.2));
        let found = verdict(&ratios(other, first), &ratios(again, first));
        assert_eq!(found, Some(Verdict::Significant));
    }

    #[test]
    fn a_steady_difference_inside_the_band_is_noise() {
        let steady = [0.999, 1.0, 1.0, 1.0, 1.001];
        let other = steady.map(|ratio| ratio * 1.005);
        assert!(p_value(&steady, &other) <= P_MAX, "the ratios do separate");
        assert_eq!(verdict(&other, &steady), Some(Verdict::InsideNoise));
    }

    #[test]
    fn a_median_far_away_is_noise_where_a_round_is_not() {
        let ratios = [1.21, 1.2, 1.22, 1.19, 0.98];
        assert_eq!(verdict(&ratios, &twin()), Some(Verdict::InsideNoise));
    }

    #[test]
    fn four_rounds_are_too_few() {
        let found = verdict(&[2.0, 2.0, 2.1, 1.9], &twin()[..4]);
        assert_eq!(found, Some(Verdict::TooFewRounds));
        assert_eq!(verdict(&[], &twin()), None);
        assert_eq!(verdict(&[2.0; 5], &[]), None);
    }

    #[test]
    fn a_twin_that_always_leans_one_way_is_not_quiet() {
        let noise = Noise::of(&[1.1, 1.08, 1.12, 1.1, 1.06]).unwrap();
        assert!(!noise.is_quiet && noise.band > 0.09, "{noise:?}");
        let both_ways = Noise::of(&[1.1, 1.08, 1.12, 0.9, 1.06]).unwrap();
        assert!(both_ways.is_quiet && both_ways.band > 0.07, "{both_ways:?}");
    }

    #[test]
    fn no_band_is_narrower_than_a_per_cent() {
        assert!((Noise::of(&[1.0; 5]).unwrap().band - BAND_MIN).abs() < 1e-12);
        assert_eq!(Noise::of(&[]), None);
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
