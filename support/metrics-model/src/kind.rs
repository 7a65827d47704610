//! What a metric's values mean over time: `type` on the wire.
//!
//! What always holds: a value has a wire name, and reading that name gives the value back. The
//! three names and their meaning are those of Prometheus and OpenMetrics.

use std::fmt;

/// The type of a metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// A level that goes up and down, such as a temperature. What `type` means when absent.
    #[default]
    Gauge,
    /// A total that only grows, and starts again at zero with its process.
    Counter,
    /// One observation of a distribution, such as the duration of one request.
    Histogram,
}

impl MetricKind {
    /// Every type, in the order of the wire contract.
    pub const ALL: [Self; 3] = [Self::Gauge, Self::Counter, Self::Histogram];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }

    /// Reads a name from the wire. Names are lower case and exact.
    ///
    /// ```
    /// use metrics_model::MetricKind;
    ///
    /// assert_eq!(MetricKind::from_wire_name("counter"), Ok(MetricKind::Counter));
    /// assert!(MetricKind::from_wire_name("Counter").is_err());
    /// ```
    pub fn from_wire_name(name: &str) -> Result<Self, UnknownMetricKind> {
        match name {
            "gauge" => Ok(Self::Gauge),
            "counter" => Ok(Self::Counter),
            "histogram" => Ok(Self::Histogram),
            _ => Err(UnknownMetricKind),
        }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is not the name of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of gauge, counter, histogram")]
pub struct UnknownMetricKind;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wire_name_reads_back_as_its_kind() {
        for kind in MetricKind::ALL {
            assert_eq!(MetricKind::from_wire_name(kind.as_str()), Ok(kind));
            assert_eq!(kind.to_string(), kind.as_str());
        }
    }

    #[test]
    fn other_spellings_are_unknown() {
        for name in ["", "Gauge", "GAUGE", " gauge", "gauge ", "gauges", "summary"] {
            assert_eq!(MetricKind::from_wire_name(name), Err(UnknownMetricKind), "{name:?}");
        }
    }

    #[test]
    fn the_default_is_gauge() {
        assert_eq!(MetricKind::default(), MetricKind::Gauge);
    }

    #[test]
    fn the_refusal_lists_every_kind() {
        let names = MetricKind::ALL.map(MetricKind::as_str).join(", ");
        assert_eq!(UnknownMetricKind.to_string(), format!("not one of {names}"));
    }
}
