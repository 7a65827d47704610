//! A batch as it is stored: one JSON object a line.
//!
//! What always holds: a number is written so that reading it gives the same bits. The type is
//! written where it is not the default, tags where there are any; the client is not, because no
//! rival knows clients.

use metrics_model::{Batch, Metric, MetricKind, Tags, Timestamp};
use serde::Serialize;

/// Room for a line of an ordinary name and a few tags, so that the buffer seldom grows.
const LINE_BYTES_USUAL: usize = 128;

/// The lines of a batch. A metric without a timestamp gets `received`.
pub(crate) fn lines(batch: &Batch<'_>, received: Timestamp) -> Vec<u8> {
    let received = received.to_rfc3339();
    let mut lines = Vec::with_capacity(batch.len() * LINE_BYTES_USUAL);
    for metric in batch {
        match metric.timestamp {
            Some(timestamp) => append(&mut lines, metric, &timestamp.to_rfc3339()),
            None => append(&mut lines, metric, &received),
        }
    }
    lines
}

/// The fixed parts are copied as they are: a derived `Serialize` would look for characters to
/// escape in the timestamp and in every key.
fn append(line: &mut Vec<u8>, metric: &Metric<'_>, timestamp: &[u8; Timestamp::RFC3339_LEN]) {
    line.extend_from_slice(br#"{"timestamp":""#);
    line.extend_from_slice(timestamp);
    line.extend_from_slice(br#"","name":"#);
    append_json(line, &*metric.name);
    line.extend_from_slice(br#","value":"#);
    append_json(line, &metric.value);
    if metric.kind != MetricKind::default() {
        line.extend_from_slice(br#","type":"#);
        append_json(line, metric.kind.as_str());
    }
    if !metric.tags.is_empty() {
        line.extend_from_slice(br#","tags":"#);
        append_tags(line, &metric.tags);
    }
    line.extend_from_slice(b"}\n");
}

fn append_tags(line: &mut Vec<u8>, tags: &Tags<'_>) {
    for (index, (key, value)) in tags.iter().enumerate() {
        line.push(if index == 0 { b'{' } else { b',' });
        append_json(line, key);
        line.push(b':');
        append_json(line, value);
    }
    line.push(b'}');
}

fn append_json<T: Serialize + ?Sized>(line: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(line, value).expect("a vector takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_stored_form() {
        let received = Timestamp::parse_rfc3339("2025-09-17T13:45:23.123Z").unwrap();
        let plain = Metric::new("cpu_usage", 75.5);
        let full = Metric {
            timestamp: Some(Timestamp::MIN),
            kind: MetricKind::Counter,
            tags: Tags::from_pairs([("host", "a\"b")]).unwrap(),
            ..Metric::new("requests", 0.1 + 0.2)
        };
        let batch = Batch::new(vec![plain, full]).unwrap();
        let expected = concat!(
            r#"{"timestamp":"2025-09-17T13:45:23.123Z","name":"cpu_usage","value":75.5}"#,
            "\n",
            r#"{"timestamp":"1970-01-01T00:00:00.000Z","name":"requests","#,
            r#""value":0.30000000000000004,"type":"counter","tags":{"host":"a\"b"}}"#,
            "\n",
        );
        assert_eq!(String::from_utf8(lines(&batch, received)).unwrap(), expected);
    }
}
