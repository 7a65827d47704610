//! The limiter against phase 2's: the same clients at the same times get the same answers.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use craft1_final::rate_limit::{Algorithm, Limiter};
use craft1_phase2::limit::Limit;
use craft1_phase2::rate_limit as phase2;
use proptest::collection::vec;
use proptest::prelude::*;

const WINDOW_NS: u64 = 1_000_000;

/// Few enough that no set of the table has to forget one, however their keys fall.
const CLIENTS: u8 = 8;

/// How long after the one before it a request comes, and whose it is: bursts, fractions of a window,
/// an instant beside them, and silence over several windows.
fn arrivals() -> impl Strategy<Value = Vec<(u64, u8)>> {
    let eighths = (0..=8_u64).prop_map(|count| count * WINDOW_NS / 8);
    let gap_ns = prop_oneof![
        6 => Just(0),
        3 => eighths.clone(),
        2 => eighths.clone().prop_map(|ns| ns + 1),
        2 => eighths.prop_map(|ns| ns.saturating_sub(1)),
        2 => 0..WINDOW_NS / 8,
        1 => 0..4 * WINDOW_NS,
    ];
    vec((gap_ns, 0..CLIENTS), 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gives_the_answers_of_phase_2(requests in 1..=20_u32, arrivals in arrivals()) {
        let limit = Limit::new(requests, Duration::from_nanos(WINDOW_NS)).unwrap();
        let start = Instant::now();
        let room = NonZeroUsize::new(1_024).unwrap();
        let ours = Limiter::with_capacity(Algorithm::Counter, limit, room, start);
        let capacity = phase2::Capacity::default();
        let algorithm = phase2::Algorithm::Counter;
        let theirs = phase2::Limiter::with_capacity(algorithm, limit, capacity, start);
        let mut now = start;
        for (gap_ns, client) in arrivals {
            now += Duration::from_nanos(gap_ns);
            let verdict = ours.check(ours.key(&[client]), now);
            prop_assert_eq!(verdict, theirs.check(theirs.key(&[client]), now));
        }
    }
}
