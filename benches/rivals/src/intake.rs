//! What every storing rival does with a parsed body: check it, write its lines, hand them over.
//!
//! This part is the same compiled source in all of them, so that a comparison shows the server
//! stack and the JSON parser and nothing else.

use std::fmt::Display;
use std::time::SystemTime;

use metrics_model::Timestamp;

use crate::Reply;
use crate::stored;
use crate::wire::{Body, InvalidBody};
use crate::writer::{LineSender, SendError};

/// The handlers' way to the writer. It lives as long as the program and copies like a pointer, so
/// that no request pays for counting references.
#[derive(Debug, Clone, Copy)]
pub struct Intake {
    sender: &'static LineSender,
}

impl Intake {
    /// Keeps `sender` for the rest of the program's life.
    pub fn new(sender: LineSender) -> Self {
        Self { sender: Box::leak(Box::new(sender)) }
    }

    /// Takes what a parser made of the body of a `POST /metrics`, or says why not.
    pub fn take<E: Display>(self, parsed: Result<Body<'_>, E>) -> Reply {
        let body = match parsed {
            Ok(body) => body,
            Err(error) => return Reply::Rejected(error.to_string()),
        };
        match self.store(body) {
            Ok(count) => Reply::Accepted(count),
            Err(StoreError::Invalid(reason)) => Reply::Rejected(reason.to_string()),
            Err(StoreError::Clock(_) | StoreError::Send(_)) => Reply::Busy,
        }
    }

    /// The answer to `GET /health`.
    pub fn health(self) -> Reply {
        Reply::Healthy(self.sender.queue_size())
    }

    fn store(self, body: Body<'_>) -> Result<usize, StoreError> {
        let batch = body.into_batch()?;
        let received = Timestamp::try_from(SystemTime::now())?;
        self.sender.send(stored::lines(&batch, received))?;
        Ok(batch.len())
    }
}

#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error(transparent)]
    Invalid(#[from] InvalidBody),
    #[error("the clock of this machine: {0}")]
    Clock(#[from] metrics_model::InvalidTimestamp),
    #[error(transparent)]
    Send(#[from] SendError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Writer;

    #[test]
    fn a_stopped_writer_makes_the_answer_busy() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::start(&directory.path().join("metrics.jsonl")).unwrap();
        let intake = Intake::new(writer.sender());
        let take = || intake.take(serde_json::from_str(r#"{"name":"cpu","value":1}"#));
        assert_eq!(take(), Reply::Accepted(1));
        writer.finish().unwrap();
        assert_eq!(take(), Reply::Busy);
    }
}
