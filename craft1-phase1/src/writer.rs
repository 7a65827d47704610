//! Lines to `metrics.jsonl`, inside the request and under one lock.
//!
//! What always holds: between two writes the file is a row of whole lines. Lines that
//! are given together are written whole or not at all: what a failed write left behind is cut off
//! before anybody else writes. Nobody else has the file open for writing, because it is locked.
//!
//! Naive: a slow disk makes every client wait, one behind the other. Phase 4 gives the file to one
//! thread that writes many batches at once. And nothing is synced: a power cut loses what the
//! kernel has not written yet.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem;
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
    /// A device or a pipe.
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
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::InUse,
            TryLockError::Error(error) => error.into(),
        })?;
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
    let mut is_too_long = false;
    loop {
        line.clear();
        match (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? {
            0 => return Ok(end),
            len => position += len as u64,
        }
        if !line.ends_with(b"\n") {
            // The line goes on, or the file ends in the middle of it.
            is_too_long = true;
            continue;
        }
        let verdict = if mem::take(&mut is_too_long) {
            Err(format!("longer than {LINE_BYTES_MAX} bytes"))
        } else {
            check(&line, parse)
        };
        if let Err(reason) = verdict {
            report(Damage::Line { number, reason });
        }
        (number, end) = (number + 1, position);
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

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use testkit::DataFolder;

    use super::*;
    use crate::json;

    const LINE: &str = r#"{"timestamp":"2025-09-17T13:45:23.123Z","name":"m","value":1.0}"#;

    /// What opening a file that holds `text` reports, and what it leaves.
    fn opened(text: &[u8]) -> (Vec<String>, Vec<u8>) {
        let folder = DataFolder::new();
        fs::write(folder.data_file(), text).unwrap();
        let mut damages = Vec::new();
        Writer::open(&folder.data_file(), json::parse, |it| damages.push(it.to_string())).unwrap();
        (damages, fs::read(folder.data_file()).unwrap())
    }

    /// A good line in so many bytes, its line feed counted.
    fn line_of(bytes: u64) -> String {
        let padding = usize::try_from(bytes).unwrap() - LINE.len() - 1;
        format!("{LINE}{}\n", " ".repeat(padding))
    }

    #[test]
    fn a_good_file_is_left_as_it_is() {
        for text in [String::new(), format!("{LINE}\n"), line_of(LINE_BYTES_MAX).repeat(2)] {
            assert_eq!(opened(text.as_bytes()), (vec![], text.into_bytes()));
        }
    }

    #[test]
    fn a_line_beyond_the_limit_is_damage_whatever_it_ends_with() {
        let long = line_of(LINE_BYTES_MAX + 1);
        // What stands behind the first megabyte is a good line of its own.
        let split = format!("{}{LINE}\n", " ".repeat(usize::try_from(LINE_BYTES_MAX).unwrap()));
        for bad in [long, split] {
            let text = format!("{LINE}\n{bad}{LINE}\n7\n");
            let (damages, left) = opened(text.as_bytes());
            assert_eq!(
                damages,
                [
                    "line 2 is damaged (longer than 1048576 bytes); it stays and is skipped",
                    "line 4 is damaged (expected a JSON object); it stays and is skipped",
                ]
            );
            assert_eq!(left, text.as_bytes());
        }
    }

    #[test]
    fn a_line_without_an_end_is_cut_however_long_it_is() {
        for torn_len in [1, LINE_BYTES_MAX, LINE_BYTES_MAX + 1, 2 * LINE_BYTES_MAX + 1] {
            let torn = "x".repeat(usize::try_from(torn_len).unwrap());
            let (damages, left) = opened(format!("{LINE}\n{torn}").as_bytes());
            assert_eq!(damages, [format!("cut 1 torn last line of {torn_len} bytes")]);
            assert_eq!(left, format!("{LINE}\n").as_bytes());
        }
    }

    #[test]
    fn a_line_that_we_would_not_write_is_damage() {
        for (line, reason) in [
            (r#"{"name":"m","value":1}"#, "it has no timestamp"),
            (r#"{"metrics":[{"name":"a","value":1},{"name":"b","value":1}]}"#, "it is a batch"),
            (r#"{"timestamp":0,"value":1}"#, "name: expected a string"),
        ] {
            let (damages, _) = opened(format!("{line}\n").as_bytes());
            assert_eq!(damages, [format!("line 1 is damaged ({reason}); it stays and is skipped")]);
        }
    }

    #[test]
    fn nobody_else_opens_the_file_meanwhile() {
        let folder = DataFolder::new();
        let open = || Writer::open(&folder.data_file(), json::parse, |_| ());
        let first = open().unwrap();
        assert!(matches!(open(), Err(OpenError::InUse)));
        drop(first);
        assert!(open().is_ok());
    }

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
        let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let mut tail = Tail { file, end: 0, is_torn: false };
        assert_eq!(tail.append(b"one\n").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(tail.is_torn);
        // Now the cut comes first, and its error is told.
        assert_eq!(tail.append(b"one\n").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!((tail.end, tail.is_torn), (0, true));
    }
}
