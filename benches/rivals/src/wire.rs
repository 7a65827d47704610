//! The body of a `POST /metrics`, typed and borrowed, for any parser that speaks serde.
//!
//! What always holds: text without escapes is lent from the request's body, never copied. Unknown
//! fields are skipped, a repeated known field is refused; both come from serde's derive.
//!
//! A body is one metric or a list of them. serde's way to say "either", an untagged enum, would
//! read everything twice, so [`Body`] is one struct with the fields of both and
//! [`Body::into_batch`] looks at which of them arrived.

use std::borrow::Cow;
use std::fmt;

use metrics_model::{Batch, InvalidBatch, InvalidMetric, Metric, MetricKind, Tags, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// A request's body as parsed; not yet known to be a valid batch.
#[derive(Debug, Deserialize)]
pub struct Body<'a> {
    #[serde(borrow)]
    metrics: Option<Vec<WireMetric<'a>>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    value: Option<f64>,
    #[serde(default, deserialize_with = "timestamp")]
    timestamp: Option<Timestamp>,
    #[serde(default, rename = "type", deserialize_with = "kind")]
    kind: MetricKind,
    #[serde(borrow, default, deserialize_with = "tags")]
    tags: Tags<'a>,
}

/// Why a body that is good JSON is not a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBody {
    /// A metric of the list, or the list, breaks the contract.
    #[error(transparent)]
    Batch(#[from] InvalidBatch),
    /// The metric that was sent alone breaks the contract.
    #[error(transparent)]
    Metric(#[from] InvalidMetric),
    /// A field that a metric must have is not there, and neither is a list.
    #[error("{0}: missing")]
    Missing(&'static str),
    /// Both a list and a metric of its own.
    #[error("both a metric and a list of metrics")]
    Ambiguous,
}

impl<'a> Body<'a> {
    /// Checks everything that the wire contract says about metrics.
    pub fn into_batch(self) -> Result<Batch<'a>, InvalidBody> {
        if let Some(metrics) = self.metrics {
            if self.name.is_some() || self.value.is_some() {
                return Err(InvalidBody::Ambiguous);
            }
            let metrics = metrics.into_iter().map(|WireMetric(metric)| metric).collect();
            return Ok(Batch::new(metrics)?);
        }
        let Text(name) = self.name.ok_or(InvalidBody::Missing("name"))?;
        let value = self.value.ok_or(InvalidBody::Missing("value"))?;
        let Self { timestamp, kind, tags, .. } = self;
        Ok(Batch::single(Metric { name, value, timestamp, kind, tags })?)
    }
}

/// A metric of a list. The wrapper lets serde build our model's own type, which knows no JSON.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct WireMetric<'a>(#[serde(borrow, with = "MetricFields")] Metric<'a>);

#[derive(Deserialize)]
#[serde(remote = "Metric")]
struct MetricFields<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    value: f64,
    #[serde(default, deserialize_with = "timestamp")]
    timestamp: Option<Timestamp>,
    #[serde(default, rename = "type", deserialize_with = "kind")]
    kind: MetricKind,
    #[serde(borrow, default, deserialize_with = "tags")]
    tags: Tags<'a>,
}

/// Text, lent where the parser can lend it. serde copies a `Cow` inside of an `Option`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MetricKind, D::Error> {
    let Text(name) = Text::deserialize(deserializer)?;
    MetricKind::from_wire_name(&name).map_err(invalid)
}

fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    deserializer.deserialize_any(TimestampVisitor).map(Some)
}

fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tags<'de>, D::Error> {
    deserializer.deserialize_map(TagsVisitor)
}

fn invalid<E: Error>(reason: impl Into<InvalidMetric>) -> E {
    E::custom(reason.into())
}

struct TimestampVisitor;

impl Visitor<'_> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unix milliseconds or an RFC 3339 text")
    }

    fn visit_i64<E: Error>(self, unix_ms: i64) -> Result<Timestamp, E> {
        Timestamp::from_unix_ms(unix_ms).map_err(invalid)
    }

    fn visit_u64<E: Error>(self, unix_ms: u64) -> Result<Timestamp, E> {
        // What does not fit is as far out of range as the largest number that does.
        self.visit_i64(i64::try_from(unix_ms).unwrap_or(i64::MAX))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse_rfc3339(text).map_err(invalid)
    }
}

struct TagsVisitor;

impl<'de> Visitor<'de> for TagsVisitor {
    type Value = Tags<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Tags<'de>, A::Error> {
        let mut tags = Tags::new();
        while let Some((Text(key), Text(value))) = pairs.next_entry()? {
            tags.push(key, value).map_err(invalid)?;
        }
        Ok(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{"name":"cpu","value":85.5,"timestamp":"2025-09-17T13:45:23.123Z",
        "type":"counter","tags":{"host":"web-1","note":"a\"b"},"unknown":[{"x":null}]}"#;

    /// What the three parsers make of a body. They must agree, or the comparison would be unfair.
    fn batch(json: &str) -> Result<Batch<'static>, String> {
        fn checked<E: fmt::Display>(body: Result<Body<'_>, E>) -> Result<Batch<'static>, String> {
            let batch = body.map_err(|error| error.to_string())?.into_batch();
            batch.map(Batch::into_owned).map_err(|error| error.to_string())
        }
        let serde = checked(serde_json::from_str(json));
        let sonic = checked(sonic_rs::from_slice(json.as_bytes()));
        let simd = checked(simd_json::serde::from_slice(&mut json.as_bytes().to_vec()));
        assert_eq!(serde.clone().ok(), sonic.ok(), "sonic-rs: {json}");
        assert_eq!(serde.clone().ok(), simd.ok(), "simd-json: {json}");
        serde
    }

    #[test]
    fn a_metric_alone_and_in_a_list_are_the_same() {
        let list = format!("{{\"metrics\":[{FULL}]}}");
        let alone = batch(FULL).unwrap();
        assert_eq!(alone, batch(&list).unwrap());
        let metric = &alone.as_slice()[0];
        assert_eq!((metric.name.as_ref(), metric.value), ("cpu", 85.5));
        assert_eq!(metric.kind, MetricKind::Counter);
        assert_eq!(metric.timestamp.unwrap().unix_ms(), 1_758_116_723_123);
        assert_eq!(metric.tags.get("note"), Some("a\"b"));
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        let body: Body<'_> = serde_json::from_str(FULL).unwrap();
        assert!(matches!(body.name, Some(Text(Cow::Borrowed("cpu")))));
        let list = format!("{{\"metrics\":[{FULL}]}}");
        let body: Body<'_> = serde_json::from_str(&list).unwrap();
        assert!(matches!(body.metrics.unwrap()[0].0.name, Cow::Borrowed("cpu")));
    }

    #[test]
    fn takes_milliseconds_and_numbers_without_a_point() {
        let batch = batch(r#"{"name":"cpu","value":1,"timestamp":1758116723123}"#).unwrap();
        let metric = &batch.as_slice()[0];
        assert_eq!((metric.value, metric.timestamp.unwrap().unix_ms()), (1.0, 1_758_116_723_123));
    }

    #[test]
    fn refuses_what_the_contract_refuses() {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"metrics":[]}"#,
            r#"{"name":"cpu"}"#,
            r#"{"value":1}"#,
            r#"{"name":"cpu","value":NaN}"#,
            r#"{"name":"cpu","value":1e999}"#,
            r#"{"name":"cpu","value":"1"}"#,
            r#"{"name":"","value":1}"#,
            r#"{"name":"a\nb","value":1}"#,
            r#"{"name":"cpu","value":1} x"#,
            r#"{"name":"cpu","name":"cpu","value":1}"#,
            r#"{"name":"cpu","value":1,"type":"Gauge"}"#,
            r#"{"name":"cpu","value":1,"timestamp":1.5}"#,
            r#"{"name":"cpu","value":1,"timestamp":-1}"#,
            r#"{"name":"cpu","value":1,"timestamp":"yesterday"}"#,
            r#"{"name":"cpu","value":1,"tags":{"a":1}}"#,
            r#"{"name":"cpu","value":1,"tags":{"a":"1","a":"2"}}"#,
            r#"{"name":"cpu","value":1,"metrics":[{"name":"cpu","value":1}]}"#,
        ] {
            assert!(batch(json).is_err(), "{json}");
        }
    }

    #[test]
    fn the_refusal_names_the_first_bad_item() {
        let json = r#"{"metrics":[{"name":"a","value":1},{"name":"","value":1}]}"#;
        assert_eq!(batch(json).unwrap_err(), "metrics[1].name: empty");
    }
}
