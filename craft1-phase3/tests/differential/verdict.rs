//! What must hold for every body, whoever makes it up: the tests beside this file, or a fuzzer.

use craft1_phase1::service::{BadBody, Delivery};
use metrics_model::{Batch, Metric, Timestamp};

/// When metrics without a timestamp arrive.
const NOW: Timestamp = Timestamp::MAX;

/// Reads the body with all three readers, stores what is taken, and says whether it is.
///
/// # Panics
/// If ours takes what another refuses, refuses what phase 1 takes, takes it as something else, or
/// cannot read back what it has stored.
pub(crate) fn is_taken(body: &[u8]) -> bool {
    let ours = craft1_phase3::json::parse(body);
    let syntax = serde_json::from_slice::<serde_json::Value>(body);
    assert!(ours.is_err() || syntax.is_ok(), "no JSON: {syntax:?}");
    match (ours, craft1_phase1::json::parse(body)) {
        (Ok(ours), Ok(theirs)) => {
            assert_same(&ours, &theirs);
            assert_stored_as_it_is(ours);
            true
        }
        (Err(refusal), Err(_)) => {
            assert_has_a_place(&refusal, body);
            false
        }
        (Ok(_), Err(refusal)) => panic!("phase 1 refuses it: {refusal}"),
        (Err(refusal), Ok(_)) => panic!("phase 1 takes it, ours does not: {refusal}"),
    }
}

fn assert_has_a_place(refusal: &BadBody, body: &[u8]) {
    assert!(!refusal.detail.is_empty());
    assert!(refusal.offset.is_some_and(|offset| offset <= body.len()), "{refusal:?}");
}

fn assert_same(one: &Batch<'_>, other: &Batch<'_>) {
    assert_eq!(one, other);
    assert_eq!(details(one), details(other));
}

/// What `==` passes over: the sign of zero, and the order of tags.
fn details<'a>(batch: &'a Batch<'_>) -> Vec<(u64, Vec<(&'a str, &'a str)>)> {
    batch.iter().map(|metric| (metric.value.to_bits(), metric.tags.iter().collect())).collect()
}

/// Its lines are read back as the same metrics, by ours and by phase 1.
fn assert_stored_as_it_is(batch: Batch<'_>) {
    let client = Some("a \"client\"");
    let delivery = Delivery { batch, client };
    let mut lines = Vec::new();
    craft1_phase3::line::encode(&mut lines, &delivery, NOW);
    let mut lines = lines.split_inclusive(|byte| *byte == b'\n');
    for metric in delivery.batch {
        let line = lines.next().expect("a line for every metric");
        let timestamp = metric.timestamp.or(Some(NOW));
        let expected = Batch::single(Metric { timestamp, ..metric }).expect("it was taken");
        for parse in [craft1_phase3::json::parse, craft1_phase1::json::parse] {
            assert_same(&parse(line).expect("a metric"), &expected);
        }
        let line: serde_json::Value = serde_json::from_slice(line).expect("JSON");
        assert_eq!(line["client"].as_str(), client);
    }
    assert_eq!(lines.next(), None);
}
