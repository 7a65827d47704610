//! The end of the data file, and what is done about it when the disk fails.
//!
//! What always holds: lines that are appended together are there whole or not at all once the tail
//! is [repaired](Tail::repair), and nothing is appended before it is.
//!
//! A failed write leaves a part of its bytes behind, so the file is cut back to its last whole line.
//! A failed sync is worse. The kernel marks the pages clean that it could not write, so the next
//! sync says that all is well while the data is nowhere, and what a read shows may differ from what
//! is on the disk (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC
//! 2020). So nothing that the file was given since the last good sync is believed: the file is cut
//! back to there, put aside, and never written to again. A new file has no such past.

use std::io;

use super::storage::Storage;

/// As much as a probe writes. A full disk has room for a few more bytes in the last block of a file,
/// and a probe that fits there would say that all is well to the next batch's misfortune.
static PROBE: [u8; 64 * 1024] = [b' '; 64 * 1024];

/// What is appended to.
#[derive(Debug)]
pub(super) struct Tail<S> {
    storage: S,
    /// Up to here there are whole lines.
    end: u64,
    /// Up to here they were synced: nothing that was promised to be durable stands behind.
    synced_end: u64,
    state: State,
    renewals: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// There may be a part of a line behind `end`.
    Torn,
    /// There may be anything behind `synced_end`.
    Distrusted,
}

impl<S: Storage> Tail<S> {
    /// The end of what holds `end` bytes of whole lines, all of them synced as far as they ever
    /// will be.
    pub(super) fn new(storage: S, end: u64) -> Self {
        Self { storage, end, synced_end: end, state: State::Whole, renewals: 0 }
    }

    /// Appends whole lines.
    ///
    /// # Errors
    /// None of these lines is there, once the tail is repaired.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.repair()?;
        self.state = State::Torn;
        self.storage.append(lines)?;
        self.state = State::Whole;
        self.end += lines.len() as u64;
        Ok(())
    }

    /// Brings everything to the disk.
    ///
    /// # Errors
    /// Nothing that was appended since the last sync is there, once the tail is repaired.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.storage.sync().inspect_err(|_| self.state = State::Distrusted)?;
        self.synced_end = self.end;
        Ok(())
    }

    /// Takes away what failures have left behind. Where this fails as well, nothing changes, and it
    /// can be tried again.
    pub(super) fn repair(&mut self) -> io::Result<()> {
        match self.state {
            State::Whole => {}
            State::Torn => self.storage.cut(self.end)?,
            State::Distrusted => {
                self.storage.cut(self.synced_end)?;
                self.end = self.storage.renew()?;
                self.synced_end = self.end;
                self.renewals += 1;
            }
        }
        self.state = State::Whole;
        Ok(())
    }

    /// How many times a new file was begun.
    pub(super) fn renewals(&self) -> u64 {
        self.renewals
    }

    /// Whether lines could be appended, and synced: tries it, and leaves nothing behind.
    pub(super) fn probe(&mut self, is_synced: bool) -> io::Result<()> {
        self.repair()?;
        // It has no line end. So if we are killed in the middle, the next start cuts it.
        self.state = State::Torn;
        self.storage.append(&PROBE)?;
        if is_synced {
            self.sync()?;
        }
        self.repair()
    }
}
