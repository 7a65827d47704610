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
