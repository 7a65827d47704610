//! What both algorithms are held against: a list of every admitted request, and nothing forgotten.

use std::ops::RangeInclusive;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::limit::Limit;

/// The window of every test here. Short, so that its fractions are small numbers to read.
pub(crate) const WINDOW_NS: u64 = 1_000_000;

/// So many requests in [`WINDOW_NS`].
pub(crate) fn limit(requests: u32) -> Limit {
    Limit::new(requests, Duration::from_nanos(WINDOW_NS)).unwrap()
}

/// Limits that a few hundred requests reach.
pub(crate) fn limits() -> impl Strategy<Value = Limit> {
    (1..=20_u32).prop_map(limit)
}

/// Times that do not go back: bursts, steps of an eighth of a window, one nanosecond beside them,
/// and silence over several windows.
pub(crate) fn arrivals() -> impl Strategy<Value = Vec<u64>> {
    let eighths = (0..=8_u64).prop_map(|count| count * WINDOW_NS / 8);
    let gap_ns = prop_oneof![
        4 => Just(0),
        4 => eighths.clone(),
        2 => eighths.clone().prop_map(|ns| ns + 1),
        2 => eighths.prop_map(|ns| ns.saturating_sub(1)),
        2 => 0..WINDOW_NS / 8,
        1 => 0..4 * WINDOW_NS,
    ];
    vec(gap_ns, 1..200).prop_map(|gaps_ns| {
        let mut now_ns = 0;
        let add = |gap_ns| {
            now_ns += gap_ns;
            now_ns
        };
        gaps_ns.into_iter().map(add).collect()
    })
}

/// Every admitted request.
#[derive(Debug, Default)]
pub(crate) struct Model {
    admitted_ns: Vec<u64>,
}

impl Model {
    /// Remembers one.
    pub(crate) fn admit(&mut self, now_ns: u64) {
        self.admitted_ns.push(now_ns);
    }

    /// How many there are at these times.
    pub(crate) fn admitted_in(&self, times_ns: RangeInclusive<u64>) -> usize {
        self.admitted_ns.iter().filter(|at_ns| times_ns.contains(at_ns)).count()
    }

    /// How many there are in the window that ends now. What is a whole window old is outside.
    pub(crate) fn in_window(&self, now_ns: u64) -> usize {
        self.admitted_in((now_ns + 1).saturating_sub(WINDOW_NS)..=now_ns)
    }

    /// The most that there are in any window. The fullest one can be moved until a request ends it.
    pub(crate) fn busiest_window(&self) -> usize {
        self.admitted_ns.iter().map(|at_ns| self.in_window(*at_ns)).max().unwrap_or(0)
    }
}
