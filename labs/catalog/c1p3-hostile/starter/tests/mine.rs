//! My tests of the reader. Each gives it a body and says what has to come of it.

use craft1_phase3::json;
use metrics_model::{Batch, Metric};

/// The metrics of a body, or nothing where it is refused.
fn taken(body: &(impl AsRef<[u8]> + ?Sized)) -> Option<Vec<Metric<'_>>> {
    json::parse(body.as_ref()).ok().map(Batch::into_metrics)
}

#[test]
fn a_plain_metric_is_taken_as_it_was_sent() {
    let metrics = taken(r#"{"name":"cpu_usage","value":85.5}"#);
    assert_eq!(metrics, Some(vec![Metric::new("cpu_usage", 85.5)]));
}
