//! The data file at start-up: read through, refused where it is damaged, and cut behind its last
//! whole line.
//!
//! What always holds: nothing is changed in a file that is refused. Damage is a line that the JSON
//! layer does not take as one stored metric with a timestamp, in the middle of the open file: a
//! writer that was stopped leaves a torn last line and nothing else, so damage has another cause
//! (an editor, a disk, a second program), and appending behind it would hide it. `--skip-damage` is how an
//! operator says to leave it where it is and go on.
//!
//! Every line is read in full. A cheaper look, at its first and last bytes, would miss what was lost
//! inside, and a segment is read in seconds (benchmark `writer`, group `a start`). Closed segments are
//! not read through: nothing is ever written behind them, so damage in one cannot grow or be hidden,
//! and a start must not take longer the more is kept. Only the last byte of each is looked at: where
//! it is no line feed, a power cut took its end.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use craft1_phase1::recovery::{self, Damage};
use craft1_phase1::service::ParseBody;
use craft1_phase4::segment;

use super::OpenError;
use super::segments::OpenSegment;

/// A start that takes longer says how far it is, and says so again.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Damaged lines that are told one by one. A file of something else has one damaged line after the
/// other.
const DAMAGE_TOLD_MAX: u64 = 10;

/// The first damaged line of a file, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}: line {line} (byte {offset}) is damaged: {reason}; {count} damaged in all: repair the file \
     or move it away, or start with --skip-damage to leave such lines where they are",
    file.display()
)]
pub struct Damaged {
    /// The data file.
    pub file: PathBuf,
    /// The number of the line, from 1.
    pub line: u64,
    /// Its first byte, from 0.
    pub offset: u64,
    /// Why it is no stored metric.
    pub reason: String,
    /// How many damaged lines the file has.
    pub count: u64,
}

/// Opens or creates the data file. The log tells of a long start, of a torn line and of damage that
/// is skipped.
pub(super) fn open(
    data_file: &Path,
    parse_line: ParseBody,
    skip_damage: bool,
) -> Result<OpenSegment, OpenError> {
    let file = recovery::lock(data_file)?;
    let len = file.metadata()?.len();
    let mut damaged = None;
    let mut report = |damage| note(damage, data_file, skip_damage, &mut damaged);
    let end = recovery::scan(Progress::new(&file, data_file, len), parse_line, &mut report)?;
    if let Some(damaged) = damaged {
        if !skip_damage {
            return Err(OpenError::Damaged(damaged));
        }
        tracing::warn!(file = %data_file.display(), lines = damaged.count, "damaged lines stay where they are");
    }
    if end < len {
        file.set_len(end)?;
        tracing::warn!(file = %data_file.display(), "{}", Damage::TornTail { bytes: len - end });
    }
    segment::sync_folder(data_file)?;
    tell_torn_segments(data_file)?;
    let begun = (end > 0).then(|| begun(&file)).transpose()?;
    Ok(OpenSegment { file, end, begun })
}

fn note(damage: Damage, file: &Path, skip_damage: bool, damaged: &mut Option<Damaged>) {
    // A scan takes nothing away, so it reports no torn tail.
    let Damage::Line { number: line, offset, reason } = damage else { return };
    let first = damaged.get_or_insert_with(|| Damaged {
        file: file.into(),
        line,
        offset,
        reason: reason.clone(),
        count: 0,
    });
    first.count += 1;
    if skip_damage && first.count <= DAMAGE_TOLD_MAX {
        tracing::warn!(file = %file.display(), line, offset, reason, "a damaged line is skipped");
    }
}

/// When a file that has lines was begun: as long ago as it exists, where the file system knows.
fn begun(file: &File) -> io::Result<Instant> {
    let metadata = file.metadata()?;
    let created = metadata.created().or_else(|_| metadata.modified())?;
    let age = SystemTime::now().duration_since(created).unwrap_or_default();
    let now = Instant::now();
    Ok(now.checked_sub(age).unwrap_or(now))
}

fn tell_torn_segments(data_file: &Path) -> io::Result<()> {
    for (_, path) in segment::closed(data_file)? {
        if is_torn(&path)? {
            tracing::warn!(segment = %path.display(), "a closed segment ends inside a line: a power cut took its end");
        }
    }
    Ok(())
}

fn is_torn(path: &Path) -> io::Result<bool> {
    if fs::metadata(path)?.len() == 0 {
        return Ok(false);
    }
    let (mut file, mut last) = (File::open(path)?, [0]);
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// A file that says how much of it was read.
struct Progress<'a> {
    file: &'a File,
    path: &'a Path,
    read_bytes: u64,
    len: u64,
    next: Instant,
}

impl<'a> Progress<'a> {
    fn new(file: &'a File, path: &'a Path, len: u64) -> Self {
        Self { file, path, read_bytes: 0, len, next: Instant::now() + PROGRESS_EVERY }
    }
}

impl Read for Progress<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read(buffer)?;
        self.read_bytes += len as u64;
        let now = Instant::now();
        if now >= self.next {
            self.next = now + PROGRESS_EVERY;
            let percent = self.read_bytes * 100 / self.len.max(1);
            tracing::info!(file = %self.path.display(), percent, "reading the data file");
        }
        Ok(len)
    }
}
