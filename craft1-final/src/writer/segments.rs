//! The open segment: a group of lines goes to its end whole or not at all, and a new segment is
//! begun when it is full, old, or not to be trusted any more.
//!
//! What always holds: up to `end` the open file has whole lines that were stored, each of them once.
//! What a failure may have left behind is taken back before anything else is written. After a
//! failed sync nobody knows what of the file is on the disk, and a second sync that succeeds would
//! not tell, because the kernel has let go of what it could not write. So nothing of that group
//! is acknowledged, and the file is cut to what was, closed and left alone (what `PostgreSQL` learnt
//! in 2018, told in Rebello and others, "Can Applications Recover from fsync Failures?", 2020).
//!
//! A crash between two steps of a change of segments finds one of these, and each of them is where a
//! start begins: the old file under its old name; under its new one and no data file; or an empty
//! data file besides. The folder is synced before anything in a new file is acknowledged.
//!
//! What is written is not read again here, so the system is told to let go of it: every few mebibytes
//! what came last goes on its way to the disk, and what has arrived there leaves memory. Else the file
//! would fill all memory that is free, with pages that each have to be found first, and the disk would
//! hear of nothing for half a minute and then of everything.
//!
//! A segment is not synced when it is closed. Under `durable` everything in it was; the other two
//! words promise nothing for a power cut, and a sync would hold up the writer for as long as the disk
//! takes for a segment.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::counters::Counters;
use super::disk::Disk;
use super::failure::{Failed, Step};
use super::retention;

/// What is written is released in pieces of so many bytes: a fraction of a second of a high load, and
/// enough for the disk to write at once. A multiple of a page, so that the last page, which the next
/// line goes into, stays.
const RELEASE_BYTES: u64 = 8 * 1024 * 1024;

/// How far back a release looks for what is on the disk by now: as far as a disk may lag behind that
/// takes a second for what clients send in one.
const RELEASE_BEHIND_BYTES: u64 = 64 * 1024 * 1024;

/// When a segment is closed and how much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Whether a group is synced.
    pub(super) is_durable: bool,
    pub(super) segment_bytes: u64,
    pub(super) segment_age: Duration,
    /// `None`: everything.
    pub(super) retain_bytes: Option<u64>,
    /// From a change of segments that failed to the next try.
    pub(super) retry: Duration,
}

/// A data file that can be appended to.
#[derive(Debug)]
pub(super) struct OpenSegment {
    pub(super) file: File,
    /// Its length in bytes.
    pub(super) end: u64,
    /// When its first line was written.
    pub(super) begun: Option<Instant>,
}

/// The data file and the segments that came before it.
#[derive(Debug)]
pub(super) struct Segments {
    data_file: PathBuf,
    open: OpenSegment,
    tail: Tail,
    /// Up to here the system was told to let go of the open file.
    released: u64,
    /// Before that no change of segments is tried.
    change_not_before: Option<Instant>,
    rules: Rules,
    disk: Disk,
    counters: Arc<Counters>,
}

/// What stands behind the end of the open segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// Nothing.
    Whole,
    /// Perhaps a piece of what was to be written.
    Torn,
    /// The same, and the segment must be closed: a sync of it failed.
    Untrusted,
    /// The segment is closed already, and there is no open one.
    Closed,
}

impl Segments {
    pub(super) fn new(
        data_file: &Path,
        open: OpenSegment,
        rules: Rules,
        disk: Disk,
        counters: Arc<Counters>,
    ) -> Self {
        counters.open_bytes.store(open.end, Relaxed);
        let (data_file, tail, released) = (data_file.into(), Tail::Whole, open.end);
        Self { data_file, open, tail, released, change_not_before: None, rules, disk, counters }
    }

    /// Appends lines, whole or not at all; under `durable` they are on the disk then.
    ///
    /// # Errors
    /// That of the first step that failed. Nothing of the lines counts as stored, and what of them
    /// is in the file is taken back now or before the next lines.
    pub(super) fn append(&mut self, lines: &mut [IoSlice<'_>], now: Instant) -> Result<(), Failed> {
        let len = lines.iter().map(|it| it.len() as u64).sum();
        self.repair()?;
        self.change_if_due(len, now)?;
        self.put(lines)?;
        self.tail = Tail::Whole;
        self.open.end += len;
        self.open.begun.get_or_insert(now);
        self.counters.open_bytes.store(self.open.end, Relaxed);
        self.counters.written_bytes.fetch_add(len, Relaxed);
        Ok(())
    }

    /// Tells the system to let go of what was written, where that has become enough. It may have to
    /// hand a piece to the disk first, so nobody should be waiting for an answer.
    pub(super) fn release(&mut self) {
        let end = self.open.end - self.open.end % RELEASE_BYTES;
        if end > self.released {
            let start = end.saturating_sub(RELEASE_BEHIND_BYTES);
            (self.disk.release)(&self.open.file, start, end - start);
            self.released = end;
        }
    }

    /// Finds out whether so many bytes could be stored, and takes them back. They are blanks, so that
    /// neither a reader nor a start after a crash takes them for a line.
    pub(super) fn probe(&mut self, len: usize) -> Result<(), Failed> {
        self.repair()?;
        self.put(&mut [IoSlice::new(&vec![b' '; len])])?;
        self.repair()
    }

    /// Closes the segment if it is old enough.
    pub(super) fn age(&mut self, now: Instant) -> Result<(), Failed> {
        self.repair()?;
        self.change_if_due(0, now)
    }

    /// How long until [`Segments::age`] has something to do.
    pub(super) fn next_due(&self, now: Instant) -> Option<Duration> {
        let due = self.open.begun?.checked_add(self.rules.segment_age)?;
        let due = self.change_not_before.map_or(due, |it| it.max(due));
        Some(due.saturating_duration_since(now))
    }

    /// Brings everything to the disk, at the end.
    pub(super) fn finish(&mut self) -> Result<(), Failed> {
        self.repair()?;
        self.sync().map_err(Failed::at(Step::Sync))
    }

    /// Deletes what there is no room for, and counts the rest.
    pub(super) fn retain(&mut self) {
        // What is set aside for the open segment.
        let bytes_max =
            self.rules.retain_bytes.map(|it| it.saturating_sub(self.rules.segment_bytes));
        let (mut retained, counters) = (retention::Retained::default(), &self.counters);
        let result = retention::enforce(&self.data_file, bytes_max, &mut self.disk, &mut retained);
        counters.closed_segments.store(retained.segments, Relaxed);
        counters.closed_bytes.store(retained.bytes, Relaxed);
        counters.deleted_segments.fetch_add(retained.deleted_segments, Relaxed);
        counters.deleted_bytes.fetch_add(retained.deleted_bytes, Relaxed);
        if let Err(error) = result {
            counters.failed_aside(Step::Delete);
            tracing::error!(%error, "cannot delete the oldest closed segment: --retain is exceeded until the next one is closed");
        }
    }

    /// Brings lines behind the end, where they do not count yet.
    fn put(&mut self, lines: &mut [IoSlice<'_>]) -> Result<(), Failed> {
        self.tail = Tail::Torn;
        let result = self.write(lines).map_err(Failed::at(Step::Write)).and_then(|()| {
            if self.rules.is_durable { self.sync().map_err(Failed::at(Step::Sync)) } else { Ok(()) }
        });
        if let Err(Failed { step, .. }) = result {
            if step == Step::Sync {
                self.tail = Tail::Untrusted;
            }
            // Where this fails as well, `tail` makes the next one try again.
            let _ = self.repair();
        }
        result
    }

    fn write(&mut self, mut lines: &mut [IoSlice<'_>]) -> io::Result<()> {
        // Without the empty ones in front.
        IoSlice::advance_slices(&mut lines, 0);
        while !lines.is_empty() {
            self.counters.writes.fetch_add(1, Relaxed);
            match (self.disk.write)(&self.open.file, lines) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => IoSlice::advance_slices(&mut lines, len),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.counters.syncs.fetch_add(1, Relaxed);
        (self.disk.sync)(&self.open.file)
    }

    /// Takes back what a failure left behind.
    fn repair(&mut self) -> Result<(), Failed> {
        if matches!(self.tail, Tail::Torn | Tail::Untrusted) {
            let cut = (self.disk.cut)(&self.open.file, self.open.end);
            cut.map_err(Failed::at(Step::Cut))?;
        }
        match self.tail {
            Tail::Whole => return Ok(()),
            Tail::Torn => {}
            Tail::Untrusted => {
                self.close()?;
                self.begin()?;
            }
            Tail::Closed => self.begin()?,
        }
        self.tail = Tail::Whole;
        Ok(())
    }

    /// Closes the segment if so many more bytes would make it too long, or if it is too old.
    fn change_if_due(&mut self, more: u64, now: Instant) -> Result<(), Failed> {
        let Rules { segment_bytes, segment_age, retry, .. } = self.rules;
        let is_old = |begun: Instant| now.saturating_duration_since(begun) >= segment_age;
        let is_due = self.open.end > 0
            && (self.open.end + more > segment_bytes || self.open.begun.is_some_and(is_old));
        if !is_due || self.change_not_before.is_some_and(|it| now < it) {
            return Ok(());
        }
        if let Err(failed) = self.close() {
            // The open one is as good as before.
            self.change_not_before = now.checked_add(retry);
            self.counters.failed_aside(failed.step);
            tracing::error!(%failed, "the data file grows beyond its bound until it can be closed");
            return Ok(());
        }
        self.begin()
    }

    fn close(&mut self) -> Result<(), Failed> {
        let result = if self.open.end == 0 {
            // There is nothing in it to be kept, however often its syncs fail.
            (self.disk.remove)(&self.data_file)
        } else {
            (self.disk.close)(&self.data_file).map(|segment| {
                tracing::info!(segment = %segment.display(), bytes = self.open.end, "closed a segment");
            })
        };
        // It may have its new name although what came behind the renaming failed.
        if result.is_ok() || matches!(self.data_file.try_exists(), Ok(false)) {
            self.tail = Tail::Closed;
            return Ok(());
        }
        result.map_err(Failed::at(Step::Close))
    }

    fn begin(&mut self) -> Result<(), Failed> {
        let file = (self.disk.open)(&self.data_file).map_err(Failed::at(Step::Begin))?;
        (self.disk.sync_folder)(&self.data_file).map_err(Failed::at(Step::Begin))?;
        self.open = OpenSegment { file, end: 0, begun: None };
        self.released = 0;
        self.tail = Tail::Whole;
        self.change_not_before = None;
        self.counters.open_bytes.store(0, Relaxed);
        self.retain();
        Ok(())
    }
}
