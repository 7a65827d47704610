//! The phases that a server can be graded as, and what each of them can do.
//!
//! What always holds: phases stand in the order of the course, and a phase has to pass what the
//! phases before it have to pass, except for what only phase 0 has.

use clap::ValueEnum;
use serde::Serialize;
use testkit::contract::Capability;

/// A step of the course, the first one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
pub enum Phase {
    /// The whole system, as simple as it can be.
    #[value(name = "0")]
    #[serde(rename = "0")]
    Zero,
    /// HTTP from raw sockets.
    #[value(name = "1")]
    #[serde(rename = "1")]
    One,
    /// Bounded work and a limit for each client.
    #[value(name = "2")]
    #[serde(rename = "2")]
    Two,
    /// A JSON parser by hand.
    #[value(name = "3")]
    #[serde(rename = "3")]
    Three,
    /// Connections that are used again.
    #[value(name = "4")]
    #[serde(rename = "4")]
    Four,
    /// Many requests at once over one connection.
    #[value(name = "final")]
    #[serde(rename = "final")]
    Final,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Zero, Self::One, Self::Two, Self::Three, Self::Four, Self::Final];

    /// What it is called on the command line.
    pub fn id(self) -> &'static str {
        ["0", "1", "2", "3", "4", "final"][self as usize]
    }

    /// What it adds, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Zero => "the contract, and nothing that a client does ends the server",
            Self::One => "framing by the letter, no client in the way of another, 202 means stored",
            Self::Two => "bounded: 503 when it is full, 429 for who asks too much",
            Self::Three => "the same answers, whoever wrote the JSON parser",
            Self::Four => "connections are used again",
            Self::Final => "a thousand requests at once over one connection",
        }
    }

    /// The one that comes next.
    pub fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }

    /// Whether a second request may come over the same connection.
    pub fn has_keep_alive(self) -> bool {
        self >= Self::Four
    }

    /// The first and the last phase that must be able to do this.
    pub fn span(need: Option<Capability>) -> (Self, Self) {
        match need {
            None => (Self::Zero, Self::Final),
            Some(Capability::Alerts | Capability::Page | Capability::Query) => {
                (Self::Zero, Self::Zero)
            }
            Some(Capability::Chunked | Capability::Head | Capability::Offset) => {
                (Self::One, Self::Final)
            }
            Some(Capability::Ready) => (Self::Two, Self::Final),
            Some(Capability::KeepAlive) => (Self::Four, Self::Final),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_called_what_its_crate_is_called() {
        for phase in Phase::ALL {
            assert_eq!(Phase::from_str(phase.id(), false), Ok(phase));
        }
        assert_eq!(Phase::Four.next(), Some(Phase::Final));
        assert_eq!(Phase::Final.next(), None);
    }

    #[test]
    fn only_phase_0_answers_queries_and_only_from_phase_4_on_are_connections_kept() {
        assert_eq!(Phase::span(Some(Capability::Query)), (Phase::Zero, Phase::Zero));
        assert_eq!(Phase::span(Some(Capability::KeepAlive)).0, Phase::Four);
        let kept = Phase::ALL.map(Phase::has_keep_alive);
        assert_eq!(kept, [false, false, false, false, true, true]);
    }
}
