//! When the requests of an open loop are due: a sequence of times that depends on the plan alone.
//!
//! The server cannot slow this clock down. A latency measured from these times therefore contains
//! the wait of every request that a stall held back, which a closed loop leaves out: the mistake
//! that Gil Tene named coordinated omission ("How NOT to Measure Latency", 2013).
//!
//! Every schedule is one sequence of positions (0, 1, 2, … for even spacing, a unit-rate Poisson
//! process otherwise) sent through the inverse of the expected number of arrivals by a time. That
//! one function carries the rate and the ramp, whatever the spacing is.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use crate::plan::Arrivals;

const NS_PER_SECOND: f64 = 1e9;

/// The times, in nanoseconds from the start of the load, at which one thread's requests are due.
/// Ascending and without end.
#[derive(Debug)]
pub struct Schedule {
    curve: Curve,
    positions: Positions,
}

/// Which share of the arrivals is this thread's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// From 0.
    pub index: usize,
    /// How many threads share the load.
    pub count: usize,
}

impl Schedule {
    /// `rate` is in requests a second over all lanes, `ramp` the time over which it climbs from 0.
    pub fn new(rate: f64, arrivals: Arrivals, ramp: Duration, seed: u64, lane: Lane) -> Self {
        let positions = match arrivals {
            Arrivals::Constant => {
                Positions::Even { next: lane.index as f64, step: lane.count as f64 }
            }
            Arrivals::Poisson => Positions::Random {
                at: 0.0,
                mean_gap: lane.count as f64,
                random: random_for(seed, lane),
            },
        };
        Self { curve: Curve { rate, ramp_s: ramp.as_secs_f64() }, positions }
    }
}

impl Iterator for Schedule {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let seconds = self.curve.time_of(self.positions.advance());
        Some(nanoseconds(seconds))
    }
}

/// How many arrivals are expected by a time: quadratic while the rate climbs, then a straight line.
#[derive(Debug, Clone, Copy)]
struct Curve {
    rate: f64,
    ramp_s: f64,
}

impl Curve {
    /// The time in seconds by which `position` arrivals are expected.
    fn time_of(self, position: f64) -> f64 {
        let in_ramp = self.rate * self.ramp_s / 2.0;
        if position < in_ramp {
            (2.0 * self.ramp_s * position / self.rate).sqrt()
        } else {
            position / self.rate + self.ramp_s / 2.0
        }
    }
}

#[derive(Debug)]
enum Positions {
    Even { next: f64, step: f64 },
    Random { at: f64, mean_gap: f64, random: Box<ChaCha8Rng> },
}

impl Positions {
    fn advance(&mut self) -> f64 {
        match self {
            Self::Even { next, step } => {
                let position = *next;
                *next += *step;
                position
            }
            Self::Random { at, mean_gap, random } => {
                // The inverse of the exponential distribution; 1 - u is never 0.
                *at -= *mean_gap * (1.0 - random.random::<f64>()).ln();
                *at
            }
        }
    }
}

/// Each lane draws from a stream of its own, and none from stream 0, which chooses the payloads.
fn random_for(seed: u64, lane: Lane) -> Box<ChaCha8Rng> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(1 + lane.index as u64);
    Box::new(random)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times are never negative, and `as` saturates at the end of time"
)]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * NS_PER_SECOND).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALONE: Lane = Lane { index: 0, count: 1 };
    const SECOND_NS: u64 = 1_000_000_000;

    fn constant(rate: f64, ramp: Duration) -> Schedule {
        Schedule::new(rate, Arrivals::Constant, ramp, 1, ALONE)
    }

    fn poisson(rate: f64, seed: u64) -> Schedule {
        Schedule::new(rate, Arrivals::Poisson, Duration::ZERO, seed, ALONE)
    }

    #[test]
    fn spaces_constant_arrivals_evenly_without_drift() {
        let due: Vec<u64> = constant(1_000.0, Duration::ZERO).take(3).collect();
        assert_eq!(due, [0, 1_000_000, 2_000_000]);
        let after_an_hour = constant(1_000.0, Duration::ZERO).nth(3_600_000).unwrap();
        assert_eq!(after_an_hour, 3_600 * SECOND_NS);
    }

    #[test]
    fn sends_half_as_many_requests_while_the_rate_climbs() {
        let ramp = Duration::from_secs(2);
        let in_ramp = constant(1_000.0, ramp).take_while(|due| *due < 2 * SECOND_NS).count();
        assert_eq!(in_ramp, 1_000);
        let first_half = constant(1_000.0, ramp).take_while(|due| *due < SECOND_NS).count();
        assert_eq!(first_half, 250);
        let after = constant(1_000.0, ramp).skip(1_000).take_while(|due| *due < 3 * SECOND_NS);
        assert_eq!(after.count(), 1_000);
    }

    #[test]
    fn lanes_together_are_the_schedule_of_one() {
        let ramp = Duration::from_millis(500);
        let lane = |index| {
            let lane = Lane { index, count: 3 };
            Schedule::new(777.0, Arrivals::Constant, ramp, 1, lane).take(400)
        };
        let mut together: Vec<u64> = (0..3).flat_map(lane).collect();
        together.sort_unstable();
        let alone: Vec<u64> = constant(777.0, ramp).take(1_200).collect();
        assert_eq!(together, alone);
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() {
        const ARRIVALS: usize = 200_000;
        let due: Vec<u64> = poisson(1_000.0, 7).take(ARRIVALS).collect();
        let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean / 1e6 - 1.0).abs() < 0.01, "mean gap {mean} ns");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "deviation {}", variance.sqrt());
    }

    #[test]
    fn a_seed_names_the_arrivals() {
        let take = |seed| poisson(500.0, seed).take(50).collect::<Vec<_>>();
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }

    proptest! {
        #[test]
        fn times_never_go_back(
            rate in 0.1_f64..1e6,
            ramp_ms in 0_u64..10_000,
            poisson: bool,
            index in 0_usize..4,
        ) {
            let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Constant };
            let lane = Lane { index, count: 4 };
            let schedule = Schedule::new(rate, arrivals, Duration::from_millis(ramp_ms), 3, lane);
            let due: Vec<u64> = schedule.take(200).collect();
            prop_assert!(due.is_sorted());
        }
    }
}
