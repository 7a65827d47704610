//! Nothing of a progress file is lost, whoever wrote it.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;

fn value() -> impl Strategy<Value = toml::Value> {
    prop_oneof![
        any::<i64>().prop_map(toml::Value::from),
        any::<bool>().prop_map(toml::Value::from),
        ".{0,12}".prop_map(toml::Value::from),
        prop::collection::vec("[a-z]{0,4}".prop_map(toml::Value::from), 0..3)
            .prop_map(toml::Value::from),
        prop::collection::btree_map("x-[a-z]{1,6}", any::<i64>(), 0..3).prop_map(|it| {
            toml::Value::Table(it.into_iter().map(|(key, number)| (key, number.into())).collect())
        }),
    ]
}

/// Keys that no version of this program has.
fn unknown() -> impl Strategy<Value = Table> {
    prop::collection::btree_map("x-[a-z]{1,6}", value(), 0..4)
        .prop_map(|it| it.into_iter().collect())
}

fn time() -> impl Strategy<Value = Option<String>> {
    prop::option::of("2026-1[0-2]-[0-2][1-9]T00:00:00Z")
}

prop_compose! {
    fn done()(
        started in time(), passed in time(), gave_up in time(), checks in any::<u32>(),
        hints in prop::collection::btree_set(1..=3_u8, 0..3),
        learnt in prop::option::of(".{0,20}"),
        numbers in prop::collection::vec(-1e9..1e9, 0..3),
        unknown in unknown(),
    ) -> Done {
        let at = String::from("2026-11-21T00:00:00Z");
        let reason = String::from("because\n\"it\" is");
        let predictions = numbers.iter().map(|number| Prediction {
            at: at.clone(), number: *number, reason: reason.clone(),
        }).collect();
        Done { started, passed, gave_up, checks, hints, learnt, predictions,
               measurements: Vec::new(), unknown }
    }
}

prop_compose! {
    fn progress()(
        current in prop::option::of("[a-z0-9-]{1,8}"),
        labs in prop::collection::btree_map("[a-z0-9-]{1,8}", done(), 0..4),
        unknown in unknown(),
    ) -> Progress {
        Progress { schema: SCHEMA, current, labs, unknown }
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn what_is_written_is_read_again_with_all_that_nobody_knows(progress in progress()) {
        prop_assert_eq!(Progress::parse(&progress.render()).unwrap(), progress);
    }

    #[test]
    fn what_is_done_in_either_is_done_in_both(ours in progress(), theirs in progress()) {
        let mut both = ours.clone();
        both.merge(theirs.clone());
        for (id, done) in ours.labs.iter().chain(&theirs.labs) {
            prop_assert!(both.state(id) >= done.state());
            prop_assert!(both.labs[id].hints.is_superset(&done.hints));
            prop_assert!(done.predictions.iter().all(|it| both.labs[id].predictions.contains(it)));
        }
        let again = both.clone();
        both.merge(theirs);
        prop_assert_eq!(both, again, "twice is once");
    }
}

#[test]
fn a_file_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mylabs/progress.toml");
    assert_eq!(Progress::read(&path).unwrap(), Progress::default());
    let mut progress = Progress::default();
    progress.lab("c1f-spsc").hints.insert(2);
    progress.write(&path).unwrap();
    assert_eq!(Progress::read(&path).unwrap(), progress);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing lies beside it");
}

#[test]
fn a_file_for_people_says_what_it_is() {
    let mut progress = Progress { current: Some("p0-queue".into()), ..Progress::default() };
    let done = progress.lab("p0-queue");
    done.started = Some("2026-11-21T18:00:00Z".into());
    done.checks = 3;
    done.hints.insert(1);
    done.predictions.push(Prediction {
        at: "2026-11-21T18:01:00Z".into(),
        number: 4.0,
        reason: "one lock".into(),
    });
    insta::assert_snapshot!(progress.render());
}

#[test]
fn a_file_of_a_later_version_is_not_touched() {
    let error = Progress::parse("schema = 2\n").unwrap_err().to_string();
    assert_eq!(error, "schema 2 is newer than this program: pull the course's last version");
}
