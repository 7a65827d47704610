//! Stories of checks, and a model that remembers all of them.

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
