//! How long each part of an exchange may take.
//!
//! What always holds: whoever waits for a client knows for how long. What the command line says
//! about it is in [`program`](crate::program).

use std::time::Duration;

/// The bounds on a client's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the start of the connection to the end of the head.
    pub header: Duration,
    /// From there to the end of the body.
    pub body: Duration,
    /// For the answer to be taken.
    pub write: Duration,
}
