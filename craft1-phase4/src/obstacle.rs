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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use craft1_phase1::http::Limits;
    use craft1_phase1::telemetry::Telemetry;
    use craft1_phase1::timeouts::Timeouts;

    use super::*;
    use crate::draining::Draining;

    const SLOW_DISK: Option<writer::Obstacle> = Some(writer::Obstacle::Queue);

    fn conditions() -> Conditions {
        let (header, body, write) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        Conditions {
            limits: Limits::default(),
            timeouts: Timeouts { header, body, write },
            idle_timeout: Duration::ZERO,
            telemetry: Telemetry::default(),
            draining: Draining::default(),
        }
    }

    #[test]
    fn connections_are_one_from_three_quarters_on() {
        for (connections_max, nearly_all_at) in [(1, 1), (2, 2), (4, 3), (100, 75)] {
            let conditions = conditions();
            let mut open = Vec::new();
            for count in 0..=connections_max {
                let expected = (count >= nearly_all_at).then_some(Obstacle::Connections);
                let found = Obstacle::find(&conditions, connections_max, None);
                assert_eq!(found, expected, "{count} of {connections_max}");
                open.push(conditions.telemetry.open_connection(connections_max));
            }
        }
    }

    #[test]
    fn the_one_that_lasts_longest_is_named() {
        let conditions = conditions();
        let _open = conditions.telemetry.open_connection(1);
        let find = |writer| Obstacle::find(&conditions, 1, writer);
        assert_eq!(find(SLOW_DISK), Some(Obstacle::Writer(writer::Obstacle::Queue)));
        assert_eq!(find(None), Some(Obstacle::Connections));
        conditions.draining.begin();
        assert_eq!(find(SLOW_DISK), Some(Obstacle::Stopping));
    }
}
