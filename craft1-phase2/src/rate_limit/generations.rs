//! The windows of many clients, for one thread at a time, in a bounded number of bytes.
//!
//! Clients are in one of two tables. A client that comes is put into the current one, or moved
//! there. When nobody needs the previous table any more, it is dropped whole and the current one
//! takes its place. So who is idle leaves without a timer, a scan or a list in order of age. The
//! working-set cache of `VictoriaMetrics` (Aliaksandr Valialkin) does the same.
//!
//! What always holds:
//! - A client stays for at least a whole window after its last request, which is as long as that
//!   request matters to either algorithm, unless the current table is full before.
//! - A full table takes the place of the previous one early, and whoever was in there is forgotten.
//!   The forgotten can start anew. A client is forgotten only after it was silent while a table
//!   filled with others: who hammers never is.
//! - Time never goes back. A thread that read the clock and then had to wait for another brings
//!   an earlier time than that other one; it counts as having come at the same time.
//!
//! Forgetting the longest silent is what nginx does when its zone is full. The other way, to let
//! new clients share one window, would let a stranger with many ids shut out every new client. To
//! forget gives such a stranger nothing: a new id has an empty window too. What it costs is said in
//! a counter, so that an operator sees it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasherDefault;
use std::iter::Sum;
use std::mem;

use super::client::AlreadyHashed;
use super::{ClientKey, Limit, Refused, Window};

/// Many clients.
#[derive(Debug)]
pub(super) struct Generations<W> {
    limit: Limit,
    /// From here on the current generation is full.
    full_bytes: usize,
    current: Generation<W>,
    previous: Generation<W>,
    /// The latest time it was told.
    now_ns: u64,
    evicted: u64,
    forgotten: u64,
}

/// Clients that were last seen at about the same time.
#[derive(Debug, Default)]
pub(super) struct Generation<W> {
    windows: HashMap<ClientKey, W, BuildHasherDefault<AlreadyHashed>>,
    /// What they take while this is the current generation.
    bytes: usize,
    /// When the last one of them was seen, in whole windows.
    last_epoch: u64,
}

/// How many clients there are, and what became of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// Those that are remembered.
    pub(super) clients: u64,
    /// Those that left because they were idle.
    pub(super) evicted: u64,
    /// Those that had to leave before it was known that they are.
    pub(super) forgotten: u64,
}

impl Sum for Census {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            clients: sum.clients + one.clients,
            evicted: sum.evicted + one.evicted,
            forgotten: sum.forgotten + one.forgotten,
        })
    }
}

/// What a client takes in a table at the worst: std's doubles when 7 of 8 slots are taken, and each
/// slot has a byte beside it.
pub(super) const fn slot_bytes<W>() -> usize {
    ((size_of::<(ClientKey, W)>() + 1) * 16).div_ceil(7)
}

impl<W: Window> Generations<W> {
    /// Takes at most `bytes_max`, or as much as two clients do where that is more.
    pub(super) fn new(limit: Limit, bytes_max: usize) -> Self {
        // The last client that is let in, or the last growth of a window, may be the greatest.
        let client_bytes = slot_bytes::<W>() + W::heap_bytes_max(limit);
        Self {
            limit,
            full_bytes: (bytes_max / 2).saturating_sub(client_bytes),
            current: Generation::default(),
            previous: Generation::default(),
            now_ns: 0,
            evicted: 0,
            forgotten: 0,
        }
    }

    /// Moves the clock. The clients that leave are given back, because dropping many of them takes
    /// a while: do it where nobody waits.
    #[must_use]
    pub(super) fn advance(&mut self, now_ns: u64) -> Option<Generation<W>> {
        self.now_ns = self.now_ns.max(now_ns);
        let epoch = self.now_ns / self.limit.window_ns();
        let is_new_epoch = self.current.last_epoch < epoch;
        // Whoever was last seen two epochs ago was seen more than a window ago.
        let is_idle = self.previous.last_epoch + 2 <= epoch;
        let is_full = self.current.bytes >= self.full_bytes;
        if !(is_new_epoch && is_idle || is_full) {
            self.current.last_epoch = epoch;
            return None;
        }
        let leaving = self.turn(epoch);
        if is_idle {
            self.evicted += leaving.len();
        } else {
            self.forgotten += leaving.len();
        }
        Some(leaving)
    }

    fn turn(&mut self, epoch: u64) -> Generation<W> {
        let next = Generation { last_epoch: epoch, ..Generation::default() };
        let current = mem::replace(&mut self.current, next);
        mem::replace(&mut self.previous, current)
    }

    /// Admits a request of this client at the time of the clock, or says when it would be.
    pub(super) fn check(&mut self, client: ClientKey) -> Result<(), Refused> {
        let bytes = &mut self.current.bytes;
        let window = match self.current.windows.entry(client) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let window = self.previous.windows.remove(&client).unwrap_or_default();
                *bytes += slot_bytes::<W>() + window.heap_bytes();
                entry.insert(window)
            }
        };
        *bytes -= window.heap_bytes();
        let verdict = window.check(self.limit, self.now_ns);
        *bytes += window.heap_bytes();
        verdict
    }

    /// Counts them.
    pub(super) fn census(&self) -> Census {
        let clients = self.current.len() + self.previous.len();
        Census { clients, evicted: self.evicted, forgotten: self.forgotten }
    }
}

impl<W> Generation<W> {
    fn len(&self) -> u64 {
        self.windows.len() as u64
    }
}

#[cfg(test)]
#[path = "generations_tests.rs"]
mod tests;
