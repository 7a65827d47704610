//! A batch of metrics that is taken whole or refused whole.
//!
//! What always holds: a [`Batch`] contains 1 to 1,000 metrics and every one of them is valid. It
//! has no other way into being than through these checks and no way to change afterwards, so
//! whoever receives one does not check again (Alexis King, "Parse, don't validate", 2019).

use crate::limits::METRICS_PER_BATCH_MAX;
use crate::metric::{InvalidMetric, Metric};

/// 1 to 1,000 valid metrics, in the order in which they were sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<'a> {
    metrics: Vec<Metric<'a>>,
}

#[expect(clippy::len_without_is_empty, reason = "a batch is never empty, so there is no question")]
impl<'a> Batch<'a> {
    /// Takes all metrics, or refuses all and names the first bad one. The items are looked at in
    /// order, and the 1,001st is bad whatever it is.
    ///
    /// ```
    /// use metrics_model::{Batch, Metric};
    ///
    /// let metrics = vec![Metric::new("cpu", 1.0), Metric::new("cpu\n", 2.0)];
    /// let refused = Batch::new(metrics).unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     "metrics[1].name: contains control character U+000A"
    /// );
    /// ```
    pub fn new(metrics: Vec<Metric<'a>>) -> Result<Self, InvalidBatch> {
        for (index, metric) in metrics.iter().enumerate() {
            check_item(index, metric)?;
        }
        BatchBuilder { metrics }.finish()
    }

    /// Takes a metric that was sent alone, without a list around it. The sender wrote no index, so
    /// the refusal has none.
    ///
    /// ```
    /// use metrics_model::{Batch, Metric};
    ///
    /// let refused = Batch::single(Metric::new("", 1.0)).unwrap_err();
    /// assert_eq!(refused.to_string(), "name: empty");
    /// ```
    pub fn single(metric: Metric<'a>) -> Result<Self, InvalidMetric> {
        metric.validate()?;
        Ok(Self { metrics: vec![metric] })
    }

    /// How many metrics there are: 1 to 1,000.
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// The metrics, in order.
    pub fn as_slice(&self) -> &[Metric<'a>] {
        &self.metrics
    }

    /// The metrics by reference, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Metric<'a>> {
        self.metrics.iter()
    }

    /// Gives the metrics away, and with them the proof.
    pub fn into_metrics(self) -> Vec<Metric<'a>> {
        self.metrics
    }

    /// Copies what is borrowed, so that the batch can outlive the request.
    pub fn into_owned(self) -> Batch<'static> {
        Batch { metrics: self.metrics.into_iter().map(Metric::into_owned).collect() }
    }
}

impl<'a> IntoIterator for Batch<'a> {
    type Item = Metric<'a>;
    type IntoIter = std::vec::IntoIter<Metric<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.metrics.into_iter()
    }
}

impl<'b, 'a> IntoIterator for &'b Batch<'a> {
    type Item = &'b Metric<'a>;
    type IntoIter = std::slice::Iter<'b, Metric<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Makes a batch one metric at a time, for a parser that meets them one at a time.
///
/// It finds what [`Batch::new`] finds, but while the parser still stands at the bad item: it can
/// say where in the body that is, an earlier item is always reported before a later one, and a
/// list of a million items stops at the 1,001st. [`push`](Self::push) consumes the builder and a
/// refusal does not give it back, so a batch with a bad item cannot be finished.
///
/// ```
/// use metrics_model::{BatchBuilder, Metric};
///
/// let mut builder = BatchBuilder::new();
/// for value in [1.0, 2.0] {
///     builder = builder.push(Metric::new("cpu", value))?;
/// }
/// assert_eq!(builder.finish()?.len(), 2);
/// # Ok::<(), metrics_model::InvalidBatch>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct BatchBuilder<'a> {
    metrics: Vec<Metric<'a>>,
}

impl<'a> BatchBuilder<'a> {
    /// Starts without metrics.
    pub const fn new() -> Self {
        Self { metrics: Vec::new() }
    }

    /// Starts with room for `count` metrics, and for no more than a batch can have.
    pub fn with_capacity(count: usize) -> Self {
        Self { metrics: Vec::with_capacity(count.min(METRICS_PER_BATCH_MAX)) }
    }

    /// The index that the next metric will have. A parser that refuses a field before its metric
    /// is complete says with it where it was, in [`InvalidBatch::Metric`].
    pub fn next_index(&self) -> usize {
        self.metrics.len()
    }

    /// Adds a valid metric, or refuses the whole batch because of it.
    #[inline]
    pub fn push(mut self, metric: Metric<'a>) -> Result<Self, InvalidBatch> {
        check_item(self.next_index(), &metric)?;
        self.metrics.push(metric);
        Ok(self)
    }

    /// Completes the batch. The only refusal left is [`InvalidBatch::Empty`].
    pub fn finish(self) -> Result<Batch<'a>, InvalidBatch> {
        if self.metrics.is_empty() {
            return Err(InvalidBatch::Empty);
        }
        Ok(Batch { metrics: self.metrics })
    }
}

/// Checks the metric at `index` of a list.
#[inline]
fn check_item(index: usize, metric: &Metric<'_>) -> Result<(), InvalidBatch> {
    if index >= METRICS_PER_BATCH_MAX {
        return Err(InvalidBatch::TooMany);
    }
    metric.validate().map_err(|reason| InvalidBatch::Metric { index, reason })
}

/// Why a batch was refused. Messages name fields as a path from the top of the JSON body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBatch {
    /// The list has no items.
    #[error("metrics: empty")]
    Empty,
    /// The list has more items than [`METRICS_PER_BATCH_MAX`]. How many is not said: a parser
    /// stops reading before it could know.
    #[error("metrics: more than {METRICS_PER_BATCH_MAX} items")]
    TooMany,
    /// An item is bad. It is the first bad one.
    #[error("metrics[{index}].{reason}")]
    Metric {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong with it.
        reason: InvalidMetric,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::InvalidName;

    fn metrics(count: usize) -> Vec<Metric<'static>> {
        vec![Metric::new("cpu", 1.0); count]
    }

    fn build(metrics: Vec<Metric<'_>>) -> Result<Batch<'_>, InvalidBatch> {
        metrics.into_iter().try_fold(BatchBuilder::new(), BatchBuilder::push)?.finish()
    }

    #[test]
    fn takes_1_to_1000_metrics() {
        for make in [Batch::new, build] {
            assert_eq!(make(metrics(0)), Err(InvalidBatch::Empty));
            assert_eq!(make(metrics(1)).unwrap().len(), 1);
            assert_eq!(make(metrics(999)).unwrap().len(), 999);
            assert_eq!(make(metrics(1000)).unwrap().len(), 1000);
            assert_eq!(make(metrics(1001)), Err(InvalidBatch::TooMany));
        }
    }

    #[test]
    fn an_earlier_bad_item_is_reported_before_the_excess() {
        let mut items = metrics(1001);
        items[999].name = "".into();
        items[1000].name = "".into();
        let expected = InvalidBatch::Metric { index: 999, reason: InvalidName::Empty.into() };
        for make in [Batch::new, build] {
            assert_eq!(make(items.clone()), Err(expected.clone()));
        }
    }

    #[test]
    fn messages_are_paths_into_the_body() {
        let message = |refusal: InvalidBatch| refusal.to_string();
        assert_eq!(message(InvalidBatch::Empty), "metrics: empty");
        assert_eq!(message(InvalidBatch::TooMany), "metrics: more than 1000 items");
        let mut items = metrics(5);
        items[3].name = "n".repeat(256).into();
        assert_eq!(
            message(Batch::new(items).unwrap_err()),
            "metrics[3].name: longer than 255 bytes"
        );
    }

    #[test]
    fn a_metric_sent_alone_is_a_batch_of_one_and_its_refusal_has_no_index() {
        assert_eq!(Batch::single(Metric::new("cpu", 1.0)).unwrap().as_slice(), metrics(1));
        assert_eq!(Batch::single(Metric::new("cpu", f64::NAN)), Err(InvalidMetric::ValueNotFinite));
    }

    #[test]
    fn every_way_out_gives_the_metrics_in_order() {
        let items = [1.0, 2.0, 3.0].map(|value| Metric::new("cpu", value)).to_vec();
        let batch = Batch::new(items.clone()).unwrap();
        assert_eq!(batch.as_slice(), items);
        assert_eq!(batch.iter().cloned().collect::<Vec<_>>(), items);
        assert_eq!((&batch).into_iter().cloned().collect::<Vec<_>>(), items);
        assert_eq!(batch.clone().into_iter().collect::<Vec<_>>(), items);
        assert_eq!(batch.clone().into_owned(), batch);
        assert_eq!(batch.into_metrics(), items);
    }

    #[test]
    fn a_builder_makes_no_more_room_than_a_batch_can_fill() {
        for (count, room) in [(0, 0), (5, 5), (usize::MAX, METRICS_PER_BATCH_MAX)] {
            assert_eq!(BatchBuilder::with_capacity(count).metrics.capacity(), room);
        }
    }

    #[test]
    fn the_builder_knows_the_index_of_the_next_metric() {
        let builder = BatchBuilder::new();
        assert_eq!(builder.next_index(), 0);
        assert_eq!(builder.push(Metric::new("cpu", 1.0)).unwrap().next_index(), 1);
    }
}
