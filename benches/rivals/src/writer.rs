//! The storage hand-off: a bounded channel of finished lines, and one thread that appends them to
//! the data file in batches.
//!
//! Always holds: lines are written in the order in which they were handed over, a batch of a
//! request stays together, and [`Writer::finish`] returns only after everything that
//! [`Intake`](crate::Intake) took has been written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};

/// Requests that may wait for the writer: about thirty milliseconds of the fastest rival's pipelined
/// load, which is the writer's own pause and then longer than the scheduler keeps the writer off a
/// core that it shares with the server. Of one metric each, they take some 4 MiB.
pub const QUEUE_REQUESTS_MAX: usize = 32_768;

/// A write is begun at this size even if more lines wait: large enough to make the system call's
/// own cost vanish, small enough to stay in the second-level cache.
const WRITE_BYTES_MAX: usize = 256 * 1024;

/// How long the writer lets lines gather once the channel is empty. A sleeping writer costs a
/// sender no wake-up, which would be a system call for nearly every request, and a longer sleep
/// means fewer switches on a core that the two share.
const LINGER: Duration = Duration::from_millis(5);

/// Time for handlers that passed the draining check to hand over their lines. They only compute,
/// for less than a millisecond; the rest is for a busy machine. A handler that is held up for longer
/// meets a writer that has ended, which its client sees as a 503.
const DRAIN_GRACE: Duration = Duration::from_millis(50);

/// The side of the channel that the server threads hold.
#[derive(Debug, Clone)]
pub struct LineSender {
    messages: Sender<Message>,
    draining: Arc<AtomicBool>,
}

impl LineSender {
    /// Hands over the lines of one request without waiting.
    pub fn send(&self, lines: Vec<u8>) -> Result<(), SendError> {
        // Relaxed: the flag carries no data, and `finish` waits far longer than a store takes.
        if self.draining.load(Ordering::Relaxed) {
            return Err(SendError::Stopped);
        }
        self.messages.try_send(Message::Lines(lines)).map_err(|error| match error {
            TrySendError::Full(_) => SendError::Full,
            TrySendError::Disconnected(_) => SendError::Stopped,
        })
    }

    /// Requests that wait for the writer.
    pub fn queue_size(&self) -> usize {
        self.messages.len()
    }
}

/// Why lines were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// [`QUEUE_REQUESTS_MAX`] requests already wait.
    #[error("the queue is full")]
    Full,
    /// The server is stopping, or the data file could not be written.
    #[error("the writer has stopped")]
    Stopped,
}

/// The writer thread. Dropping it without [`Writer::finish`] leaves queued lines unwritten.
#[derive(Debug)]
pub struct Writer {
    sender: LineSender,
    thread: JoinHandle<io::Result<()>>,
}

impl Writer {
    /// Opens `data_file` for appending, creating it when missing, and starts the thread.
    pub fn start(data_file: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(data_file)?;
        let (messages, receiver) = crossbeam_channel::bounded(QUEUE_REQUESTS_MAX);
        let thread = thread::Builder::new()
            .name("writer".into())
            .spawn(move || append_until_stopped(&receiver, file))?;
        let draining = Arc::default();
        Ok(Self { sender: LineSender { messages, draining }, thread })
    }

    /// A handle for a server thread.
    pub fn sender(&self) -> LineSender {
        self.sender.clone()
    }

    /// Refuses new lines, writes everything taken so far and ends the thread. Gives the error that
    /// stopped the writer, if one did.
    pub fn finish(self) -> io::Result<()> {
        self.sender.draining.store(true, Ordering::Relaxed);
        thread::sleep(DRAIN_GRACE);
        // An error here means that the thread has ended already; joining tells why.
        let _ = self.sender.messages.send(Message::Stop);
        self.thread.join().map_err(|_| io::Error::other("the writer thread panicked"))?
    }
}

#[derive(Debug)]
enum Message {
    Lines(Vec<u8>),
    Stop,
}

fn append_until_stopped(receiver: &Receiver<Message>, mut file: File) -> io::Result<()> {
    let mut pending = Vec::with_capacity(2 * WRITE_BYTES_MAX);
    while let Ok(Message::Lines(lines)) = receiver.recv() {
        pending.extend_from_slice(&lines);
        let next = gather(receiver, &mut pending);
        file.write_all(&pending)?;
        pending.clear();
        match next {
            Next::Continue => {}
            Next::Linger => thread::sleep(LINGER),
            Next::Stop => break,
        }
    }
    Ok(())
}

/// What the writer does after the write that it has gathered for.
enum Next {
    Continue,
    Linger,
    Stop,
}

fn gather(receiver: &Receiver<Message>, pending: &mut Vec<u8>) -> Next {
    while pending.len() < WRITE_BYTES_MAX {
        match receiver.try_recv() {
            Ok(Message::Lines(lines)) => pending.extend_from_slice(&lines),
            Ok(Message::Stop) => return Next::Stop,
            Err(_) => return Next::Linger,
        }
    }
    Next::Continue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_writes_everything_that_was_taken_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        let writer = Writer::start(&path).unwrap();
        let sender = writer.sender();
        let mut expected = String::new();
        for number in 0..10_000 {
            let line = format!("{number}\n");
            expected += &line;
            sender.send(line.into_bytes()).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
        assert_eq!(sender.send(b"late\n".to_vec()), Err(SendError::Stopped));
    }

    #[test]
    fn refuses_when_the_channel_is_full() {
        let (messages, _receiver) = crossbeam_channel::bounded(1);
        let sender = LineSender { messages, draining: Arc::default() };
        assert_eq!(sender.send(Vec::new()), Ok(()));
        assert_eq!(sender.send(Vec::new()), Err(SendError::Full));
        assert_eq!(sender.queue_size(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_failed_write_stops_the_writer_and_finish_tells_why() {
        let writer = Writer::start(Path::new("/dev/full")).unwrap();
        writer.sender().send(b"line\n".to_vec()).unwrap();
        assert_eq!(writer.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
