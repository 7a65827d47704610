//! Metrics to the lines of `metrics.jsonl`, through serde.
//!
//! What always holds: a line ends in its only line feed, has the fields in the order of the wire
//! contract, leaves out those that say nothing, and gives every number back bit for bit.
//!
//! Naive: serde visits each field through three layers of traits and escapes each string byte by
//! byte. Phase 3 writes the bytes itself.

use metrics_model::{Metric, MetricKind, Tags, Timestamp};
use serde::{Serialize, Serializer};

use crate::service::Delivery;

/// Puts a delivery into lines: the other half of the JSON layer.
pub type EncodeLines = fn(&mut Vec<u8>, &Delivery<'_>, Timestamp);

/// Appends a line for every metric to `lines`, with `now` as the timestamp of those that have none.
///
/// ```
/// use craft1_phase1::{json, line, service::Delivery};
/// use metrics_model::Timestamp;
///
/// let batch = json::parse(br#"{"name":"cpu_usage","value":75.5}"#)?;
/// let mut lines = Vec::new();
/// line::encode(&mut lines, &Delivery { batch, client: None }, Timestamp::MIN);
/// let expected = r#"{"timestamp":"1970-01-01T00:00:00.000Z","name":"cpu_usage","value":75.5}"#;
/// assert_eq!(String::from_utf8(lines)?, format!("{expected}\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// Never: a metric has text for keys and a finite value, which is all that serde could refuse.
pub fn encode(lines: &mut Vec<u8>, delivery: &Delivery<'_>, now: Timestamp) {
    for Metric { name, value, timestamp, kind, tags } in &delivery.batch {
        let line = Line {
            timestamp: &timestamp.unwrap_or(now).to_string(),
            name,
            value: *value,
            kind: (*kind != MetricKind::default()).then_some(kind.as_str()),
            tags,
            client: delivery.client,
        };
        serde_json::to_writer(&mut *lines, &line).expect("text and finite numbers are JSON");
        lines.push(b'\n');
    }
}

/// One stored line, in the order of the contract.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: &'a str,
    name: &'a str,
    value: f64,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Tags::is_empty", serialize_with = "write_tags")]
    tags: &'a Tags<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
}

fn write_tags<S: Serializer>(tags: &Tags<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tags.iter())
}

#[cfg(test)]
mod tests {
    use metrics_model::Batch;
    use metrics_model::limits::{NAME_BYTES_MAX, TAG_VALUE_BYTES_MAX};
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::json;

    const NOW: Timestamp = Timestamp::MAX;

    fn lines(batch: Batch<'_>, client: Option<&str>) -> String {
        let mut lines = Vec::new();
        encode(&mut lines, &Delivery { batch, client }, NOW);
        String::from_utf8(lines).expect("JSON is text")
    }

    fn line(metric: Metric<'_>, client: Option<&str>) -> String {
        lines(Batch::single(metric).expect("valid"), client)
    }

    #[test]
    fn a_line_has_its_fields_in_the_order_of_the_contract() {
        let full = Metric {
            timestamp: Some(Timestamp::from_unix_ms(1_758_116_723_123).unwrap()),
            kind: MetricKind::Counter,
            tags: Tags::from_pairs([("host", "a"), ("core", "0")]).unwrap(),
            ..Metric::new("cpu_usage", 75.5)
        };
        assert_eq!(
            line(full, Some("web-1")),
            "{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"cpu_usage\",\"value\":75.5,\
             \"type\":\"counter\",\"tags\":{\"host\":\"a\",\"core\":\"0\"},\"client\":\"web-1\"}\n"
        );
    }

    #[test]
    fn text_is_escaped_where_json_needs_it_and_nowhere_else() {
        let value = "\0\u{8}\t\n\u{c}\r\u{1f} \"\\/\u{7f}é\u{2028}😀";
        let tags = Tags::from_pairs([("k", value)]).unwrap();
        assert_eq!(
            line(Metric { tags, ..Metric::new("m", 1.0) }, None),
            "{\"timestamp\":\"9999-12-31T23:59:59.999Z\",\"name\":\"m\",\"value\":1.0,\"tags\":\
             {\"k\":\"\\u0000\\b\\t\\n\\f\\r\\u001f \\\"\\\\/\u{7f}é\u{2028}😀\"}}\n"
        );
    }

    #[test]
    fn the_lines_of_a_batch_stand_in_its_order_behind_what_was_there() {
        let batch = Batch::new(vec![Metric::new("a", 1.0), Metric::new("b", 2.0)]).unwrap();
        let mut text = b"before\n".to_vec();
        encode(&mut text, &Delivery { batch, client: None }, NOW);
        let text = String::from_utf8(text).unwrap();
        let names =
            text.lines().map(|line| ["before", "\"a\"", "\"b\""].map(|it| line.contains(it)));
        let expected = [[true, false, false], [false, true, false], [false, false, true]];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    /// Any text within `bytes_max`, control characters and quotes among it.
    fn text(bytes_max: usize) -> impl Strategy<Value = String> {
        vec(any::<char>(), 0..=bytes_max / char::MAX.len_utf8()).prop_map(String::from_iter)
    }

    fn name() -> impl Strategy<Value = String> {
        text(NAME_BYTES_MAX - 1)
            .prop_map(|text| format!("n{}", text.replace(char::is_control, "_")))
    }

    fn metric() -> impl Strategy<Value = Metric<'static>> {
        let timestamp = proptest::option::of(0..=Timestamp::MAX.unix_ms());
        let tags = btree_map(name(), text(TAG_VALUE_BYTES_MAX), 0..4);
        (name(), any::<i32>(), timestamp, select(&MetricKind::ALL[..]), tags).prop_map(
            |(name, value, unix_ms, kind, tags)| Metric {
                timestamp: unix_ms.map(|it| Timestamp::from_unix_ms(it).expect("in range")),
                kind,
                tags: Tags::from_pairs(tags).expect("within the limits"),
                ..Metric::new(name, f64::from(value))
            },
        )
    }

    /// A failing case is printed in full, so no file of past seeds is kept.
    fn config() -> ProptestConfig {
        ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn every_metric_comes_back_as_it_was(
            metric in metric(),
            client in proptest::option::of(name()),
        ) {
            let line = line(metric.clone(), client.as_deref());
            prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
            let stored: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            prop_assert_eq!(stored["client"].as_str(), client.as_deref());
            let expected = Metric { timestamp: metric.timestamp.or(Some(NOW)), ..metric };
            let batch = json::parse(line.as_bytes()).expect("a metric");
            prop_assert_eq!(batch.into_metrics(), [expected]);
        }

        #[test]
        fn every_finite_number_comes_back_bit_for_bit(
            bits in any::<u64>().prop_filter("finite", |bits| f64::from_bits(*bits).is_finite()),
        ) {
            let line = line(Metric::new("m", f64::from_bits(bits)), None);
            let batch = json::parse(line.as_bytes()).expect("a metric");
            prop_assert_eq!(batch.as_slice()[0].value.to_bits(), bits, "{}", line);
        }
    }
}
