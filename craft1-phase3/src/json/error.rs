//! Why a body is refused, and at which byte.
//!
//! What always holds: a refusal has a place: the byte that breaks the grammar, or the first byte of
//! the value that breaks the contract. Where something is missing, it is the first byte of the
//! object that lacks it.

use craft1_phase1::service::BadBody;
use metrics_model::{InvalidBatch, InvalidMetric};

use super::skip::DEPTH_MAX;

/// A result whose refusal is one pointer: refusals are rare, and so a good result stays small enough
/// to be handed on in registers.
pub(super) type Checked<T> = Result<T, Box<Refusal>>;

/// Why, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The byte of the body, from 0.
    pub(super) offset: usize,
    /// What is wrong with it.
    pub(super) reason: Reason,
}

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    /// It is not JSON.
    #[error("{0}")]
    Syntax(Syntax),
    /// It is JSON of another type than the contract has here, or something is missing.
    #[error("{0}")]
    Shape(&'static str),
    /// A known key comes twice. Two readers could keep different values.
    #[error("{0}: key is repeated")]
    Repeated(&'static str),
    /// The type is right, and the value is not allowed.
    #[error("{0}")]
    Metric(InvalidMetric),
    /// The list as a whole is not allowed.
    #[error("{0}")]
    Batch(InvalidBatch),
    /// One of these, with a field of an item in a list.
    #[error("metrics[{index}].{reason}")]
    Item { index: usize, reason: Box<Reason> },
    /// An item is JSON of another type.
    #[error("metrics[{0}]: expected a JSON object")]
    NotAnObject(usize),
}

/// The rule of RFC 8259 that is broken, or our bound on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Syntax {
    #[error("not UTF-8")]
    Utf8,
    #[error("the body ends in the middle")]
    End,
    #[error("expected nothing behind the object")]
    Trailing,
    #[error("expected a value")]
    Value,
    #[error("expected a key in quotes")]
    Key,
    #[error("expected `:`")]
    Colon,
    #[error("expected `,` or `}}`")]
    InObject,
    #[error("expected `,` or `]`")]
    InArray,
    #[error("expected a digit")]
    Digit,
    #[error("number beyond the range of a double")]
    Overflow,
    #[error("control character in a string")]
    Control,
    #[error("no such escape")]
    Escape,
    #[error("expected four hexadecimal digits")]
    Hexadecimal,
    #[error("half of a surrogate pair")]
    Surrogate,
    #[error("nested deeper than {DEPTH_MAX} levels")]
    Depth,
}

/// Refuses at `offset`.
#[cold]
pub(super) fn refuse<T>(offset: usize, reason: impl Into<Reason>) -> Checked<T> {
    Err(Box::new(Refusal { offset, reason: reason.into() }))
}

impl Refusal {
    /// Says in which item of the list it is. What is no JSON at all is no matter of one item.
    #[cold]
    pub(super) fn in_item(self, index: usize) -> Self {
        let reason = match self.reason {
            reason @ Reason::Syntax(_) => reason,
            reason => Reason::Item { index, reason: Box::new(reason) },
        };
        Self { reason, ..self }
    }
}

impl From<Box<Refusal>> for BadBody {
    fn from(refusal: Box<Refusal>) -> Self {
        Self { detail: refusal.reason.to_string(), offset: Some(refusal.offset) }
    }
}

impl From<Syntax> for Reason {
    fn from(rule: Syntax) -> Self {
        Self::Syntax(rule)
    }
}

impl From<InvalidMetric> for Reason {
    fn from(reason: InvalidMetric) -> Self {
        Self::Metric(reason)
    }
}

impl From<InvalidBatch> for Reason {
    fn from(reason: InvalidBatch) -> Self {
        Self::Batch(reason)
    }
}
