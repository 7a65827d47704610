//! A client's window in one word, so that one compare-and-swap changes all of it.
//!
//! ```text
//! 63            34 33          17 16            0
//! ├─── bucket ────┼─── before ───┼───── now ────┤
//! ```
//!
//! What always holds: both counts are at most the limit, which fits into 17 bits. Of the number of
//! the bucket the low 30 bits are kept, and the clock says the rest: a client that was silent for
//! 2^30 windows to the window, which are 12 days of 1 ms or 34 years of 1 s, finds its old window
//! again, for as long as that window is long.

use craft1_phase2::counter::Counter;
use craft1_phase2::limit::REQUESTS_MAX;

const COUNT_BITS: u32 = 17;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const BUCKET_MASK: u64 = (1 << (64 - 2 * COUNT_BITS)) - 1;

const _: () = assert!(REQUESTS_MAX as u64 <= COUNT_MASK);

/// Threads read the clock at different moments, so a window can be a few buckets ahead of who looks
/// at it. Further ahead than this is an old one: 16 seconds of the shortest buckets.
const AHEAD_MAX: u64 = 1 << 14;

/// The window of who has sent nothing, in whatever bucket. A window that is used has a request.
pub(super) const UNUSED: u64 = 0;

/// The window in its word.
pub(super) fn pack(Counter { bucket, before, now }: Counter) -> u64 {
    let counts = u64::from(before) << COUNT_BITS | u64::from(now);
    bucket << (2 * COUNT_BITS) | counts
}

/// The window as it is when the clock stands in `bucket`.
pub(super) fn unpack(word: u64, bucket: u64) -> Counter {
    if word == UNUSED {
        return Counter { bucket, ..Counter::default() };
    }
    let before = (word >> COUNT_BITS & COUNT_MASK) as u32;
    let now = (word & COUNT_MASK) as u32;
    let stored = word >> (2 * COUNT_BITS);
    let ahead = stored.wrapping_sub(bucket) & BUCKET_MASK;
    let behind = bucket.wrapping_sub(stored) & BUCKET_MASK;
    let bucket = if ahead <= AHEAD_MAX { bucket + ahead } else { bucket.saturating_sub(behind) };
    Counter { bucket, before, now }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_window_comes_back_as_it_was(
            bucket in 0..1_u64 << 40,
            later in prop_oneof![0..4_u64, 0..BUCKET_MASK - AHEAD_MAX],
            before in 0..=REQUESTS_MAX,
            now in 1..=REQUESTS_MAX,
        ) {
            let counter = Counter { bucket, before, now };
            prop_assert_eq!(unpack(pack(counter), bucket + later), counter);
        }

        #[test]
        fn a_window_that_is_ahead_of_who_looks_stays_where_it_is(
            bucket in 0..1_u64 << 40,
            ahead in 0..=AHEAD_MAX,
        ) {
            let counter = Counter { bucket: bucket + ahead, before: 1, now: 2 };
            prop_assert_eq!(unpack(pack(counter), bucket), counter);
        }

        #[test]
        fn who_has_sent_nothing_has_sent_nothing_in_any_bucket(bucket in any::<u64>()) {
            prop_assert_eq!(unpack(UNUSED, bucket), Counter { bucket, before: 0, now: 0 });
        }
    }
}
