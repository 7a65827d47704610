//! Metrics to the lines of `metrics.jsonl`, byte by byte.
//!
//! What always holds: a line ends in its only line feed, has the fields in the order of the wire
//! contract, leaves out those that say nothing, and gives every number back bit for bit.
//!
//! A line is a handful of constants with values between them, so that is how it is written: the
//! keys, colons and quotes are copied, and only names, tags and the client are looked at for what
//! must be escaped.

mod number;
mod text;

use craft1_phase1::service::Delivery;
use metrics_model::{Metric, MetricKind, Tags, Timestamp};

/// Room for a line of an ordinary name and a few tags, so that the buffer seldom grows.
const LINE_BYTES_USUAL: usize = 128;

/// Puts a delivery into lines: the other half of the JSON layer.
pub type EncodeLines = fn(&mut Vec<u8>, &Delivery<'_>, Timestamp);

/// Appends a line for every metric to `lines`, with `now` as the timestamp of those that have none.
///
/// ```
/// use craft1_phase1::service::Delivery;
/// use craft1_phase3::{json, line};
/// use metrics_model::Timestamp;
///
/// let batch = json::parse(br#"{"name":"cpu_usage","value":75.5}"#)?;
/// let mut lines = Vec::new();
/// line::encode(&mut lines, &Delivery { batch, client: None }, Timestamp::MIN);
/// let expected = r#"{"timestamp":"1970-01-01T00:00:00.000Z","name":"cpu_usage","value":75.5}"#;
/// assert_eq!(String::from_utf8(lines)?, format!("{expected}\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode(lines: &mut Vec<u8>, delivery: &Delivery<'_>, now: Timestamp) {
    lines.reserve(delivery.batch.len() * LINE_BYTES_USUAL);
    let now = now.to_rfc3339();
    for metric in &delivery.batch {
        let timestamp = metric.timestamp.map_or(now, Timestamp::to_rfc3339);
        put_metric(lines, &timestamp, metric, delivery.client);
    }
}

fn put_metric(
    line: &mut Vec<u8>,
    timestamp: &[u8; Timestamp::RFC3339_LEN],
    metric: &Metric<'_>,
    client: Option<&str>,
) {
    line.extend_from_slice(br#"{"timestamp":""#);
    line.extend_from_slice(timestamp);
    line.extend_from_slice(br#"","name":"#);
    text::put(line, &metric.name);
    line.extend_from_slice(br#","value":"#);
    number::put(line, metric.value);
    if metric.kind != MetricKind::default() {
        line.extend_from_slice(br#","type":"#);
        text::put(line, metric.kind.as_str());
    }
    if !metric.tags.is_empty() {
        line.extend_from_slice(br#","tags":"#);
        put_tags(line, &metric.tags);
    }
    if let Some(client) = client {
        line.extend_from_slice(br#","client":"#);
        text::put(line, client);
    }
    line.extend_from_slice(b"}\n");
}

fn put_tags(line: &mut Vec<u8>, tags: &Tags<'_>) {
    for (index, (key, value)) in tags.iter().enumerate() {
        line.push(if index == 0 { b'{' } else { b',' });
        text::put(line, key);
        line.push(b':');
        text::put(line, value);
    }
    line.push(b'}');
}

#[cfg(test)]
mod tests {
    use metrics_model::Batch;

    use super::*;

    fn lines(metrics: Vec<Metric<'_>>, client: Option<&str>) -> String {
        let mut lines = b"before\n".to_vec();
        let batch = Batch::new(metrics).expect("valid");
        encode(&mut lines, &Delivery { batch, client }, Timestamp::MAX);
        String::from_utf8(lines).expect("JSON is text")
    }

    #[test]
    fn a_line_has_its_fields_in_the_order_of_the_contract_and_none_that_says_nothing() {
        let full = Metric {
            timestamp: Some(Timestamp::from_unix_ms(1_758_116_723_123).unwrap()),
            kind: MetricKind::Counter,
            tags: Tags::from_pairs([("host", "a"), ("core", "0")]).unwrap(),
            ..Metric::new("cpu_usage", 75.5)
        };
        assert_eq!(
            lines(vec![full, Metric::new("m", -0.0)], Some("web-1")),
            "before\n\
             {\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"cpu_usage\",\"value\":75.5,\
             \"type\":\"counter\",\"tags\":{\"host\":\"a\",\"core\":\"0\"},\"client\":\"web-1\"}\n\
             {\"timestamp\":\"9999-12-31T23:59:59.999Z\",\"name\":\"m\",\"value\":-0.0,\
             \"client\":\"web-1\"}\n"
        );
    }

    #[test]
    fn names_tags_and_clients_are_escaped() {
        let tags = Tags::from_pairs([("k\"", "v\n")]).unwrap();
        let metric = Metric { tags, ..Metric::new("n\\", 1.0) };
        assert_eq!(
            lines(vec![metric], Some("c\"")),
            "before\n{\"timestamp\":\"9999-12-31T23:59:59.999Z\",\"name\":\"n\\\\\",\"value\":1.0,\
             \"tags\":{\"k\\\"\":\"v\\n\"},\"client\":\"c\\\"\"}\n"
        );
    }
}
