//! A writer with its event loops played by the test, on a disk that fails as the test says.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use craft1_final::writer::disk::Disk;
use craft1_final::writer::{OpenError, Options, Outbox, Status, Ticket, Verdict, Writer};
use craft1_phase3::json;
use craft1_phase4::ack::Ack;
use craft1_phase4::segment;
use testkit::{DEADLINE, DataFolder, Watchdog, wait_until};

/// A writer and the outboxes of its event loops.
pub(crate) struct Rig {
    pub(crate) writer: Writer,
    pub(crate) event_loops: Vec<EventLoop>,
}

/// An event loop without connections.
pub(crate) struct EventLoop {
    pub(crate) outbox: Outbox,
    woken: Receiver<()>,
}

/// Options that a test does not wait for.
pub(crate) fn options(ack: Ack) -> Options {
    Options {
        ack,
        linger: Duration::from_micros(100),
        retry: Duration::from_millis(1),
        ..Options::default()
    }
}

impl Rig {
    /// So many loops.
    pub(crate) fn try_start(
        folder: &DataFolder,
        options: Options,
        disk: Disk,
        loops: usize,
    ) -> Result<Self, OpenError> {
        let mut wakers: Vec<craft1_final::writer::Waker> = Vec::new();
        let mut receivers = Vec::new();
        for _ in 0..loops {
            let (sender, woken) = channel();
            wakers.push(Box::new(move || sender.send(()).unwrap_or_default()));
            receivers.push(woken);
        }
        let path = folder.data_file();
        let (writer, outboxes) = Writer::start_on(disk, &path, json::parse, options, wakers)?;
        let event_loops = outboxes.into_iter().zip(receivers);
        let event_loops = event_loops.map(|(outbox, woken)| EventLoop { outbox, woken }).collect();
        Ok(Self { writer, event_loops })
    }

    #[track_caller]
    pub(crate) fn start(folder: &DataFolder, options: Options, disk: Disk) -> Self {
        Self::try_start(folder, options, disk, 1).unwrap()
    }

    /// The first event loop.
    pub(crate) fn only(&mut self) -> &mut EventLoop {
        &mut self.event_loops[0]
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, is_so: impl Fn(Status) -> bool) {
        wait_until(what, || is_so(self.writer.status()));
    }

    /// One of the writer's own metrics.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let mut text = String::new();
        self.writer.render(&mut text);
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    }

    /// Ends the loops and then the writer.
    #[track_caller]
    pub(crate) fn finish(self) -> u64 {
        let _watchdog = Watchdog::start();
        drop(self.event_loops);
        self.writer.finish().unwrap()
    }
}

impl EventLoop {
    /// A request of one metric with this name.
    pub(crate) fn take(&mut self, name: &str) -> Ticket {
        self.outbox.lines().extend_from_slice(line(name).as_bytes());
        self.outbox.take(1)
    }

    /// The same in a turn of its own.
    pub(crate) fn send(&mut self, name: &str) -> Ticket {
        let ticket = self.take(name);
        self.flush();
        ticket
    }

    pub(crate) fn flush(&mut self) {
        self.outbox.flush(Instant::now());
    }

    /// Waits for the next verdict as a loop does: until it is woken.
    #[track_caller]
    pub(crate) fn verdict(&mut self) -> Verdict {
        loop {
            if let Some(verdict) = self.outbox.verdict() {
                return verdict;
            }
            self.wait();
        }
    }

    /// Waits until it is woken.
    #[track_caller]
    pub(crate) fn wait(&self) {
        self.woken.recv_timeout(DEADLINE).expect("to be woken");
    }
}

/// The line that a metric with this name is stored as.
pub(crate) fn line(name: &str) -> String {
    format!("{{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"{name}\",\"value\":1.0}}\n")
}

/// All that is stored, closed segments first.
pub(crate) fn text(data_file: &Path) -> String {
    let closed = segment::closed(data_file).unwrap().into_iter().map(|(_, path)| path);
    let files = closed.chain(data_file.exists().then(|| data_file.into()));
    files.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The names in their order. Every line must be one that [`line`] made.
#[track_caller]
pub(crate) fn names(data_file: &Path) -> Vec<String> {
    let text = text(data_file);
    let name = |whole: &str| {
        let name = whole.split('"').nth(7).unwrap_or_default().to_string();
        assert_eq!(line(&name).trim_end(), whole, "torn");
        name
    };
    assert!(text.is_empty() || text.ends_with('\n'), "torn: {text:?}");
    text.lines().map(name).collect()
}

/// A call to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Write,
    Sync,
    Cut,
    Open,
    Close,
    Remove,
    SyncFolder,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Works,
    /// Refused, and nothing was done.
    Fails(ErrorKind),
    /// Done, and an error all the same.
    WorksAndFails,
    /// A write takes so many bytes at most.
    Short(usize),
}

/// A disk whose calls have the fate that `fate` gives them.
pub(crate) fn disk(fate: impl FnMut(Call) -> Fate + Send + 'static) -> Disk {
    let Disk { release, mut cut, mut open, mut close, mut remove, .. } = Disk::default();
    let fate = Arc::new(Mutex::new(fate));
    let fate = move |call| fate.lock().unwrap_or_else(PoisonError::into_inner)(call);
    /// `$work`, if that is its fate.
    macro_rules! with_fate {
        ($call:ident, |$($argument:ident),+| $work:expr) => {{
            let fate = fate.clone();
            Box::new(move |$($argument),+| match fate(Call::$call) {
                Fate::Works | Fate::Short(_) => $work,
                Fate::Fails(kind) => Err(kind.into()),
                Fate::WorksAndFails => $work.and_then(|_done| Err(ErrorKind::Other.into())),
            })
        }};
    }
    let fate_of_writes = fate.clone();
    Disk {
        write: Box::new(move |mut file, buffers| match fate_of_writes(Call::Write) {
            Fate::Works => file.write_vectored(buffers),
            Fate::Short(len) => {
                let first = buffers.iter().find(|it| !it.is_empty()).unwrap();
                file.write(&first[..len.min(first.len())])
            }
            Fate::Fails(kind) => Err(kind.into()),
            Fate::WorksAndFails => {
                file.write_vectored(buffers).and_then(|_| Err(ErrorKind::Other.into()))
            }
        }),
        // A sync that works does nothing that a test could see, and takes its time.
        sync: with_fate!(Sync, |_file| Ok(())),
        release,
        cut: with_fate!(Cut, |file, len| cut(file, len)),
        open: with_fate!(Open, |path| open(path)),
        close: with_fate!(Close, |path| close(path)),
        remove: with_fate!(Remove, |path| remove(path)),
        sync_folder: with_fate!(SyncFolder, |_path| Ok(())),
    }
}

/// A gate that one thread waits at until another opens it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, std::sync::Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn pass(&self) {
        let (is_open, changed) = &*self.0;
        let closed = |is_open: &mut bool| !*is_open;
        let waited = changed.wait_timeout_while(is_open.lock().unwrap(), DEADLINE, closed);
        assert!(*waited.unwrap().0, "the gate stays closed");
    }
}

/// A disk on which so many calls work, the one after takes a part of a write, and then none.
pub(crate) fn dying(calls: usize, last_write: usize) -> Disk {
    let mut left = calls;
    disk(move |call| match (left, call) {
        (0, _) => Fate::Fails(ErrorKind::Other),
        (1, Call::Write) => {
            left = 0;
            Fate::Short(last_write)
        }
        _ => {
            left -= 1;
            Fate::Works
        }
    })
}
