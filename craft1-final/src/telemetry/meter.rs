//! Where one event loop counts, and nobody else.
//!
//! What always holds: a [`Meter`] can be neither cloned nor shared between threads, so its cells have
//! one writer.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use super::cells::{Cells, nanoseconds};
use super::dropped::Dropped;
use super::route::Route;

/// Where one event loop counts.
#[derive(Debug)]
pub struct Meter {
    cells: Arc<CachePadded<Cells>>,
    /// A meter may move to another thread and must not be in two of them: it is not `Sync`.
    one_thread: PhantomData<Cell<()>>,
}

impl Meter {
    pub(super) fn new(cells: Arc<CachePadded<Cells>>) -> Self {
        Self { cells, one_thread: PhantomData }
    }

    /// Counts an answer, before it is sent: who asks for the counters finds its last answer there.
    pub fn answered(&self, status: u16) {
        self.cells.requests_by_status[usize::from(status)].add(1);
    }

    /// Counts how long so many answers took, from the request's last byte to the answer's last.
    pub fn took(&self, route: Route, answers: u64, duration: Duration) {
        self.cells.durations[route as usize].observe(answers, duration);
    }

    /// Counts metrics that were answered with 202.
    pub fn accepted(&self, metrics: usize) {
        self.cells.accepted_metrics.add(metrics as u64);
    }

    /// Counts a request whose metrics were not taken.
    pub fn dropped(&self, reason: Dropped) {
        self.cells.dropped[reason as usize].add(1);
    }

    /// Counts bytes that clients sent.
    pub fn received(&self, len: usize) {
        self.cells.received_bytes.add(len as u64);
    }

    /// Counts bytes that were sent to clients.
    pub fn sent(&self, len: usize) {
        self.cells.sent_bytes.add(len as u64);
    }

    /// Counts a connection that begins.
    pub fn opened_connection(&self) {
        self.cells.opened_connections.add(1);
    }

    /// Counts a connection that ends.
    pub fn closed_connection(&self) {
        self.cells.closed_connections.add(1);
    }

    /// Counts a connection that was turned away.
    pub fn refused_connection(&self) {
        self.cells.refused_connections.add(1);
    }

    /// Counts a connection that was cut off, because there was no room for the answers that its client
    /// did not take.
    pub fn cut_off(&self) {
        self.cells.cut_off_connections.add(1);
    }

    /// Says how much memory clients make the loop keep now.
    pub fn buffered(&self, bytes: usize) {
        self.cells.buffered_bytes.set(bytes as u64);
    }

    /// Counts time in which the loop did not wait.
    pub fn busy(&self, duration: Duration) {
        self.cells.busy_ns.add(nanoseconds(duration));
    }
}
