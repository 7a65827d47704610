//! Phase 1's writer under the names of phase 4's: lines to `metrics.jsonl` inside the request and
//! under one lock.
//!
//! What always holds: what phase 1's holds. So a request is answered when its lines are written,
//! whatever `--ack` says, and nothing ever waits in memory. The thread that serves the request waits
//! for the disk, and with it every other task of that thread: what phase 4 is there to end.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use craft1_phase1::recovery::{Damage, OpenError};
use craft1_phase1::service::{Health, ParseBody, Unstored};
use craft1_phase1::writer as in_place;

use crate::ack::Ack;

/// What phase 4's queue holds. Here there is none.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the command line says, none of which matters here.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// It is always `stored`.
    pub ack: Ack,
    /// Nothing waits.
    pub queue_bytes_max: usize,
}

impl Options {
    /// Those for a server.
    pub fn new(ack: Ack) -> Self {
        Self { ack, queue_bytes_max: QUEUE_BYTES_MAX }
    }
}

/// There is no reason to refuse work before it comes.
pub type Obstacle = Infallible;

/// How a writer is doing.
#[derive(Debug, Clone, Copy)]
pub struct Status {
    /// How far the metrics have come.
    pub health: Health,
    /// There is none.
    pub obstacle: Option<Obstacle>,
}

/// A handle to the data file. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Writer(Arc<File>);

#[derive(Debug)]
struct File {
    writer: in_place::Writer,
    stored: AtomicU64,
}

impl Writer {
    /// Opens the data file as phase 1 does.
    pub fn open(
        data_file: &Path,
        parse_line: ParseBody,
        _options: Options,
        report: impl FnMut(Damage),
    ) -> Result<Self, OpenError> {
        let writer = in_place::Writer::open(data_file, parse_line, report)?;
        Ok(Self(Arc::new(File { writer, stored: AtomicU64::new(0) })))
    }

    /// Writes the lines of one request. The future is ready at once.
    #[expect(clippy::needless_pass_by_value, reason = "phase 4's writer keeps them")]
    pub fn append(&self, lines: Vec<u8>, metrics: usize) -> Ready<Result<(), Unstored>> {
        ready(match self.0.writer.append(&lines) {
            Ok(()) => {
                self.0.stored.fetch_add(metrics as u64, Relaxed);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the data file cannot be written");
                Err(Unstored::Unwritable)
            }
        })
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        Status { health: Health::in_place(self.0.stored.load(Relaxed)), obstacle: None }
    }

    /// What it has counted is in [`Self::status`].
    pub fn render(&self, _text: &mut String) {}

    /// Syncs, and says how many metrics were stored.
    pub fn finish(self) -> io::Result<u64> {
        self.0.writer.sync()?;
        Ok(self.0.stored.load(Relaxed))
    }
}
