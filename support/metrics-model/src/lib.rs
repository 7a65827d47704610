//! The plain data of the wire contract: what every phase receives, hands over and stores.
//!
//! What always holds: nothing here does I/O, reads a clock or knows JSON. A parser builds these
//! values, and the values refuse what the contract does not allow. So each phase can bring its own
//! parser while all of them agree on what a metric is.
//!
//! | a value of | proves |
//! |---|---|
//! | [`Timestamp`] | 1970 to the end of 9999, whole milliseconds |
//! | [`MetricKind`] | one of the three known types |
//! | [`Tags`] | at most 32 pairs, each within its limits, no key twice |
//! | [`Metric`] | nothing yet about its name and value: [`Metric::validate`] checks those two |
//! | [`Batch`] | 1 to 1,000 metrics, all of them valid |
//!
//! Text is [`Cow`](std::borrow::Cow): a parser lends slices of the request body and copies only
//! where an escape forces it. `into_owned` cuts the loan when data has to outlive the request.
//!
//! A refusal says what was wrong and where: `name: empty` for a metric sent alone,
//! `metrics[3].name: empty` for the fourth of a batch.
//!
//! # Example
//!
//! ```
//! use metrics_model::{Batch, Metric, Tags, Timestamp};
//!
//! let metric = Metric {
//!     timestamp: Some(Timestamp::parse_rfc3339("2025-09-17T15:45:23.123+02:00")?),
//!     tags: Tags::from_pairs([("host", "web-1"), ("core", "0")])?,
//!     ..Metric::new("cpu_usage", 85.5)
//! };
//! let batch = Batch::new(vec![metric, Metric::new("memory_used", 61.2)])?;
//! assert_eq!(batch.len(), 2);
//!
//! let refused = Batch::new(vec![Metric::new("cpu_usage", f64::NAN)]).unwrap_err();
//! assert_eq!(refused.to_string(), "metrics[0].value: not a finite number");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod limits;

mod batch;
mod kind;
mod metric;
mod name;
mod tags;
mod timestamp;

pub use batch::{Batch, BatchBuilder, InvalidBatch};
pub use kind::{MetricKind, UnknownMetricKind};
pub use metric::{InvalidMetric, Metric};
pub use name::InvalidName;
pub use tags::{InvalidTags, Tags};
pub use timestamp::{InvalidTimestamp, Timestamp};

/// The example of the README, compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
