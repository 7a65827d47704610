//! Whether a node is up, by what its last checks said: a state machine, and nothing else.
//!
//! What always holds: the first check decides, because there is nothing yet that one answer could
//! contradict. From then on it takes so many in a row to change: one lost packet does not wake
//! anybody at night, and a node that answers every other time does not count as well again.
//!
//! ```text
//!              ok                    failed, down_after in a row
//!   ┌─────────┐    ┌────┐ ────────────────────────────────────────▶ ┌──────┐
//!   │ Unknown │──▶ │ Up │                                           │ Down │ ◀── Unknown, failed
//!   └─────────┘    └────┘ ◀──────────────────────────────────────── └──────┘
//!                              ok, up_after in a row
//! ```

use std::num::NonZeroU32;

/// How many checks in a row it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Thresholds {
    /// Failed checks in a row that take a node down
    #[arg(long = "check-down-after", value_name = "COUNT", default_value = "3")]
    pub down_after: NonZeroU32,
    /// Answered checks in a row that bring it up again
    #[arg(long = "check-up-after", value_name = "COUNT", default_value = "2")]
    pub up_after: NonZeroU32,
}

/// What is known of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// It was not checked yet.
    #[default]
    Unknown,
    /// It answers.
    Up {
        /// The checks that failed since it last answered; fewer than `down_after`.
        failures: u32,
    },
    /// It does not answer.
    Down {
        /// The checks that it answered since the last one that failed; fewer than `up_after`.
        answers: u32,
    },
}

impl Condition {
    /// What it is after one more check.
    #[must_use]
    pub fn after(self, is_ok: bool, thresholds: Thresholds) -> Self {
        // ANCHOR: after
        let Thresholds { down_after, up_after } = thresholds;
        match (self, is_ok) {
            (Self::Up { failures }, false) if failures + 1 < down_after.get() => {
                Self::Up { failures: failures + 1 }
            }
            (Self::Down { answers }, true) if answers + 1 < up_after.get() => {
                Self::Down { answers: answers + 1 }
            }
            (_, true) => Self::Up { failures: 0 },
            (_, false) => Self::Down { answers: 0 },
        }
        // ANCHOR_END: after
    }

    /// Whether the node counts as up; nobody knows before the first check.
    pub fn is_up(self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Up { .. } => Some(true),
            Self::Down { .. } => Some(false),
        }
    }
}

#[cfg(test)]
#[path = "condition_tests.rs"]
mod tests;
