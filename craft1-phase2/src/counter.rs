//! The estimating way: how many requests there were in this bucket of time and in the one before.
//!
//! Buckets are as long as the window and begin at its multiples. The window that ends now covers
//! this bucket as far as it has come, and the end of the one before. How many of the requests there
//! fell into that end is not known; the estimate is that they came evenly:
//!
//! ```text
//! ├───────── before ─────────┼────────── now ───────────┤
//!              └──────── window ────────┘
//!                            estimate = before × left ÷ window + now
//!              ├─── left ────┤
//! ```
//!
//! What always holds, with `before` at most the limit:
//! - The estimate counts at most `before × (1 − left ÷ window)` too few, which is when all of them
//!   came at the end, and at most `before × left ÷ window` too many, when all came at the start.
//! - No bucket has more admitted requests than the limit, and a window touches two of them, so no
//!   window has more than twice the limit. An adversary reaches that, see the test
//!   `an_adversary_gets_twice_the_limit_into_one_window`: all at the end of a bucket, and again as
//!   soon as the estimate allows through the next. Not in one burst, as with fixed windows, but
//!   spread over a whole window.
//! - A client that sends evenly and less than the limit is never refused. One that sends as much in
//!   bursts can be: a burst at the start of a bucket is believed to fade, and does not.
//! - It takes the same few bytes whatever the limit is.
//!
//! This is Cloudflare's approximation (Julien Desgats, "How we built rate limiting capable of
//! scaling to millions of domains", 2017), in whole numbers, so that it is the same everywhere.

use crate::limit::{Limit, Refused};

/// The admitted requests of one client, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counter {
    /// Which bucket `now` is of: its number since the clock began.
    pub bucket: u64,
    /// How many there were in the bucket before that.
    pub before: u32,
    /// How many there are in this one.
    pub now: u32,
}

impl Counter {
    /// Admits a request at this time, or says when it would be. Time is in nanoseconds since any
    /// fixed moment and never goes back; `limit` is always the same.
    pub fn check(&mut self, limit: Limit, now_ns: u64) -> Result<(), Refused> {
        // ANCHOR: check
        let (requests, window_ns) = (u64::from(limit.requests()), limit.window_ns());
        self.enter(now_ns / window_ns);
        let left_ns = window_ns - now_ns % window_ns;
        if self.weight(window_ns, left_ns) >= requests * window_ns {
            return Err(Refused::after_ns(self.wait_ns(limit, left_ns)));
        }
        self.now += 1;
        Ok(())
        // ANCHOR_END: check
    }

    fn enter(&mut self, bucket: u64) {
        // ANCHOR: enter
        match bucket.saturating_sub(self.bucket) {
            0 => return,
            1 => self.before = self.now,
            _ => self.before = 0,
        }
        self.now = 0;
        self.bucket = bucket;
        // ANCHOR_END: enter
    }

    /// The estimate times the window. Below 2^60, because the limits of both are.
    fn weight(&self, window_ns: u64, left_ns: u64) -> u64 {
        // ANCHOR: weight
        u64::from(self.before) * left_ns + u64::from(self.now) * window_ns
        // ANCHOR_END: weight
    }

    /// How long until the estimate is below the limit.
    fn wait_ns(&self, limit: Limit, left_ns: u64) -> u64 {
        let room = u64::from(limit.requests() - self.now);
        if room == 0 {
            // The next bucket starts with a full one before it, which weighs less only after that.
            return left_ns + 1;
        }
        // `before × left < room × window`, solved for the greatest `left`.
        let left_then_ns = (room * limit.window_ns() - 1) / u64::from(self.before);
        left_ns - left_then_ns
    }
}

#[cfg(test)]
#[path = "counter_tests.rs"]
mod tests;
