//! What must hold for every input, and not only for the examples beside the code.
//!
//! Two claims carry the rest: whatever follows the contract is taken as it is, and one planted
//! violation is refused with exactly its index, its field and its reason.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use metrics_model::limits::{
    METRICS_PER_BATCH_MAX, NAME_BYTES_MAX, TAG_KEY_BYTES_MAX, TAG_VALUE_BYTES_MAX,
    TAGS_PER_METRIC_MAX, TIMESTAMP_UNIX_MS_MAX, TIMESTAMP_UNIX_MS_MIN,
};
use metrics_model::{
    Batch, BatchBuilder, InvalidBatch, InvalidMetric, InvalidName, InvalidTags, InvalidTimestamp,
    Metric, MetricKind, Tags, Timestamp,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

type Pairs = Vec<(String, String)>;

/// Keeps the longest start of `text` that has at most `len_max` bytes.
fn cut(mut text: String, len_max: usize) -> String {
    text.truncate(text.floor_char_boundary(len_max));
    text
}

/// Names of 1 byte up to the limit, in any script, often exactly at the limit.
fn name() -> impl Strategy<Value = String> {
    let character = any::<char>().prop_map(|c| if c.is_control() { '_' } else { c });
    prop_oneof![
        4 => "[a-z_.]{1,30}",
        4 => vec(character, 1..90).prop_map(|c| cut(String::from_iter(c), NAME_BYTES_MAX)),
        1 => Just("n".repeat(NAME_BYTES_MAX)),
    ]
}

/// Tag values: any text, control characters too, often empty or exactly at the limit.
fn tag_value() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => Just(String::new()),
        4 => vec(any::<char>(), 0..40).prop_map(String::from_iter),
        1 => Just("v".repeat(TAG_VALUE_BYTES_MAX)),
    ]
}

/// Pairs with distinct keys, up to `count_max` of them.
fn pairs(count_max: usize) -> impl Strategy<Value = Pairs> {
    btree_map(name(), tag_value(), 0..=count_max).prop_map(|map| map.into_iter().collect())
}

/// Every finite number: of any size, subnormal, zero, of both signs.
fn value() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        (TIMESTAMP_UNIX_MS_MIN..=TIMESTAMP_UNIX_MS_MAX),
        Just(TIMESTAMP_UNIX_MS_MIN),
        Just(TIMESTAMP_UNIX_MS_MAX),
    ]
    .prop_map(|unix_ms| Timestamp::from_unix_ms(unix_ms).expect("in range"))
}

fn metric() -> impl Strategy<Value = Metric<'static>> {
    let kind = select(&MetricKind::ALL[..]);
    (name(), value(), proptest::option::of(timestamp()), kind, pairs(3)).prop_map(
        |(name, value, timestamp, kind, pairs)| Metric {
            timestamp,
            kind,
            tags: Tags::from_pairs(pairs).expect("generated within the limits"),
            ..Metric::new(name, value)
        },
    )
}

/// A text that breaks the rule of names, and the reason that must be given.
fn bad_name() -> impl Strategy<Value = (String, InvalidName)> {
    let control = prop_oneof![
        proptest::char::range('\0', '\u{1f}'),
        proptest::char::range('\u{7f}', '\u{9f}'),
    ];
    let with_control = ("[a-zé]{0,60}", control, "[a-zé]{0,60}").prop_map(|(head, bad, tail)| {
        (format!("{head}{bad}{tail}"), InvalidName::ControlCharacter(bad))
    });
    prop_oneof![
        Just((String::new(), InvalidName::Empty)),
        (NAME_BYTES_MAX + 1..2_000).prop_map(|len| ("n".repeat(len), InvalidName::TooLong)),
        with_control,
    ]
}

/// A change that makes a valid metric invalid, and the refusal that must follow.
#[derive(Debug, Clone)]
enum Violation {
    Name(String, InvalidName),
    Value(f64),
}

impl Violation {
    fn plant(&self, metric: &mut Metric<'static>) -> InvalidMetric {
        match self {
            Self::Name(name, reason) => {
                metric.name = name.clone().into();
                InvalidMetric::Name(*reason)
            }
            Self::Value(value) => {
                metric.value = *value;
                InvalidMetric::ValueNotFinite
            }
        }
    }
}

fn violation() -> impl Strategy<Value = Violation> {
    prop_oneof![
        bad_name().prop_map(|(name, reason)| Violation::Name(name, reason)),
        select(&[f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY][..])
            .prop_map(Violation::Value),
    ]
}

fn build(metrics: Vec<Metric<'_>>) -> Result<Batch<'_>, InvalidBatch> {
    metrics.into_iter().try_fold(BatchBuilder::new(), BatchBuilder::push)?.finish()
}

/// A failing case is printed in full, so no file of past seeds is kept.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn every_valid_metric_is_accepted_alone(metric in metric()) {
        prop_assert_eq!(metric.validate(), Ok(()));
        let batch = Batch::single(metric.clone()).expect("valid");
        prop_assert_eq!(batch.as_slice(), &[metric]);
    }

    #[test]
    fn every_list_of_valid_metrics_is_a_batch_of_the_same(metrics in vec(metric(), 1..8)) {
        prop_assert_eq!(Batch::new(metrics.clone()).expect("valid").into_metrics(), &*metrics);
        prop_assert_eq!(build(metrics.clone()).expect("valid").into_metrics(), &*metrics);
    }

    #[test]
    fn one_violation_is_refused_with_its_field_and_reason(
        mut metric in metric(),
        violation in violation(),
    ) {
        let expected = violation.plant(&mut metric);
        prop_assert_eq!(metric.validate(), Err(expected.clone()));
        prop_assert_eq!(Batch::single(metric), Err(expected.clone()));
        let path = format!("{}: ", expected.field());
        prop_assert!(expected.to_string().starts_with(&path));
    }

    #[test]
    fn the_first_of_several_bad_items_is_named(
        mut metrics in vec(metric(), 1..8),
        planted in vec((any::<Index>(), violation()), 1..5),
    ) {
        let mut expected = BTreeMap::new();
        for (index, violation) in &planted {
            let index = index.index(metrics.len());
            // At most one violation an item, so that there is one right answer for it.
            expected.entry(index).or_insert_with(|| violation.plant(&mut metrics[index]));
        }
        let (index, reason) = expected.pop_first().expect("one or more were planted");
        let message = format!("metrics[{index}].{reason}");
        let refusal = InvalidBatch::Metric { index, reason };
        prop_assert_eq!(refusal.to_string(), message);
        prop_assert_eq!(Batch::new(metrics.clone()), Err(refusal.clone()));
        prop_assert_eq!(build(metrics), Err(refusal));
    }

    #[test]
    fn owning_changes_nothing(metrics in vec(metric(), 1..5)) {
        let batch = Batch::new(metrics).expect("valid");
        prop_assert_eq!(batch.clone().into_owned(), batch);
    }

    #[test]
    fn valid_pairs_are_kept_in_order_and_found(pairs in pairs(TAGS_PER_METRIC_MAX)) {
        let tags = Tags::from_pairs(pairs.clone()).expect("valid");
        prop_assert_eq!(tags.len(), pairs.len());
        prop_assert_eq!(tags.is_empty(), pairs.is_empty());
        let expected = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        prop_assert!(tags.iter().eq(expected));
        for (key, value) in &pairs {
            prop_assert_eq!(tags.get(key), Some(value.as_str()));
        }
    }

    #[test]
    fn the_order_of_pairs_does_not_matter_for_equality(
        (forward, shuffled) in pairs(8).prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle())),
    ) {
        prop_assert_eq!(Tags::from_pairs(forward), Tags::from_pairs(shuffled));
    }

    #[test]
    fn a_bad_tag_key_is_refused_with_its_reason(
        mut pairs in pairs(8),
        at in any::<Index>(),
        (key, reason) in bad_name(),
    ) {
        pairs.insert(at.index(pairs.len() + 1), (key, String::new()));
        prop_assert_eq!(Tags::from_pairs(pairs), Err(InvalidTags::Key(reason)));
    }

    #[test]
    fn a_long_tag_value_is_refused_with_its_key(
        mut pairs in pairs(8),
        at in any::<Index>(),
        len in TAG_VALUE_BYTES_MAX + 1..4_000,
    ) {
        let key = "k".repeat(TAG_KEY_BYTES_MAX);
        pairs.insert(at.index(pairs.len() + 1), (key.clone(), "v".repeat(len)));
        prop_assert_eq!(Tags::from_pairs(pairs), Err(InvalidTags::ValueTooLong { key }));
    }

    #[test]
    fn a_repeated_tag_key_is_refused_wherever_it_stands(
        mut pairs in pairs(8).prop_filter("something to repeat", |pairs| !pairs.is_empty()),
        from in any::<Index>(),
        to in any::<Index>(),
        value in tag_value(),
    ) {
        let key = pairs[from.index(pairs.len())].0.clone();
        pairs.insert(to.index(pairs.len() + 1), (key.clone(), value));
        prop_assert_eq!(Tags::from_pairs(pairs), Err(InvalidTags::RepeatedKey { key }));
    }

    #[test]
    fn more_than_32_tags_are_refused(count in TAGS_PER_METRIC_MAX + 1..200) {
        let pairs = (0..count).map(|number| (number.to_string(), ""));
        prop_assert_eq!(Tags::from_pairs(pairs), Err(InvalidTags::TooMany));
    }

    #[test]
    fn a_written_timestamp_has_24_bytes_and_reads_back(timestamp in timestamp()) {
        let text = timestamp.to_string();
        prop_assert_eq!(text.len(), Timestamp::RFC3339_LEN);
        prop_assert_eq!(text.as_bytes(), timestamp.to_rfc3339());
        prop_assert_eq!(Timestamp::parse_rfc3339(&text), Ok(timestamp));
    }

    #[test]
    fn a_written_timestamp_is_what_chrono_writes(timestamp in timestamp()) {
        let utc = DateTime::from_timestamp_millis(timestamp.unix_ms()).expect("in range");
        let expected = utc.to_rfc3339_opts(SecondsFormat::Millis, true);
        prop_assert_eq!(timestamp.to_string(), expected);
    }

    #[test]
    fn texts_sort_like_moments(one in timestamp(), other in timestamp()) {
        prop_assert_eq!(one.to_string().cmp(&other.to_string()), one.cmp(&other));
    }

    #[test]
    fn an_offset_moves_the_clock_face_and_not_the_moment(
        // A day away from both ends, so that the local year keeps four digits and is after 1969.
        unix_ms in TIMESTAMP_UNIX_MS_MIN + 86_400_000..=TIMESTAMP_UNIX_MS_MAX - 86_400_000,
        offset_min in -1_439_i64..=1_439,
    ) {
        let local = DateTime::from_timestamp_millis(unix_ms + offset_min * 60_000).expect("near");
        let sign = if offset_min < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset_min.abs() / 60, offset_min.abs() % 60);
        let face = local.format("%Y-%m-%dT%H:%M:%S%.3f");
        let text = format!("{face}{sign}{hours:02}:{minutes:02}");
        prop_assert_eq!(Timestamp::parse_rfc3339(&text), Timestamp::from_unix_ms(unix_ms));
    }

    #[test]
    fn milliseconds_outside_the_range_are_refused(
        unix_ms in prop_oneof![i64::MIN..0, TIMESTAMP_UNIX_MS_MAX + 1..=i64::MAX],
    ) {
        prop_assert_eq!(Timestamp::from_unix_ms(unix_ms), Err(InvalidTimestamp::OutOfRange));
    }

    #[test]
    fn reading_a_timestamp_never_panics_and_takes_only_what_fits(
        text in prop_oneof![any::<String>(), "[0-9TtZz:+. \u{2212}-]{0,40}", almost_rfc3339()],
    ) {
        if let Ok(timestamp) = Timestamp::parse_rfc3339(&text) {
            prop_assert!(text.is_ascii() && matches!(text.as_bytes()[10], b'T' | b't'), "{text:?}");
            prop_assert!((Timestamp::MIN..=Timestamp::MAX).contains(&timestamp));
        }
    }
}

/// A well-formed text with one character replaced.
fn almost_rfc3339() -> impl Strategy<Value = String> {
    (timestamp(), any::<Index>(), prop_oneof![any::<char>(), proptest::char::range(' ', '~')])
        .prop_map(|(timestamp, at, character)| {
            let mut text: Vec<char> = timestamp.to_string().chars().collect();
            let at = at.index(text.len());
            text[at] = character;
            text.into_iter().collect()
        })
}

proptest! {
    // A thousand metrics a case are slow, and what matters here is only their number.
    #![proptest_config(cases(16))]

    #[test]
    fn the_1001st_item_is_refused_whatever_it_is(metric in metric(), beyond in 1..50_usize) {
        let mut metrics = vec![metric; METRICS_PER_BATCH_MAX];
        prop_assert_eq!(Batch::new(metrics.clone()).map(|batch| batch.len()), Ok(1_000));
        metrics.extend(vec![Metric::new("", f64::NAN); beyond]);
        prop_assert_eq!(Batch::new(metrics.clone()), Err(InvalidBatch::TooMany));
        prop_assert_eq!(build(metrics), Err(InvalidBatch::TooMany));
    }
}
