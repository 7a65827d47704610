//! The rivals: libraries that read into types and write from types.

use std::slice;

use metrics_model::Timestamp;
use serde::{Serialize, Serializer};
use simd_json::Buffers;

use super::typed::{Shape, Text, Typed, TypedMetric};

/// A way from bodies of one shape to lines, with the time for metrics that bring none.
#[derive(Clone, Copy)]
pub(super) struct Rewrite {
    shape: Shape,
    arrival: [u8; Timestamp::RFC3339_LEN],
}

impl Rewrite {
    pub(super) fn new(shape: Shape, arrival: Timestamp) -> Self {
        Self { shape, arrival: arrival.to_rfc3339() }
    }

    pub(super) fn by_serde_json(&self, body: &[u8], lines: &mut Vec<u8>) {
        let metrics = Typed::by_serde_json(body, self.shape).expect("a good body");
        self.each(&metrics, lines, |line, lines| serde_json::to_writer(lines, line).is_ok());
    }

    pub(super) fn by_sonic_rs(&self, body: &[u8], lines: &mut Vec<u8>) {
        let metrics = Typed::by_sonic_rs(body, self.shape).expect("a good body");
        self.each(&metrics, lines, |line, lines| sonic_rs::to_writer(lines, line).is_ok());
    }

    pub(super) fn by_simd_json(&self, body: &mut [u8], lines: &mut Vec<u8>, buffers: &mut Buffers) {
        let metrics = Typed::by_simd_json(body, self.shape, buffers).expect("a good body");
        self.each(&metrics, lines, |line, lines| simd_json::to_writer(lines, line).is_ok());
    }

    fn each(
        &self,
        metrics: &Typed<'_>,
        lines: &mut Vec<u8>,
        write: impl Fn(&Line<'_>, &mut Vec<u8>) -> bool,
    ) {
        let metrics = match metrics {
            Typed::Alone(metric) => slice::from_ref(metric),
            Typed::List(list) => &list.metrics,
        };
        for metric in metrics {
            let own = metric.timestamp.map(rfc3339);
            let is_written = write(&Line::of(metric, own.as_ref().unwrap_or(&self.arrival)), lines);
            assert!(is_written, "a vector takes every line");
            lines.push(b'\n');
        }
    }
}

fn rfc3339(unix_ms: i64) -> [u8; Timestamp::RFC3339_LEN] {
    Timestamp::from_unix_ms(unix_ms).expect("a good timestamp").to_rfc3339()
}

/// A stored line: the type where it is not the default, tags where there are any.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: &'a str,
    name: &'a str,
    value: f64,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    tags: Pairs<'a>,
}

impl<'a> Line<'a> {
    fn of(metric: &'a TypedMetric<'_>, timestamp: &'a [u8]) -> Self {
        let kind = metric.kind.as_ref().map(|kind| &*kind.0);
        Self {
            timestamp: str::from_utf8(timestamp).expect("digits and letters"),
            name: &metric.name,
            value: metric.value,
            kind: kind.filter(|kind| *kind != "gauge"),
            tags: Pairs(&metric.tags.0),
        }
    }
}

struct Pairs<'a>(&'a [(Text<'a>, Text<'a>)]);

impl Pairs<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (&*key.0, &*value.0)))
    }
}
