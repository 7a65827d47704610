//! Lines from the event loops to `metrics.jsonl`: lock-free rings, one thread that writes, group
//! commit.
//!
//! What always holds: what was acknowledged is where [`Ack`] says, each line whole and once, the
//! lines of one event loop in the order in which it took them. What waits is bounded in bytes, and
//! beyond that nothing is taken. When the disk refuses, nothing is acknowledged that is not
//! there; the service goes on by itself when the disk does.
//!
//! | file | what it does |
//! |---|---|
//! | `outbox` | an event loop's way here: chunks of lines, tickets, verdicts, the bound |
//! | `commit` | the thread: groups of chunks, and what is done about failures |
//! | `linger` | how long lines gather where nobody waits |
//! | `segments` | the open file: whole groups, new segments |
//! | `retention` | the oldest closed segments go |
//! | `recovery` | the open file at start-up |
//! | `lock` | one writer for a data directory |
//! | `disk`, `failure`, `counters` | the calls that can fail, how that is told, what is counted |
//! | `pause` | waiting for the other side, as a value |
//!
//! ```text
//! event loop ─ Outbox ─ chunk ─▶ ring (many producers) ─▶ thread ─▶ writev, fdatasync
//!      ▲                                                    │
//!      └── verdict, empty chunk ◀─ ring (one for each) ◀────┘ and its waker is called
//! ```

mod commit;
mod counters;
pub mod disk;
pub mod failure;
mod linger;
pub mod lock;
pub mod outbox;
mod pause;
pub mod recovery;
mod retention;
mod segments;

use std::fmt::{self, Debug, Formatter};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use craft1_phase1::recovery as data_file;
use craft1_phase1::service::ParseBody;
use craft1_phase4::ack::Ack;
use metrics_model::Timestamp;

use self::commit::{Committer, EventLoop, Pace};
use self::counters::Counters;
use self::disk::Disk;
use self::failure::{Failed, Failure};
use self::lock::{Lock, LockError};
use self::outbox::ROOM_BYTES_MIN;
use self::pause::Pause;
use self::recovery::Damaged;
use self::segments::{Rules, Segments};
use crate::ring::{mpsc, spsc_cached};

pub use self::counters::Status;
pub use self::outbox::{Outbox, Ticket, Verdict};

/// Gives an event loop a turn. Called from the writer's thread, after each group that had lines of
/// that loop.
pub type Waker = Box<dyn Fn() + Send>;

/// What the operator can choose. [`Options::default`] is what most would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What a 202 means.
    pub ack: Ack,
    /// Memory for lines that wait to be written, in bytes, for all event loops together. Each has
    /// an equal part, and 512 KiB or more. A request that is taken when its part is nearly full may
    /// exceed it by its own lines, so by the longest body and little more.
    pub queue_bytes: u64,
    /// How long lines gather between two writes under [`Ack::Accepted`]. The other words write at
    /// once.
    pub linger: Duration,
    /// A segment is closed before it would grow beyond so many bytes.
    pub segment_bytes: u64,
    /// A segment is closed so long after its first line.
    pub segment_age: Duration,
    /// Bytes of all segments together: the oldest closed ones are deleted for it. At least
    /// `segment_bytes`, which are set aside for the open one. `None` keeps everything.
    pub retain_bytes: Option<u64>,
    /// Whether to go on with a data file that is damaged, and leave its damaged lines where they are.
    pub skip_damage: bool,
    /// From a failure to the next try.
    pub retry: Duration,
    /// Where the server listens; for people who find the lock file.
    pub address: SocketAddr,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ack: Ack::Accepted,
            // Half a second of the highest load that one core can take.
            queue_bytes: 64 * 1024 * 1024,
            // Five milliseconds of it stay in a second-level cache until they are written.
            linger: Duration::from_millis(5),
            // Read through at start-up in a moment, and few enough to be listed for a large disk.
            segment_bytes: 1024 * 1024 * 1024,
            segment_age: Duration::from_hours(24),
            retain_bytes: None,
            skip_damage: false,
            // Often enough for a client that tries again after a second.
            retry: Duration::from_millis(200),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }
}

/// Why there is no writer.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server writes here, or the lock file cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It cannot be the data file.
    #[error(transparent)]
    File(#[from] data_file::OpenError),
    /// It has lines that are no stored metrics.
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        data_file::OpenError::from(error).into()
    }
}

/// What was not brought to its end.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// The disk refused them to the last.
    #[error("{0} metrics are lost: the data file could not be written to the end")]
    Lost(u64),
    /// Everything is written, and nobody knows how much of it is on the disk.
    #[error("the last writes may not survive a power cut: {0}")]
    Unsynced(io::Error),
    /// There is a mistake in the writer.
    #[error("the writer ended before its time; {0} metrics are lost")]
    Ended(u64),
}

/// The writer's thread and what it knows of itself.
pub struct Writer {
    thread: JoinHandle<Result<(), Failed>>,
    ack: Ack,
    counters: Arc<Counters>,
}

impl Writer {
    /// Opens the data file as [`recovery`] describes and starts the thread. There is an outbox for
    /// each waker, in their order.
    ///
    /// A stored line has the form of a single metric's body, so `parse_line` is the JSON layer.
    pub fn start(
        data_file: &Path,
        parse_line: ParseBody,
        options: Options,
        wakers: Vec<Waker>,
    ) -> Result<(Self, Vec<Outbox>), OpenError> {
        Self::start_on(Disk::default(), data_file, parse_line, options, wakers)
    }

    /// The same, on a disk of one's own.
    pub fn start_on(
        disk: Disk,
        data_file: &Path,
        parse_line: ParseBody,
        options: Options,
        wakers: Vec<Waker>,
    ) -> Result<(Self, Vec<Outbox>), OpenError> {
        let Options { ack, linger, segment_bytes, segment_age, retain_bytes, retry, .. } = options;
        let since = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MIN);
        let lock = Lock::take(data_file, options.address, since)?;
        let open = recovery::open(data_file, parse_line, options.skip_damage)?;
        let counters = Arc::new(Counters::new(wakers.len()));
        let is_durable = ack == Ack::Durable;
        let rules = Rules { is_durable, segment_bytes, segment_age, retain_bytes, retry };
        let mut segments = Segments::new(data_file, open, rules, disk, Arc::clone(&counters));
        segments.retain();

        let queue_bytes = usize::try_from(options.queue_bytes).unwrap_or(usize::MAX);
        let room_bytes_max = (queue_bytes / wakers.len().max(1)).max(ROOM_BYTES_MIN);
        let (outboxes, event_loops, chunks) = connect(wakers, room_bytes_max, ack, &counters);
        let pace = Pace { ack, linger, retry };
        let (pause, counted) = (Pause::default(), Arc::clone(&counters));
        let committer = Committer::new(chunks, event_loops, segments, pace, pause, counted);
        let run = move || {
            let result = committer.run();
            // Held for as long as anything is written.
            drop(lock);
            result
        };
        let thread = thread::Builder::new().name("writer".into()).spawn(run)?;
        Ok((Self { thread, ack, counters }, outboxes))
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        let status = self.counters.status();
        let failure = if self.thread.is_finished() { Some(Failure::ENDED) } else { status.failure };
        Status { failure, ..status }
    }

    /// Adds its own counters, as Prometheus text. Metrics that were accepted are counted where they
    /// are answered.
    pub fn render(&self, text: &mut String) {
        self.counters.render(text);
    }

    /// Waits until every outbox is dropped, writes what they handed over, syncs, ends the thread and
    /// says how many metrics were stored.
    ///
    /// # Errors
    /// What did not come to its end. What fails now is tried once more and not again.
    pub fn finish(self) -> Result<u64, FinishError> {
        self.counters.is_stopping.store(true, Relaxed);
        let result = self.thread.join();
        let Status { queue_size, stored_metrics, .. } = self.counters.status();
        // Under the other words, those who sent them were told so.
        let has_promised = self.ack == Ack::Accepted;
        match (result, self.counters.unstored_metrics.load(Relaxed)) {
            (Err(_), _) => Err(FinishError::Ended(queue_size)),
            (Ok(_), lost @ 1..) if has_promised => Err(FinishError::Lost(lost)),
            (Ok(Err(failed)), _) => Err(FinishError::Unsynced(failed.error)),
            (Ok(Ok(())), _) => Ok(stored_metrics),
        }
    }
}

impl Debug for Writer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// An outbox for each event loop, and both ways between them and the thread.
fn connect(
    wakers: Vec<Waker>,
    room_bytes_max: usize,
    ack: Ack,
    counters: &Arc<Counters>,
) -> (Vec<Outbox>, Vec<EventLoop>, mpsc::Consumer<outbox::Chunk>) {
    let chunks_max = outbox::chunks_max(room_bytes_max);
    let places = (chunks_max * wakers.len()).next_power_of_two();
    let (producer, chunks) = mpsc::channel(places);
    let connect = |(number, waker)| {
        let (emptied, back) = spsc_cached::channel(chunks_max.next_power_of_two());
        let (producer, counters) = (producer.clone(), Arc::clone(counters));
        let outbox =
            Outbox::new(number, room_bytes_max, ack, producer, back, Pause::default(), counters);
        (outbox, EventLoop { emptied, waker, is_to_be_woken: false })
    };
    let (outboxes, event_loops) = (0..).zip(wakers).map(connect).unzip();
    (outboxes, event_loops, chunks)
}
