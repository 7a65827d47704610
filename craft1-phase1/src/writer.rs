//! Lines to `metrics.jsonl`, inside the request and under one lock.
//!
//! What always holds: between two writes the file is a row of whole lines. Lines that
//! are given together are written whole or not at all: what a failed write left behind is cut off
//! before anybody else writes. Nobody else has the file open for writing, because it is locked.
//!
//! Naive: a slow disk makes every client wait, one behind the other. Phase 4 gives the file to one
//! thread that writes many batches at once. And nothing is synced: a power cut loses what the
//! kernel has not written yet.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::service::ParseBody;

/// Longer than any line we write, so that a damaged file cannot fill the memory.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// The open data file.
#[derive(Debug)]
pub struct Writer {
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

/// What was wrong with a file that was opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A line that is not a stored metric. It stays where it is.
    #[error("line {number} is damaged ({reason}); it stays and is skipped")]
    Line {
        /// Its number, from 1.
        number: u64,
        /// Why it is none.
        reason: String,
    },
    /// The last line had no end: its writer was stopped in the middle. It is gone now.
    #[error("cut 1 torn last line of {bytes} bytes")]
    TornTail {
        /// How long it was.
        bytes: u64,
    },
}

/// Why a file cannot be the data file.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system does not let us.
    #[error("cannot open: {0}")]
    Io(#[from] io::Error),
    /// A folder, a device or a pipe.
    #[error("not a regular file")]
    NotRegular,
    /// Another server has it.
    #[error("in use by another process")]
    InUse,
}

impl Writer {
    /// Opens or creates the file, reports each damaged line and cuts a torn last one.
    ///
    /// A stored line has the form of a single metric's body, so `parse_line` is the JSON layer.
    pub fn open(
        path: &Path,
        parse_line: ParseBody,
        mut report: impl FnMut(Damage),
    ) -> Result<Self, OpenError> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(OpenError::NotRegular);
        }
        file.try_lock().map_err(|_| OpenError::InUse)?;
        let end = scan(&file, parse_line, &mut report)?;
        let bytes = file.metadata()?.len() - end;
        if bytes > 0 {
            file.set_len(end)?;
            report(Damage::TornTail { bytes });
        }
        Ok(Self { tail: Mutex::new(Tail { file, end, is_torn: false }) })
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

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.is_torn = false;
        Ok(())
    }
}

/// Looks at each whole line and returns where the last one ends.
fn scan(file: &File, parse: ParseBody, report: &mut impl FnMut(Damage)) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut line, mut number, mut position, mut end) = (Vec::new(), 1, 0, 0);
    loop {
        line.clear();
        match (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? {
            0 => return Ok(end),
            len => position += len as u64,
        }
        if line.ends_with(b"\n") {
            if let Err(reason) = check(&line, parse) {
                report(Damage::Line { number, reason });
            }
            (number, end) = (number + 1, position);
        }
    }
}

fn check(line: &[u8], parse: ParseBody) -> Result<(), String> {
    let batch = parse(line).map_err(|error| error.detail)?;
    match batch.as_slice() {
        [metric] if metric.timestamp.is_some() => Ok(()),
        [_] => Err("it has no timestamp".into()),
        _ => Err("it is a batch".into()),
    }
}
