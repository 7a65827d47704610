//! How many requests in how much time, `1000/1s`, and what is said to who comes beyond it.
//!
//! What always holds: a [`Limit`] admits something, and both of its numbers have a maximum, so that
//! the counter's products fit into 64 bits and one client's log into a shard.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Most requests in a window. More than one client can send in a second, and few enough that the
/// log of one, 8 bytes a request, is a fraction of what is set aside for all of them.
pub const REQUESTS_MAX: u32 = 100_000;

/// Shortest window. Reading a clock and waiting for a lock take a part of anything shorter.
pub const WINDOW_MIN: Duration = Duration::from_millis(1);

/// Longest window. A longer one is a quota: it would have to survive a restart, and this does not.
pub const WINDOW_MAX: Duration = Duration::from_hours(1);

/// At most this many requests of one client in any window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    requests: u32,
    window_ns: u64,
}

/// Why something is no limit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadLimit {
    /// There is no slash in it.
    #[error("expected requests and a window, as in 1000/1s")]
    Form,
    /// What stands before the slash is no number, or not one of these.
    #[error("expected 1 to {REQUESTS_MAX} requests")]
    Requests,
    /// What stands behind the slash is no duration.
    #[error("expected a window with its unit, as in 1s or 250ms: {0}")]
    Duration(#[from] humantime::DurationError),
    /// It is one, and too short or too long.
    #[error(
        "expected a window from {} to {}",
        humantime::format_duration(WINDOW_MIN),
        humantime::format_duration(WINDOW_MAX)
    )]
    Window,
}

/// One request more than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests: try again in {retry_after:?}")]
pub struct Refused {
    /// The same request is taken after this time and not before, if its client sends nothing else.
    pub retry_after: Duration,
}

impl Limit {
    /// From 1 request to [`REQUESTS_MAX`], and from [`WINDOW_MIN`] to [`WINDOW_MAX`].
    pub fn new(requests: u32, window: Duration) -> Result<Self, BadLimit> {
        if !(1..=REQUESTS_MAX).contains(&requests) {
            return Err(BadLimit::Requests);
        }
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&window) {
            return Err(BadLimit::Window);
        }
        let window_ns = u64::try_from(window.as_nanos()).map_err(|_| BadLimit::Window)?;
        Ok(Self { requests, window_ns })
    }

    /// How many requests, at least one.
    pub fn requests(self) -> u32 {
        self.requests
    }

    /// In how much time.
    pub fn window(self) -> Duration {
        Duration::from_nanos(self.window_ns)
    }

    /// The same in nanoseconds, never zero.
    pub fn window_ns(self) -> u64 {
        self.window_ns
    }
}

impl FromStr for Limit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let (requests, window) = text.split_once('/').ok_or(BadLimit::Form)?;
        let requests = requests.parse().map_err(|_| BadLimit::Requests)?;
        Self::new(requests, humantime::parse_duration(window)?)
    }
}

impl Refused {
    pub(crate) fn after_ns(wait_ns: u64) -> Self {
        Self { retry_after: Duration::from_nanos(wait_ns) }
    }

    /// For the field Retry-After, which counts whole seconds (RFC 9110, section 10.2.3). Rounded
    /// up: who keeps to it is not refused again.
    pub fn retry_after_s(self) -> u32 {
        let seconds = self.retry_after.as_nanos().div_ceil(1_000_000_000);
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, humantime::format_duration(self.window()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Limit, BadLimit> {
        text.parse()
    }

    #[test]
    fn reads_requests_and_a_window() {
        for (text, requests, window) in [
            ("1000/1s", 1_000, Duration::from_secs(1)),
            ("1/1ms", 1, WINDOW_MIN),
            ("100000/1h", REQUESTS_MAX, WINDOW_MAX),
            ("5/1m 30s", 5, Duration::from_secs(90)),
        ] {
            let limit = parse(text).unwrap();
            assert_eq!((limit.requests(), limit.window()), (requests, window), "{text}");
            assert_eq!(u128::from(limit.window_ns()), window.as_nanos(), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let form = "expected requests and a window, as in 1000/1s";
        let requests = "expected 1 to 100000 requests";
        let window = "expected a window from 1ms to 1h";
        for (text, expected) in [
            ("", form),
            ("1000", form),
            ("0/1s", requests),
            ("-1/1s", requests),
            ("1.5/1s", requests),
            ("many/1s", requests),
            ("100001/1s", requests),
            ("4294967296/1s", requests),
            ("1/0s", window),
            ("1/999us", window),
            ("1/1h 1ns", window),
            ("1/1000years", window),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
        }
        for text in ["1000/", "1000/s", "1000/1", "1000/1 parsec"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("expected a window with its unit, as in 1s"), "{error}");
        }
    }

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        for (wait_ns, expected_s) in
            [(1, 1), (1_000_000_000, 1), (1_000_000_001, 2), (3_600_000_000_000, 3_600)]
        {
            assert_eq!(Refused::after_ns(wait_ns).retry_after_s(), expected_s, "{wait_ns} ns");
        }
    }

    proptest! {
        #[test]
        fn a_limit_that_is_shown_can_be_read(
            requests in 1..=REQUESTS_MAX,
            window_ns in 1_000_000_u64..=3_600_000_000_000,
        ) {
            let limit = Limit::new(requests, Duration::from_nanos(window_ns)).unwrap();
            prop_assert_eq!(parse(&limit.to_string()), Ok(limit));
        }
    }
}
