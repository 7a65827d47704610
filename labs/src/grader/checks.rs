//! What the checks do, a file a theme.

pub(super) mod backpressure;
pub(super) mod conformance;
pub(super) mod contract;
pub(super) mod faults;
pub(super) mod framing;
pub(super) mod kill;
pub(super) mod limits;
pub(super) mod load;
pub(super) mod slow;
pub(super) mod start;
pub(super) mod storage;
mod stored;
