//! How much waits, how much came and what became of it: the numbers behind `/health`, `/ready` and
//! `/metrics`.
//!
//! What always holds: they change together with what they count, under the queue's lock, so that
//! what was taken is always what waits and what was stored together.

use std::ops::{AddAssign, SubAssign};

use craft1_phase1::service::Unstored;

use super::failure::Failure;
use crate::ack::Ack;

/// How much of something there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) bytes: usize,
    pub(super) requests: usize,
    pub(super) metrics: u64,
}

impl AddAssign for Load {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.requests += other.requests;
        self.metrics += other.metrics;
    }
}

impl SubAssign for Load {
    fn sub_assign(&mut self, other: Self) {
        self.bytes -= other.bytes;
        self.requests -= other.requests;
        self.metrics -= other.metrics;
    }
}

/// The numbers of a queue, all of the same moment. Those but `waiting` are of metrics.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    /// Handed over, and neither written nor refused yet.
    pub(super) waiting: Load,
    /// Answered with 202.
    pub(super) accepted: u64,
    /// In the file.
    pub(super) stored: u64,
    /// Accepted, and never written, because the server ended first.
    pub(super) lost: u64,
    pub(super) refused_unwritable: u64,
    pub(super) refused_queue_full: u64,
    pub(super) refused_stopping: u64,
    /// What keeps the file from being written, where something does.
    pub(super) failure: Option<Failure>,
}

impl Numbers {
    /// Counts what is handed over.
    pub(super) fn take(&mut self, load: Load, ack: Ack) {
        self.waiting += load;
        if ack == Ack::Accepted {
            self.accepted += load.metrics;
        }
    }

    /// Counts what was handed over and is written, or will never be.
    pub(super) fn settle(&mut self, load: Load, verdict: Result<(), Unstored>, ack: Ack) {
        self.waiting -= load;
        let was_promised = ack == Ack::Accepted;
        match verdict {
            Ok(()) => {
                self.stored += load.metrics;
                if !was_promised {
                    self.accepted += load.metrics;
                }
            }
            Err(_) if was_promised => self.lost += load.metrics,
            Err(reason) => self.refuse(load, reason),
        }
    }

    /// Counts what is turned away.
    pub(super) fn refuse(&mut self, load: Load, reason: Unstored) {
        *match reason {
            Unstored::Unwritable => &mut self.refused_unwritable,
            Unstored::QueueFull => &mut self.refused_queue_full,
            Unstored::Stopping => &mut self.refused_stopping,
        } += load.metrics;
    }
}
