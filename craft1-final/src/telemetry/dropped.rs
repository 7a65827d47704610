//! Why metrics were not taken: the label `reason` of the drops.
//!
//! What always holds: each reason asks for something else to be done about it, and
//! `docs/src/reference/operations.md` says what.

use craft1_phase1::service::Unstored;

/// Why a request that wanted to bring metrics brought none, or had not the chance to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// 400, 411, 413, 415 and the like: the request or its body breaks a rule.
    Malformed,
    /// 401: no token, or an unknown one.
    Unauthorized,
    /// 429: its client has had enough.
    RateLimited,
    /// 408: it did not come in time.
    TooSlow,
    /// 503: the writer is behind.
    QueueFull,
    /// 503: the data file cannot be written.
    Unwritable,
    /// 503: the server stops.
    Stopping,
    /// 503: too much is not complete, or not taken.
    BuffersFull,
    /// 500: there is a mistake in the server.
    Panicked,
}

impl From<Unstored> for Dropped {
    fn from(why: Unstored) -> Self {
        match why {
            Unstored::Unwritable => Self::Unwritable,
            Unstored::QueueFull => Self::QueueFull,
            Unstored::Stopping => Self::Stopping,
        }
    }
}

impl Dropped {
    pub(super) const ALL: [Self; 9] = [
        Self::Malformed,
        Self::Unauthorized,
        Self::RateLimited,
        Self::TooSlow,
        Self::QueueFull,
        Self::Unwritable,
        Self::Stopping,
        Self::BuffersFull,
        Self::Panicked,
    ];

    /// What the status of an answer says of why: all of it but why there is no room.
    pub const fn by_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthorized,
            408 => Self::TooSlow,
            429 => Self::RateLimited,
            503 => Self::QueueFull,
            _ => Self::Malformed,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::RateLimited => "rate_limited",
            Self::TooSlow => "too_slow",
            Self::QueueFull => "queue_full",
            Self::Unwritable => "unwritable",
            Self::Stopping => "stopping",
            Self::BuffersFull => "buffers_full",
            Self::Panicked => "panicked",
        }
    }
}
