//! A body of JSON to a batch of metrics, the honest naive way: through `serde_json::Value`.
//!
//! What always holds: a body is taken whole or refused whole, and the refusal names the item and
//! the field. Syntax is checked everywhere, also in fields that nobody asked for.
//!
//! Naive: the whole body becomes a tree first. Every name, every tag and every key is a `String` of
//! its own on the heap, read again and copied out of the tree, and what is wrong with a value can
//! no longer be traced to its byte. Phase 3 reads the body once, in place.
//!
//! A tree forgets one more thing: of two equal keys it keeps the second. `Place` remembers, while
//! the tree grows, where that must not happen.

use std::fmt;

use metrics_model::{Batch, BatchBuilder, InvalidMetric, Metric, MetricKind, Tags, Timestamp};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, error::Category};

use crate::service::BadBody;

/// Reads the body of `POST /metrics`.
///
/// ```
/// let batch = craft1_phase1::json::parse(br#"{"name":"cpu_usage","value":85.5}"#)?;
/// assert_eq!(batch.as_slice()[0].name, "cpu_usage");
/// # Ok::<(), craft1_phase1::service::BadBody>(())
/// ```
pub fn parse(body: &[u8]) -> Result<Batch<'static>, BadBody> {
    let Value::Object(mut object) = parse_tree(body)? else {
        return Err(BadBody::new("expected a JSON object"));
    };
    match object.remove("metrics") {
        None => {
            let metric = metric(object).map_err(BadBody::new)?;
            Batch::single(metric).map_err(BadBody::new)
        }
        Some(_) if object.contains_key("name") || object.contains_key("value") => {
            Err(BadBody::new("a metric and a batch in the same body"))
        }
        Some(Value::Array(items)) => batch(items),
        Some(_) => Err(BadBody::new("metrics: expected an array")),
    }
}

fn batch(items: Vec<Value>) -> Result<Batch<'static>, BadBody> {
    let mut builder = BatchBuilder::new();
    for item in items {
        let index = builder.next_index();
        let Value::Object(object) = item else {
            return Err(BadBody::new(format_args!("metrics[{index}]: expected a JSON object")));
        };
        let metric = metric(object)
            .map_err(|field| BadBody::new(format_args!("metrics[{index}].{field}")))?;
        builder = builder.push(metric).map_err(BadBody::new)?;
    }
    builder.finish().map_err(BadBody::new)
}

/// What is wrong with one field of a metric. The message begins with the field's name.
#[derive(Debug, thiserror::Error)]
enum BadField {
    /// It is missing, or JSON of another type.
    #[error("{0}")]
    Shape(&'static str),
    /// It has the right type and a value that the contract does not allow.
    #[error("{0}")]
    Invalid(InvalidMetric),
}

impl<E: Into<InvalidMetric>> From<E> for BadField {
    fn from(reason: E) -> Self {
        Self::Invalid(reason.into())
    }
}

fn metric(mut object: Map<String, Value>) -> Result<Metric<'static>, BadField> {
    let Some(Value::String(name)) = object.remove("name") else {
        return Err(BadField::Shape("name: expected a string"));
    };
    let Some(Value::Number(number)) = object.remove("value") else {
        return Err(BadField::Shape("value: expected a number"));
    };
    let value = number.as_f64().unwrap_or(f64::NAN);
    let mut metric = Metric::new(name, value);
    metric.timestamp = object.get("timestamp").map(timestamp).transpose()?;
    metric.kind = object.get("type").map(kind).transpose()?.unwrap_or_default();
    metric.tags = object.remove("tags").map(tags).transpose()?.unwrap_or_default();
    Ok(metric)
}

fn timestamp(value: &Value) -> Result<Timestamp, BadField> {
    const EXPECTED: BadField =
        BadField::Shape("timestamp: expected Unix milliseconds or RFC 3339 text");
    match value {
        Value::String(text) => Ok(Timestamp::parse_rfc3339(text)?),
        Value::Number(number) => Ok(Timestamp::from_unix_ms(number.as_i64().ok_or(EXPECTED)?)?),
        _ => Err(EXPECTED),
    }
}

fn kind(value: &Value) -> Result<MetricKind, BadField> {
    match value {
        Value::String(name) => Ok(MetricKind::from_wire_name(name)?),
        _ => Err(BadField::Shape("type: expected a string")),
    }
}

fn tags(value: Value) -> Result<Tags<'static>, BadField> {
    let Value::Object(object) = value else {
        return Err(BadField::Shape("tags: expected an object"));
    };
    let mut tags = Tags::new();
    for (key, value) in object {
        let Value::String(value) = value else {
            return Err(BadField::Shape("tags: expected strings"));
        };
        tags.push(key, value)?;
    }
    Ok(tags)
}

fn parse_tree(body: &[u8]) -> Result<Value, BadBody> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let tree = Place::Body.deserialize(&mut deserializer);
    let whole = tree.and_then(|tree| deserializer.end().map(|()| tree));
    whole.map_err(|error| BadBody { offset: Some(offset(body, &error)), ..BadBody::new(error) })
}

/// From a line and a column, both from 1, to a byte from 0. A line feed that is bad itself comes as
/// column 0 of the line behind it.
fn offset(body: &[u8], error: &serde_json::Error) -> usize {
    if error.classify() == Category::Eof {
        return body.len();
    }
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line() - 1).map(<[u8]>::len).sum();
    (before + error.column()).saturating_sub(1)
}

/// Where in the body a value stands, which says which of its keys must not be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Body,
    List,
    Metric,
    Tags,
    /// In a field that nobody asked for. JSON allows repeated keys (RFC 8259, section 4).
    Elsewhere,
}

impl Place {
    fn of_member(self, key: &str) -> Self {
        match (self, key) {
            (Self::Body, "metrics") => Self::List,
            (Self::Body | Self::Metric, "tags") => Self::Tags,
            _ => Self::Elsewhere,
        }
    }

    fn of_item(self) -> Self {
        if self == Self::List { Self::Metric } else { Self::Elsewhere }
    }

    fn knows(self, key: &str) -> bool {
        match self {
            Self::Body | Self::Metric => {
                matches!(key, "name" | "value" | "timestamp" | "type" | "tags")
                    || self == Self::Body && key == "metrics"
            }
            Self::Tags => true,
            Self::List | Self::Elsewhere => false,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self.of_item())? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if self.knows(&key) && object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("key {key:?} is repeated")));
            }
            let value = members.next_value_seed(self.of_member(&key))?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> (String, Option<usize>) {
        let BadBody { detail, offset } = parse(body.as_bytes()).unwrap_err();
        (detail, offset)
    }

    #[test]
    fn takes_every_field() {
        let body = r#"{"metrics":[{"name":"a","value":-0.0,"timestamp":1758116723123,"type":"counter",
                       "tags":{"b":"1","a":"2"},"more":{"x":[1,{"x":1,"x":2}]}},{"name":"b","value":2}]}"#;
        let batch = parse(body.as_bytes()).unwrap();
        let [first, second] = batch.as_slice() else { panic!("{batch:?}") };
        assert_eq!(
            (first.value.to_bits(), first.kind),
            ((-0.0_f64).to_bits(), MetricKind::Counter)
        );
        assert_eq!(first.timestamp.unwrap().to_string(), "2025-09-17T13:45:23.123Z");
        assert_eq!(first.tags.iter().collect::<Vec<_>>(), [("b", "1"), ("a", "2")]);
        assert_eq!(*second, Metric::new("b", 2.0));
    }

    #[test]
    fn a_refusal_names_the_item_and_the_field() {
        for (body, expected) in [
            ("[]", "expected a JSON object"),
            ("{}", "name: expected a string"),
            (r#"{"name":"a"}"#, "value: expected a number"),
            (r#"{"name":"","value":1}"#, "name: empty"),
            (r#"{"metrics":{}}"#, "metrics: expected an array"),
            (r#"{"metrics":[]}"#, "metrics: empty"),
            (r#"{"metrics":[1]}"#, "metrics[0]: expected a JSON object"),
            (
                r#"{"metrics":[{"name":"a","value":1},["b",2]]}"#,
                "metrics[1]: expected a JSON object",
            ),
            (
                r#"{"metrics":[{"name":"a","value":1},{"name":"a","value":"1"}]}"#,
                "metrics[1].value: expected a number",
            ),
            (
                r#"{"metrics":[{"name":"a","value":1,"type":"summary"}]}"#,
                "metrics[0].type: not one of gauge, counter, histogram",
            ),
            (r#"{"name":"a","value":1,"tags":{"":"x"}}"#, "tags: key empty"),
            (r#"{"name":"a","value":1,"metrics":[]}"#, "a metric and a batch in the same body"),
        ] {
            assert_eq!(refusal(body), (expected.to_string(), None), "{body}");
        }
    }

    #[test]
    fn a_known_key_given_twice_is_refused_wherever_it_stands() {
        for body in [
            r#"{"name":"a","value":1,"name":"a"}"#,
            r#"{"metrics":[],"metrics":[]}"#,
            r#"{"metrics":[{"name":"a","value":1,"value":1}]}"#,
            r#"{"metrics":[{"name":"a","value":1,"tags":{"k":"1","k":"1"}}]}"#,
            r#"{"name":"a","value":1,"tags":{},"tags":{}}"#,
            r#"{"name":"a","value":1,"tags":{"k":"1","\u006b":"1"}}"#,
        ] {
            assert!(refusal(body).0.contains("is repeated"), "{body}");
        }
    }

    #[test]
    fn bad_syntax_is_told_with_its_byte() {
        for (body, expected) in [
            (r#"{"name":"m","value":1x}"#, 21),
            ("{\n\"name\": \"m\",\n\"value\": 01}", 25),
            ("{\"name\":\"a\nb\",\"value\":1}", 10),
            (r#"{"name":"m","value":1"#, 21),
            ("", 0),
            (r#"{"name":"m","value":1} x"#, 23),
        ] {
            assert_eq!(refusal(body).1, Some(expected), "{body}");
        }
    }
}
