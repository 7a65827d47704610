//! Why no more work should come: what `GET /ready` looks for.
//!
//! What always holds: it is found before the server has to refuse anybody, as in phase 2, and the
//! first that is found is the one that lasts longest.

use crate::writer::Status;
use crate::writer::failure::Failure;

/// Why no more work should come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The first signal has come.
    #[error("the server is stopping")]
    Stopping,
    /// The disk refuses.
    #[error("{0}")]
    Writer(Failure),
    /// Most of the memory for metrics that wait is taken.
    #[error("the disk is slower than the clients: the queue is nearly full")]
    Queue,
    /// Three quarters of the connections that may be open are.
    #[error("nearly all connections are taken")]
    Connections,
}

impl Obstacle {
    /// Looks for one.
    pub fn find(
        is_stopping: bool,
        writer: Status,
        open_connections: u64,
        connections_max: usize,
    ) -> Option<Self> {
        // As for the backlog of phase 2, and for the same reason.
        let nearly_all = connections_max - connections_max / 4;
        let is_crowded = open_connections >= nearly_all as u64;
        match (is_stopping, writer.failure) {
            (true, _) => Some(Self::Stopping),
            (false, Some(failure)) => Some(Self::Writer(failure)),
            (false, None) if writer.is_nearly_full => Some(Self::Queue),
            (false, None) => is_crowded.then_some(Self::Connections),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::writer::failure::Step;

    const WELL: Status =
        Status { queue_size: 0, stored_metrics: 0, is_nearly_full: false, failure: None };
    const FAILURE: Failure = Failure { step: Step::Write, kind: ErrorKind::StorageFull };

    #[test]
    fn is_ready_until_three_quarters_of_the_connections_are_taken() {
        for (connections_max, nearly_all) in [(1, 1), (4, 3), (5, 4), (100, 75)] {
            for open in 0..=connections_max as u64 {
                let expected = (open >= nearly_all).then_some(Obstacle::Connections);
                let found = Obstacle::find(false, WELL, open, connections_max);
                assert_eq!(found, expected, "{open} of {connections_max}");
            }
        }
    }

    #[test]
    fn what_lasts_longest_is_told() {
        let full = Status { is_nearly_full: true, ..WELL };
        let failing = Status { failure: Some(FAILURE), ..full };
        assert_eq!(Obstacle::find(true, failing, 9, 9), Some(Obstacle::Stopping));
        assert_eq!(Obstacle::find(false, failing, 9, 9), Some(Obstacle::Writer(FAILURE)));
        assert_eq!(Obstacle::find(false, full, 9, 9), Some(Obstacle::Queue));
        assert_eq!(Obstacle::find(false, WELL, 0, 9), None);
    }
}
