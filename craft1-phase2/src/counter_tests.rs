//! The estimate beside a model that remembers everything, and how far the two can be apart.

use proptest::prelude::*;

use super::*;
use crate::limit::{REQUESTS_MAX, WINDOW_MAX};
use crate::model::{Model, WINDOW_NS, arrivals, limit, limits};

/// Every request comes at one of these times, as often as it is admitted.
fn all_that_get_in(limit: Limit, arrivals: impl Iterator<Item = u64>) -> Model {
    let (mut counter, mut model) = (Counter::default(), Model::default());
    for now_ns in arrivals {
        while counter.check(limit, now_ns).is_ok() {
            model.admit(now_ns);
        }
    }
    model
}

#[test]
fn weighs_the_bucket_before_by_how_much_of_it_is_left() {
    let (mut counter, limit) = (Counter::default(), limit(100));
    for _ in 0..100 {
        counter.check(limit, 0).unwrap();
    }
    // A quarter into the next bucket three quarters of the hundred still count.
    let now_ns = WINDOW_NS + WINDOW_NS / 4;
    let admitted = (0..100).filter(|_| counter.check(limit, now_ns).is_ok()).count();
    assert_eq!(admitted, 25);
    // The estimate is the limit now, and below it an instant later.
    let refused = counter.check(limit, now_ns).unwrap_err();
    assert_eq!(refused, Refused::after_ns(1));
}

/// At the last instant of a bucket the limit, and through the next one as much again.
#[test]
fn an_adversary_gets_twice_the_limit_into_one_window() {
    let limit = limit(1_000);
    let last_ns = WINDOW_NS - 1;
    let model = all_that_get_in(limit, (last_ns..last_ns + WINDOW_NS).step_by(999));
    assert_eq!(model.in_window(last_ns), 1_000);
    assert_eq!(model.busiest_window(), 2_000);
}

/// With fixed windows they would: the limit at the end of one, and at the start of the next.
#[test]
fn nobody_gets_twice_the_limit_in_one_burst() {
    let limit = limit(1_000);
    let model = all_that_get_in(limit, WINDOW_NS - 1..WINDOW_NS + 10);
    assert_eq!(model.busiest_window(), 1_001, "one request for the ten instants after it");
}

#[test]
fn a_burst_at_the_start_of_a_bucket_makes_it_refuse_too_early() {
    let (mut counter, mut model, limit) = (Counter::default(), Model::default(), limit(10));
    for _ in 0..10 {
        counter.check(limit, 0).unwrap();
        model.admit(0);
    }
    assert_eq!(model.in_window(WINDOW_NS), 0, "the burst is outside of the window");
    assert!(counter.check(limit, WINDOW_NS).is_err(), "and yet it counts");
}

#[test]
fn the_greatest_limit_does_not_overflow() {
    let limit = Limit::new(REQUESTS_MAX, WINDOW_MAX).unwrap();
    let mut counter = Counter { bucket: 7, before: REQUESTS_MAX, now: REQUESTS_MAX };
    let start_ns = 7 * limit.window_ns();
    let refused = counter.check(limit, start_ns).unwrap_err();
    assert_eq!(refused, Refused::after_ns(limit.window_ns() + 1));
}

proptest! {
    #[test]
    fn admits_when_the_estimate_is_below_the_limit(
        limit in limits(),
        arrivals in arrivals(),
    ) {
        let (mut counter, mut model) = (Counter::default(), Model::default());
        for now_ns in arrivals {
            let start_ns = now_ns - now_ns % WINDOW_NS;
            let now = model.admitted_in(start_ns..=now_ns) as u64;
            let before = match start_ns {
                0 => 0,
                _ => model.admitted_in(start_ns - WINDOW_NS..=start_ns - 1) as u64,
            };
            let left_ns = start_ns + WINDOW_NS - now_ns;
            let weight = before * left_ns + now * WINDOW_NS;
            let has_room = weight < u64::from(limit.requests()) * WINDOW_NS;
            prop_assert_eq!(counter.check(limit, now_ns).is_ok(), has_room);

            let in_window = model.in_window(now_ns) as u64 * WINDOW_NS;
            let (too_few, too_many) = (before * (WINDOW_NS - left_ns), before * left_ns);
            prop_assert!(in_window <= weight + too_few && weight <= in_window + too_many);
            if has_room {
                model.admit(now_ns);
            }
        }
    }

    #[test]
    fn no_window_has_more_than_twice_the_limit(limit in limits(), arrivals in arrivals()) {
        let model = all_that_get_in(limit, arrivals.into_iter());
        prop_assert!(model.busiest_window() <= 2 * limit.requests() as usize);
    }

    #[test]
    fn never_refuses_a_client_that_stays_evenly_below_the_limit(
        limit in limits(),
        start_ns in 0..2 * WINDOW_NS,
        spare_ns in 0..WINDOW_NS / 4,
    ) {
        let mut counter = Counter::default();
        // The least whole number for which `limit × between` is more than the window.
        let between_ns = WINDOW_NS / u64::from(limit.requests()) + 1 + spare_ns;
        for request in 0..300 {
            let now_ns = start_ns + request * between_ns;
            prop_assert_eq!(counter.check(limit, now_ns), Ok(()), "request {}", request);
        }
    }

    #[test]
    fn a_refusal_ends_exactly_when_it_says(limit in limits(), arrivals in arrivals()) {
        let mut counter = Counter::default();
        for now_ns in arrivals {
            if let Err(Refused { retry_after }) = counter.check(limit, now_ns) {
                let at_ns = now_ns + u64::try_from(retry_after.as_nanos()).unwrap();
                prop_assert!(counter.clone().check(limit, at_ns - 1).is_err());
                prop_assert!(counter.clone().check(limit, at_ns).is_ok());
            }
        }
    }
}
