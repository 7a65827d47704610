//! Lines to `metrics.jsonl` through a bounded queue and one thread that writes them in batches.
//!
//! What always holds: batches are whole and in the order in which they were handed over; a request
//! hears `Ok` when its lines are as far as [`Ack`] says, and an error when they are not in the file
//! and will not be; memory is bounded, and beyond the bound the answer is
//! [`Unstored::QueueFull`], never growth.
//!
//! One thread has two effects. A system call is shared by all lines that came while the one before
//! it ran; where it is a sync, this is group commit (`DeWitt` et al., "Implementation Techniques for
//! Main Memory Database Systems", SIGMOD 1984). And nobody but that thread ever waits for the disk:
//! a request that has to wait is a task that sleeps.
//!
//! | file | what it does |
//! |---|---|
//! | `writer/queue.rs` | what waits: many fill it, one empties it |
//! | `writer/clerk.rs` | the thread: a batch to its end, and what is done while the disk fails |
//! | `writer/tail.rs` | the end of the file, whole again after each failure |
//! | `writer/storage.rs` | the file, behind the seam where tests put a disk that fails |
//! | `writer/failure.rs` | what went wrong, in words that say what to do |
//! | `writer/numbers.rs`, `writer/counters.rs` | how much waits, came, was refused, was written |

mod clerk;
mod counters;
mod failure;
mod numbers;
mod queue;
mod storage;
mod tail;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use craft1_phase1::recovery::{Damage, OpenError};
use craft1_phase1::service::{Health, ParseBody, Unstored};

use crate::ack::Ack;
use clerk::Clerk;
use counters::Counters;
use queue::Queue;

pub use failure::{Failure, Obstacle};
pub use storage::{DiskFile, Storage};

/// Bytes that may wait to be written: what a disk takes in a fraction of a second, and a machine
/// with a gigabyte can spare. A disk that is slower than its clients for longer will not catch up.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Requests that may wait to be written. Each may be a task that waits for its verdict, in about a
/// kilobyte; so together they take no more than a few times what the bytes take.
const QUEUE_REQUESTS_MAX: usize = 256 * 1024;

/// A batch is full at this size: so large that the cost of the system call itself no longer counts,
/// and so small that it is written from the processor's cache.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// How long lines gather before they are written, where nobody waits for it. Meanwhile the thread
/// sleeps and no request wakes it, which would be a system call for nearly each of them. It is what
/// a hard end of the process loses at most, beside what a slow disk holds up.
const LINGER: Duration = Duration::from_millis(5);

/// How long the thread rests before it tries a failing disk again: often enough that who comes back
/// after the second that `Retry-After` says finds it recovered, seldom enough to leave it alone.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// What a writer promises, and its limits.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How far lines are when [`Writer::append`] returns.
    pub ack: Ack,
    /// Bytes that may wait; one request may always.
    pub queue_bytes_max: usize,
    /// Requests that may wait.
    pub queue_requests_max: usize,
    /// Bytes that are written at once; one request always is.
    pub batch_bytes_max: usize,
    /// How long lines gather at [`Ack::Accepted`].
    pub linger: Duration,
    /// How long a disk that fails is left alone.
    pub retry_pause: Duration,
}

impl Options {
    /// Those for a server, with this promise.
    pub fn new(ack: Ack) -> Self {
        Self {
            ack,
            queue_bytes_max: QUEUE_BYTES_MAX,
            queue_requests_max: QUEUE_REQUESTS_MAX,
            batch_bytes_max: BATCH_BYTES_MAX,
            linger: LINGER,
            retry_pause: RETRY_PAUSE,
        }
    }
}

/// How a writer is doing; all of it at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// How far the metrics have come.
    pub health: Health,
    /// Why no more work should come, where something is in the way.
    pub obstacle: Option<Obstacle>,
}

impl Status {
    /// Whether the disk refuses what it is given.
    pub fn is_failing(&self) -> bool {
        matches!(self.obstacle, Some(Obstacle::Failing(_)))
    }
}

/// What a writer could not do at its end.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// The disk has refused them to the last.
    #[error("{metrics} accepted metrics are lost: {failure}")]
    Lost {
        /// How many.
        metrics: u64,
        /// Why.
        failure: Failure,
    },
    /// Everything is written. Whether it is on the disk is not known.
    #[error("the last writes may not survive a power cut: {0}")]
    NotSynced(#[source] io::Error),
}

/// A handle to the data file and its thread. Clones are handles to the same one.
///
/// When the last of them is gone without [`Writer::finish`], the thread still writes what waits, if
/// the process lives long enough.
#[derive(Debug, Clone)]
pub struct Writer(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    core: Arc<Core>,
    thread: Mutex<Option<JoinHandle<Result<(), FinishError>>>>,
}

/// What requests and the thread share.
#[derive(Debug)]
struct Core {
    queue: Queue,
    counters: Counters,
}

impl Writer {
    /// Opens or creates the data file, reports each damaged line and cuts a torn last one, as phase
    /// 1 does, and starts the thread.
    pub fn open(
        data_file: &Path,
        parse_line: ParseBody,
        options: Options,
        report: impl FnMut(Damage),
    ) -> Result<Self, OpenError> {
        let (mut file, end) = DiskFile::open(data_file, parse_line, report)?;
        if options.ack == Ack::Durable {
            // What an earlier server left to the kernel. The first sync is to answer for our own.
            file.sync()?;
        }
        Ok(Self::start(file, end, options)?)
    }

    /// Starts the thread on a storage that holds `end` bytes of whole lines.
    pub fn start(storage: impl Storage, end: u64, options: Options) -> io::Result<Self> {
        let core = Arc::new(Core { queue: Queue::new(options), counters: Counters::default() });
        let clerk = Clerk::new(Arc::clone(&core), storage, end);
        let thread = thread::Builder::new().name("writer".into()).spawn(move || clerk.run())?;
        Ok(Self(Arc::new(Handle { core, thread: Mutex::new(Some(thread)) })))
    }

    /// Hands over the lines of one request, `metrics` of them, and returns when they are as far as
    /// the promise says. At [`Ack::Accepted`] that is at once, and the future never waits.
    ///
    /// Who stops polling it does not take the lines back.
    ///
    /// # Errors
    /// The lines are not in the file and will not be. After a power cut they may be: a failed sync
    /// does not tell.
    pub async fn append(&self, lines: Vec<u8>, metrics: usize) -> Result<(), Unstored> {
        let Some(mut waiter) = self.0.core.queue.push(&lines, metrics)? else { return Ok(()) };
        // They are copied, and a request that waits need not hold them as well.
        drop(lines);
        match waiter.wait_for(Option::is_some).await {
            Ok(verdict) => verdict.unwrap_or(Err(Unstored::Unwritable)),
            Err(_thread_is_gone) => Err(Unstored::Unwritable),
        }
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        let numbers = self.0.core.queue.numbers();
        let options = &self.0.core.queue.options;
        // Three quarters, as for the backlog of connections: what is heard must hold until it is
        // asked again.
        let is_nearly_full = numbers.waiting.bytes > options.queue_bytes_max / 4 * 3
            || numbers.waiting.requests > options.queue_requests_max / 4 * 3;
        Status {
            health: Health {
                queue_size: numbers.waiting.metrics,
                accepted: numbers.accepted,
                stored: numbers.stored,
            },
            obstacle: match numbers.failure {
                Some(failure) => Some(Obstacle::Failing(failure)),
                None => is_nearly_full.then_some(Obstacle::Queue),
            },
        }
    }

    /// Appends what it has counted, as Prometheus text.
    pub fn render(&self, text: &mut String) {
        self.0.core.counters.render(&self.0.core.queue.numbers(), text);
    }

    /// Takes nothing more, writes what waits, syncs it, and ends the thread. This blocks; call it
    /// where no other task has to run. Returns how many metrics were stored in all.
    ///
    /// # Errors
    /// What is lost or may be. Of several handles the first that finishes hears it.
    ///
    /// # Panics
    /// If the thread has.
    pub fn finish(self) -> Result<u64, FinishError> {
        let Handle { core, thread } = &*self.0;
        core.queue.close();
        let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.join().expect("the writer's thread does not panic")?;
        }
        Ok(core.queue.numbers().stored)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.queue.close();
    }
}
