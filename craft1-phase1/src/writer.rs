//! Lines to `metrics.jsonl`, inside the request and under one lock.
//!
//! What always holds: between two writes the file is a row of whole lines. Lines that
//! are given together are written whole or not at all: what a failed write left behind is cut off
//! before anybody else writes. Nobody else has the file open for writing, because it is locked.
//!
//! Naive: a slow disk makes every client wait, one behind the other. Phase 4 gives the file to one
//! thread that writes many batches at once. And nothing is synced: a power cut loses what the
//! kernel has not written yet.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use metrics_model::Timestamp;

use crate::line::EncodeLines;
use crate::recovery::{Damage, DataFile, OpenError};
use crate::service::{Delivery, ParseBody, Unstored};
use crate::telemetry::Telemetry;

/// The open data file.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    tail: Mutex<Tail>,
}

#[derive(Debug)]
struct Tail {
    file: File,
    /// Up to here it holds whole lines.
    end: u64,
    /// Whether there may be a piece of a line behind that.
    is_torn: bool,
}

impl Writer {
    /// Opens or creates the file, reports each damaged line and cuts a torn last one, as
    /// [`DataFile::open`] does.
    pub fn open(
        path: &Path,
        parse_line: ParseBody,
        report: impl FnMut(Damage),
    ) -> Result<Self, OpenError> {
        let DataFile { file, end } = DataFile::open(path, parse_line, report)?;
        Ok(Self { path: path.into(), tail: Mutex::new(Tail { file, end, is_torn: false }) })
    }

    /// Stores a delivery in place, as `encode` puts it: when this returns, its metrics are in the
    /// file and counted, or none of them is and standard error says why.
    pub fn store(
        &self,
        delivery: &Delivery<'_>,
        encode: EncodeLines,
        now: Timestamp,
        telemetry: &Telemetry,
    ) -> Result<(), Unstored> {
        let mut lines = Vec::new();
        encode(&mut lines, delivery, now);
        self.append(&lines).map_err(|error| {
            eprintln!("cannot write {}: {error}", self.path.display());
            Unstored::Unwritable
        })?;
        telemetry.stored(delivery.batch.len());
        Ok(())
    }

    /// Appends whole lines.
    ///
    /// # Errors
    /// Those of the write. Nothing of these lines is in the file then.
    pub fn append(&self, lines: &[u8]) -> io::Result<()> {
        // A poisoned lock is taken all the same: `is_torn` says what a panic may have left behind.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).append(lines)
    }

    /// Asks the kernel to bring everything to the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).file.sync_all()
    }
}

impl Tail {
    // ANCHOR: append
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.cut()?;
        }
        self.is_torn = true;
        if let Err(error) = self.file.write_all(lines) {
            // Where this fails as well, `is_torn` makes the next one try again.
            let _ = self.cut();
            return Err(error);
        }
        self.is_torn = false;
        self.end += lines.len() as u64;
        Ok(())
    }
    // ANCHOR_END: append

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.is_torn = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use testkit::DataFolder;

    use super::*;
    use crate::json;

    #[test]
    fn what_a_panic_left_behind_is_cut_before_the_next_write() {
        let folder = DataFolder::new();
        let writer = Writer::open(&folder.data_file(), json::parse, |_| ()).unwrap();
        writer.append(b"one\n").unwrap();
        let panicked = thread::scope(|scope| {
            let half_a_write = || {
                let mut tail = writer.tail.lock().unwrap();
                tail.is_torn = true;
                tail.file.write_all(b"tw").unwrap();
                panic!("in the middle of a write");
            };
            scope.spawn(half_a_write).join().is_err()
        });
        assert!(panicked && writer.tail.is_poisoned());
        writer.append(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(folder.data_file()).unwrap(), "one\nthree\n");
    }

    /// `/dev/full` refuses every write as a full disk does, and can be cut as little as one that
    /// is broken.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_write_that_cannot_be_taken_back_stays_to_be_taken_back() {
        let file = File::options().append(true).open("/dev/full").unwrap();
        let mut tail = Tail { file, end: 0, is_torn: false };
        assert_eq!(tail.append(b"one\n").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(tail.is_torn);
        // Now the cut comes first, and its error is told.
        assert_eq!(tail.append(b"one\n").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!((tail.end, tail.is_torn), (0, true));
    }
}
