//! One measurement, and why one can be refused.
//!
//! What always holds: timestamp, type and tags are valid by their types. Name and value are plain
//! fields that a parser fills in as it meets them; [`Metric::validate`] checks the two, and
//! [`Batch`](crate::Batch) calls it for every metric that it takes.

use std::borrow::Cow;

use crate::kind::{MetricKind, UnknownMetricKind};
use crate::name::{InvalidName, check_name};
use crate::tags::{InvalidTags, Tags};
use crate::timestamp::{InvalidTimestamp, Timestamp};

/// One measurement: a name, a number, and what is known about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric<'a> {
    /// What is measured: 1 to 255 bytes, no control character.
    pub name: Cow<'a, str>,
    /// The measurement, a finite number.
    pub value: f64,
    /// When it was measured. `None` leaves it to the server to say when it arrived.
    pub timestamp: Option<Timestamp>,
    /// What the values mean over time: `type` on the wire.
    pub kind: MetricKind,
    /// Where it comes from.
    pub tags: Tags<'a>,
}

impl<'a> Metric<'a> {
    /// A gauge without timestamp and tags, not validated yet.
    ///
    /// ```
    /// use metrics_model::{Metric, MetricKind};
    ///
    /// let requests = Metric { kind: MetricKind::Counter, ..Metric::new("requests", 1024.0) };
    /// assert_eq!(requests.validate(), Ok(()));
    /// ```
    pub fn new(name: impl Into<Cow<'a, str>>, value: f64) -> Self {
        Self {
            name: name.into(),
            value,
            timestamp: None,
            kind: MetricKind::default(),
            tags: Tags::new(),
        }
    }

    /// Checks name and value, in this order. The other fields are valid by their types.
    ///
    /// ```
    /// use metrics_model::Metric;
    ///
    /// let refused = Metric::new("", 1.0).validate().unwrap_err();
    /// assert_eq!(refused.to_string(), "name: empty");
    /// ```
    #[inline]
    pub fn validate(&self) -> Result<(), InvalidMetric> {
        check_name(&self.name)?;
        if !self.value.is_finite() {
            return Err(InvalidMetric::ValueNotFinite);
        }
        Ok(())
    }

    /// Copies what is borrowed, so that the metric can outlive the request.
    pub fn into_owned(self) -> Metric<'static> {
        Metric {
            name: Cow::Owned(self.name.into_owned()),
            value: self.value,
            timestamp: self.timestamp,
            kind: self.kind,
            tags: self.tags.into_owned(),
        }
    }
}

/// Which field of a metric breaks the contract, and how.
///
/// [`Metric::validate`] finds the first two. The others come up while a metric is being built;
/// they are variants here so that `?` turns every refusal into the same message,
/// `field: reason`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetric {
    /// The name breaks the rule of names.
    #[error("name: {0}")]
    Name(InvalidName),
    /// The value is infinite or not a number.
    #[error("value: not a finite number")]
    ValueNotFinite,
    /// The timestamp cannot be read or lies outside its range.
    #[error("timestamp: {0}")]
    Timestamp(InvalidTimestamp),
    /// The type is not known.
    #[error("type: {0}")]
    Kind(UnknownMetricKind),
    /// The tags are too many, or one of them is bad.
    #[error("tags: {0}")]
    Tags(InvalidTags),
}

impl InvalidMetric {
    /// The wire name of the field, which is also how the message begins.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::ValueNotFinite => "value",
            Self::Timestamp(_) => "timestamp",
            Self::Kind(_) => "type",
            Self::Tags(_) => "tags",
        }
    }
}

// By hand and not by `#[from]`, which would also make the reason a `source`: the message contains
// it already, and printing the chain would say it twice.
impl From<InvalidName> for InvalidMetric {
    fn from(reason: InvalidName) -> Self {
        Self::Name(reason)
    }
}

impl From<InvalidTimestamp> for InvalidMetric {
    fn from(reason: InvalidTimestamp) -> Self {
        Self::Timestamp(reason)
    }
}

impl From<UnknownMetricKind> for InvalidMetric {
    fn from(reason: UnknownMetricKind) -> Self {
        Self::Kind(reason)
    }
}

impl From<InvalidTags> for InvalidMetric {
    fn from(reason: InvalidTags) -> Self {
        Self::Tags(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_values_are_valid() {
        for value in [0.0, -0.0, f64::MIN, f64::MAX, f64::MIN_POSITIVE, 5e-324] {
            assert_eq!(Metric::new("cpu", value).validate(), Ok(()), "{value:e}");
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let refused = Metric::new("cpu", value).validate();
            assert_eq!(refused, Err(InvalidMetric::ValueNotFinite), "{value}");
        }
    }

    #[test]
    fn the_name_is_reported_before_the_value() {
        let refused = Metric::new("", f64::NAN).validate().unwrap_err();
        assert_eq!(refused, InvalidMetric::Name(InvalidName::Empty));
    }

    #[test]
    fn every_message_begins_with_its_field() {
        let refusals = [
            (InvalidMetric::from(InvalidName::TooLong), "name: longer than 255 bytes"),
            (InvalidMetric::ValueNotFinite, "value: not a finite number"),
            (InvalidTimestamp::NotRfc3339.into(), "timestamp: not an RFC 3339 date and time"),
            (UnknownMetricKind.into(), "type: not one of gauge, counter, histogram"),
            (InvalidTags::TooMany.into(), "tags: more than 32 tags"),
        ];
        for (refusal, message) in refusals {
            assert_eq!(refusal.to_string(), message);
            assert_eq!(message.split(':').next(), Some(refusal.field()));
        }
    }

    #[test]
    fn owning_changes_no_field() {
        let body = String::from("cpu web-1");
        let metric = Metric {
            timestamp: Some(Timestamp::MAX),
            kind: MetricKind::Histogram,
            tags: Tags::from_pairs([("host", &body[4..])]).unwrap(),
            ..Metric::new(&body[..3], -0.0)
        };
        assert!(matches!(metric.name, Cow::Borrowed("cpu")));
        let owned: Metric<'static> = metric.clone().into_owned();
        assert_eq!(owned, metric);
        assert_eq!(owned.value.to_bits(), metric.value.to_bits());
    }
}
