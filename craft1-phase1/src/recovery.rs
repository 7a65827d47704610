//! The data file at start-up: opened, locked, read through, and cut behind its last whole line.
//!
//! What always holds: whoever gets a [`DataFile`] is the only one that writes to it, it ends with a
//! whole line, and everything in it that is not a stored metric was reported with its place. Only a
//! torn last line is taken away: a process that is stopped in the middle of a write leaves nothing
//! else behind, so damage anywhere else has another cause, and is for a person to look at.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read};
use std::mem;
use std::path::Path;

use crate::service::ParseBody;

/// Longer than any line we write, so that a damaged file cannot fill the memory.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// A file that metrics are appended to.
#[derive(Debug)]
pub struct DataFile {
    /// Open for appending, and locked for as long as it is open.
    pub file: File,
    /// Its length in bytes: up to here it holds whole lines, and nothing behind.
    pub end: u64,
}

/// What was wrong with a file that was opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A line that is not a stored metric. It stays where it is.
    #[error("line {number} is damaged ({reason}); it stays and is skipped")]
    Line {
        /// Its number, from 1.
        number: u64,
        /// Its first byte, from 0.
        offset: u64,
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

impl DataFile {
    /// Opens or creates the file, reports each damaged line and cuts a torn last one.
    ///
    /// A stored line has the form of a single metric's body, so `parse_line` is the JSON layer.
    pub fn open(
        path: &Path,
        parse_line: ParseBody,
        mut report: impl FnMut(Damage),
    ) -> Result<Self, OpenError> {
        let file = lock(path)?;
        let end = scan(&file, parse_line, &mut report)?;
        let bytes = file.metadata()?.len() - end;
        if bytes > 0 {
            file.set_len(end)?;
            report(Damage::TornTail { bytes });
        }
        Ok(Self { file, end })
    }
}

/// Opens or creates a data file, for nobody but us.
pub fn lock(path: &Path) -> Result<File, OpenError> {
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(OpenError::NotRegular);
    }
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::InUse,
        TryLockError::Error(error) => error.into(),
    })?;
    Ok(file)
}

/// Reports each damaged line among the whole ones, and returns where the last of them ends, in
/// bytes. What is behind is a torn one.
pub fn scan(file: impl Read, parse: ParseBody, report: &mut impl FnMut(Damage)) -> io::Result<u64> {
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
            report(Damage::Line { number, offset: end, reason });
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
    use std::fs;

    use testkit::DataFolder;

    use super::*;
    use crate::json;

    const LINE: &str = r#"{"timestamp":"2025-09-17T13:45:23.123Z","name":"m","value":1.0}"#;

    /// What opening a file that holds `text` reports, and what it leaves.
    fn opened(text: &[u8]) -> (Vec<String>, Vec<u8>) {
        let folder = DataFolder::new();
        fs::write(folder.data_file(), text).unwrap();
        let mut damages = Vec::new();
        DataFile::open(&folder.data_file(), json::parse, |it| damages.push(it.to_string()))
            .unwrap();
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
    fn damage_has_its_line_and_its_first_byte() {
        let text = format!("{LINE}\n7\n\n{LINE}\n{LINE}");
        let (mut places, len) = (Vec::new(), LINE.len() as u64);
        let mut report = |damage| match damage {
            Damage::Line { number, offset, .. } => places.push((number, offset)),
            Damage::TornTail { .. } => panic!("a scan takes nothing away"),
        };
        let end = scan(text.as_bytes(), json::parse, &mut report).unwrap();
        assert_eq!((places, end), (vec![(2, len + 1), (3, len + 3)], 2 * len + 5));
    }

    #[test]
    fn nobody_else_opens_the_file_meanwhile() {
        let folder = DataFolder::new();
        let open = || DataFile::open(&folder.data_file(), json::parse, |_| ());
        let first = open().unwrap();
        assert!(matches!(open(), Err(OpenError::InUse)));
        drop(first);
        assert!(open().is_ok());
    }
}
