//! The exact way: the time of each admitted request, as long as it is in the window.
//!
//! What always holds: no window, wherever it begins, has more admitted requests than the limit, and
//! a request is refused only when the window that ends with it is full. A window of one second is
//! the last 999,999,999 ns and now: what was admitted a whole second ago is outside.
//!
//! The price is memory: 8 bytes a request in the window, up to the limit, and up to four times that
//! where there were more just before.

use std::collections::VecDeque;

use super::generations::slot_bytes;
use super::{Limit, Refused, Window};

/// What one time takes.
const TIME_BYTES: usize = size_of::<u64>();

/// How many times a log makes room for at once, when its first request comes.
const TIMES_MIN: usize = 4;

/// A log this many times as long as what is in it gives memory back. Half of that is kept, so that
/// it has to grow or shrink by a factor before anything is copied again.
const SPARE_FACTOR: usize = 4;

/// The admitted requests of one client.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Those that were in the window when the last request came, in order.
    admitted_ns: VecDeque<u64>,
}

impl Log {
    /// What a client takes that sends up to four requests in a window, its place in the tables
    /// included. The allocator adds its own.
    pub const CLIENT_BYTES: usize = slot_bytes::<Self>() + TIMES_MIN * TIME_BYTES;

    /// Each time goes in once and out once, so a request pays for itself, however many go here.
    fn expire(&mut self, window_ns: u64, now_ns: u64) {
        while self.admitted_ns.front().is_some_and(|at_ns| at_ns + window_ns <= now_ns) {
            self.admitted_ns.pop_front();
        }
    }

    /// Gives back what a burst took.
    fn trim(&mut self) {
        let len = self.admitted_ns.len().max(TIMES_MIN);
        if self.admitted_ns.capacity() > SPARE_FACTOR * len {
            self.admitted_ns.shrink_to(SPARE_FACTOR / 2 * len);
        }
    }
}

impl Window for Log {
    fn check(&mut self, limit: Limit, now_ns: u64) -> Result<(), Refused> {
        self.expire(limit.window_ns(), now_ns);
        match self.admitted_ns.front() {
            Some(oldest_ns) if self.admitted_ns.len() >= limit.requests() as usize => {
                Err(Refused::after_ns(oldest_ns + limit.window_ns() - now_ns))
            }
            _ => {
                self.trim();
                self.admitted_ns.push_back(now_ns);
                Ok(())
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        self.admitted_ns.capacity() * TIME_BYTES
    }

    /// A deque doubles, so it can be twice as long as what is in it.
    fn heap_bytes_max(limit: Limit) -> usize {
        (2 * limit.requests() as usize).max(TIMES_MIN) * TIME_BYTES
    }
}

#[cfg(test)]
mod tests {
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
}
