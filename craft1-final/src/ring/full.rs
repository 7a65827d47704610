//! The error of a push.

/// There is no room. The element comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ring is full")]
pub struct Full<T>(pub T);
