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
    /// In one of the loops most of the memory for what clients leave unfinished is taken.
    #[error(
        "clients are slow: the memory for incomplete requests and untaken answers is nearly full"
    )]
    Buffers,
}

/// How much of something is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// So much.
    pub taken: u64,
    /// Of so much.
    pub max: u64,
}

impl Share {
    /// Three quarters, as for the backlog of phase 2, and for the same reason.
    fn is_nearly_all(self) -> bool {
        self.taken >= self.max - self.max / 4
    }
}

impl Obstacle {
    /// Looks for one. `buffers` is the memory of the loop in which it is most.
    pub fn find(
        is_stopping: bool,
        writer: Status,
        connections: Share,
        buffers: Share,
    ) -> Option<Self> {
        match (is_stopping, writer.failure) {
            (true, _) => Some(Self::Stopping),
            (false, Some(failure)) => Some(Self::Writer(failure)),
            (false, None) if writer.is_nearly_full => Some(Self::Queue),
            (false, None) if connections.is_nearly_all() => Some(Self::Connections),
            (false, None) => buffers.is_nearly_all().then_some(Self::Buffers),
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

    const NONE: Share = Share { taken: 0, max: 9 };
    const ALL: Share = Share { taken: 9, max: 9 };

    #[test]
    fn is_ready_until_three_quarters_are_taken() {
        for (max, nearly_all) in [(1, 1), (4, 3), (5, 4), (100, 75)] {
            for taken in 0..=max {
                let (share, is_found) = (Share { taken, max }, taken >= nearly_all);
                let found = Obstacle::find(false, WELL, share, NONE);
                assert_eq!(found, is_found.then_some(Obstacle::Connections), "{share:?}");
                let found = Obstacle::find(false, WELL, NONE, share);
                assert_eq!(found, is_found.then_some(Obstacle::Buffers), "{share:?}");
            }
        }
    }

    #[test]
    fn what_lasts_longest_is_told() {
        let full = Status { is_nearly_full: true, ..WELL };
        let failing = Status { failure: Some(FAILURE), ..full };
        assert_eq!(Obstacle::find(true, failing, ALL, ALL), Some(Obstacle::Stopping));
        assert_eq!(Obstacle::find(false, failing, ALL, ALL), Some(Obstacle::Writer(FAILURE)));
        assert_eq!(Obstacle::find(false, full, ALL, ALL), Some(Obstacle::Queue));
        assert_eq!(Obstacle::find(false, WELL, ALL, ALL), Some(Obstacle::Connections));
        assert_eq!(Obstacle::find(false, WELL, NONE, NONE), None);
    }
}
