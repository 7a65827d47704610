//! A descriptor for every connection that the bounds allow.
//!
//! What always holds: where the system lets us, the bound that is met first is one of ours, and not
//! the kernel's. A server that runs out of descriptors cannot even accept a connection to refuse it.
//!
//! A process begins with a soft limit, 1,024 on most systems, and may raise it to a hard one. The
//! soft one is that low for the sake of `select`, which cannot count any further. Nothing here uses
//! it; Go raises the limit at every start for the same reason.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The system allows fewer open files than the bounds may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process may open {allowed} files and may need {wanted}: beyond that, clients wait \
     without an answer (raise the limit, as with ulimit -n {wanted}, or lower {bound})"
)]
pub struct TooFew {
    /// How many there can be.
    pub allowed: u64,
    /// How many there should be.
    pub wanted: u64,
    /// The option that most of them are for.
    pub bound: &'static str,
}

/// Sees to it that `wanted` descriptors can be open at once. `bound` is the option that asks for so
/// many.
pub fn allow(wanted: u64, bound: &'static str) -> Result<(), TooFew> {
    let limit = getrlimit(Resource::Nofile);
    // Where there is no limit, it is not too low.
    let Some(allowed) = limit.current.filter(|allowed| *allowed < wanted) else { return Ok(()) };
    let raised = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }) {
        Ok(()) if raised == wanted => Ok(()),
        Ok(()) => Err(TooFew { allowed: raised, wanted, bound }),
        Err(_) => Err(TooFew { allowed, wanted, bound }),
    }
}
