//! The exact window beside a model that remembers everything.

use proptest::prelude::*;

use super::*;
use crate::model::{Model, WINDOW_NS, arrivals, limit, limits};

/// How long the next request would have to wait.
fn wait_ns(log: &mut Log, limit: Limit, now_ns: u64) -> Option<u128> {
    log.check(limit, now_ns).err().map(|refused| refused.retry_after.as_nanos())
}

#[test]
fn the_window_slides_with_each_request() {
    let (mut log, limit) = (Log::default(), limit(2));
    let half_ns = WINDOW_NS / 2;
    assert_eq!(wait_ns(&mut log, limit, 0), None);
    assert_eq!(wait_ns(&mut log, limit, half_ns), None);
    assert_eq!(wait_ns(&mut log, limit, half_ns), Some(u128::from(half_ns)));
    assert_eq!(wait_ns(&mut log, limit, WINDOW_NS - 1), Some(1));
    assert_eq!(wait_ns(&mut log, limit, WINDOW_NS), None, "the first one is outside");
    assert_eq!(wait_ns(&mut log, limit, WINDOW_NS), Some(u128::from(half_ns)));
}

#[test]
fn gives_back_what_a_burst_took() {
    let (mut log, limit) = (Log::default(), limit(1_000));
    for _ in 0..1_000 {
        log.check(limit, 0).unwrap();
    }
    assert!((8_000..=Log::heap_bytes_max(limit)).contains(&log.heap_bytes()));
    log.check(limit, WINDOW_NS).unwrap();
    assert!(log.heap_bytes() <= 2 * TIMES_MIN * TIME_BYTES, "{}", log.heap_bytes());
}

proptest! {
    #[test]
    fn admits_exactly_what_fits_into_the_window(limit in limits(), arrivals in arrivals()) {
        let (mut log, mut model) = (Log::default(), Model::default());
        for now_ns in arrivals {
            let has_room = model.in_window(now_ns) < limit.requests() as usize;
            prop_assert_eq!(log.check(limit, now_ns).is_ok(), has_room);
            if has_room {
                model.admit(now_ns);
            }
        }
        prop_assert!(model.busiest_window() <= limit.requests() as usize);
    }

    #[test]
    fn a_refusal_ends_exactly_when_it_says(limit in limits(), arrivals in arrivals()) {
        let mut log = Log::default();
        for now_ns in arrivals {
            if let Err(Refused { retry_after }) = log.check(limit, now_ns) {
                let at_ns = now_ns + u64::try_from(retry_after.as_nanos()).unwrap();
                prop_assert!(log.clone().check(limit, at_ns - 1).is_err());
                prop_assert!(log.clone().check(limit, at_ns).is_ok());
            }
        }
    }

    #[test]
    fn holds_no_more_memory_than_it_says(limit in limits(), arrivals in arrivals()) {
        let mut log = Log::default();
        for now_ns in arrivals {
            let _ = log.check(limit, now_ns);
            prop_assert!(log.heap_bytes() <= Log::heap_bytes_max(limit));
            let in_use = log.admitted_ns.len().max(TIMES_MIN) * TIME_BYTES;
            prop_assert!(log.heap_bytes() <= SPARE_FACTOR * in_use);
        }
    }
}
