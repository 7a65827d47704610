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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thresholds(down_after: u32, up_after: u32) -> Thresholds {
        let count = |count| NonZeroU32::new(count).unwrap();
        Thresholds { down_after: count(down_after), up_after: count(up_after) }
    }

    /// What each check of a history makes of a node: `+` answered, `-` failed.
    fn story(history: &str, thresholds: Thresholds) -> String {
        let mut condition = Condition::default();
        let check = |check| {
            condition = condition.after(check == '+', thresholds);
            if condition.is_up() == Some(true) { 'U' } else { 'd' }
        };
        history.chars().map(check).collect()
    }

    #[test]
    fn nobody_knows_before_the_first_check_which_decides() {
        assert_eq!(Condition::default().is_up(), None);
        for thresholds in [thresholds(1, 1), thresholds(3, 2), thresholds(9, 9)] {
            assert_eq!((story("+", thresholds), story("-", thresholds)), ("U".into(), "d".into()));
        }
    }

    #[test]
    fn it_takes_so_many_in_a_row() {
        for (history, expected) in [
            ("+--+--+---", "UUUUUUUUUd"),
            ("-+-+-++---+-+", "ddddddUUUdddd"),
            ("+-+-+-+-+-", "UUUUUUUUUU"),
            ("-+-+-+-+-+", "dddddddddd"),
        ] {
            assert_eq!(story(history, thresholds(3, 2)), expected, "{history}");
        }
    }

    #[test]
    fn with_thresholds_of_one_every_check_decides() {
        assert_eq!(story("+-++--+", thresholds(1, 1)), "UdUUddU");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The model looks at the whole history: a node is what it was, unless the last checks,
        /// as many as it takes, all say otherwise.
        #[test]
        fn is_what_the_last_checks_say_together(
            history in prop::collection::vec(any::<bool>(), 1..60),
            down_after in 1u32..6,
            up_after in 1u32..6,
        ) {
            let mut condition = Condition::default();
            let mut is_up = history[0];
            for (index, is_ok) in history.iter().enumerate() {
                condition = condition.after(*is_ok, thresholds(down_after, up_after));
                let needed = if is_up { down_after } else { up_after } as usize;
                let last = &history[(index + 1).saturating_sub(needed)..=index];
                if last.len() == needed && last.iter().all(|it| *it != is_up) {
                    is_up = !is_up;
                }
                prop_assert_eq!(condition.is_up(), Some(is_up), "after {} checks", index + 1);
            }
        }
    }
}
