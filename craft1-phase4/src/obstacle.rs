//! Why no more work should come: what `GET /ready` looks for.
//!
//! What always holds: it is found before the server has to refuse anybody, as in phase 2, and the
//! first that is found is the one that lasts longest.

use crate::connection::Conditions;
use crate::writer;

/// Why no more work should come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The first signal has come.
    #[error("the server is stopping")]
    Stopping,
    /// The data file cannot be written, or not fast enough.
    #[error(transparent)]
    Writer(#[from] writer::Obstacle),
    /// Three quarters of the connections that may be open are.
    #[error("nearly all connections are taken")]
    Connections,
}

impl Obstacle {
    /// Looks for one.
    pub fn find(
        conditions: &Conditions,
        connections_max: usize,
        writer: Option<writer::Obstacle>,
    ) -> Option<Self> {
        if conditions.draining.has_begun() {
            return Some(Self::Stopping);
        }
        // As for the backlog of phase 2, and for the same reason.
        let nearly_all = connections_max - connections_max / 4;
        let is_crowded = conditions.telemetry.open_connections() >= nearly_all;
        writer.map(Self::Writer).or(is_crowded.then_some(Self::Connections))
    }
}
