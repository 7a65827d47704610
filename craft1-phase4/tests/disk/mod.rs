//! A disk in memory that fails as it is told to, and a few words to talk to a writer above it.
//!
//! Its syncs fail as those of real file systems do (Rebello et al., "Can Applications Recover from
//! fsync Failures?", 2020): what a failed sync should have brought to the disk is lost, and later
//! syncs of the same file say that all is well and bring nothing.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use craft1_phase1::service::Unstored;
use craft1_phase4::ack::Ack;
use craft1_phase4::writer::{Options, Storage, Writer};

/// What one operation does instead of what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: it works.
    None,
    /// A write keeps so many bytes of what it is given, at most all but one; anything else is as
    /// with `Fails`.
    Short(usize),
    /// It fails and has no effect, but that of a sync on what it should have synced.
    Fails,
}

/// What was done to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// A write that was asked for, and how long it was.
    Append(usize),
    Sync,
    Cut(u64),
    Renew,
}

/// A file, as a process sees it, and as it is after a power cut.
#[derive(Debug, Clone, Default)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    /// How much of it is on the disk.
    pub(crate) on_disk: usize,
    /// Whether a sync has failed.
    lies: bool,
}

#[derive(Debug, Default)]
struct State {
    /// The last one is written to.
    files: Vec<File>,
    /// What the next operations do; those behind work.
    faults: VecDeque<Fault>,
    /// Whether every operation fails, after those that are planned.
    is_broken: bool,
    calls: Vec<Call>,
    /// Whether operations wait.
    is_held: bool,
    /// How many may go on all the same.
    steps: usize,
}

/// A handle to the disk; its clones are handles to the same one.
#[derive(Debug, Clone)]
pub(crate) struct Disk(Arc<(Mutex<State>, Condvar)>);

impl Disk {
    pub(crate) fn new() -> Self {
        let state = State { files: vec![File::default()], ..State::default() };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    /// From now on everything fails, or nothing more does.
    pub(crate) fn set_broken(&self, is_broken: bool) {
        let mut state = self.lock();
        state.faults.clear();
        state.is_broken = is_broken;
    }

    /// What the next operations do, behind what was planned before.
    pub(crate) fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults);
    }

    /// From now on operations wait, or go on.
    pub(crate) fn hold(&self, is_held: bool) {
        self.lock().is_held = is_held;
        self.0.1.notify_all();
    }

    /// Lets one operation of a disk that is held go on.
    pub(crate) fn step(&self) {
        self.lock().steps += 1;
        self.0.1.notify_all();
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    pub(crate) fn files(&self) -> Vec<File> {
        self.lock().files.clone()
    }

    /// What stands in the file that is written to.
    pub(crate) fn text(&self) -> String {
        let files = self.files();
        String::from_utf8(files.last().unwrap().bytes.clone()).unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    /// Begins an operation: is counted, waits while the disk is held, and draws its fault.
    fn begin(&self, call: Call) -> (MutexGuard<'_, State>, Fault) {
        let mut state = self.lock();
        state.calls.push(call);
        let waits = |state: &mut State| state.is_held && state.steps == 0;
        let mut state = self.0.1.wait_while(state, waits).unwrap();
        state.steps = state.steps.saturating_sub(1);
        let otherwise = if state.is_broken { Fault::Fails } else { Fault::None };
        let fault = state.faults.pop_front().unwrap_or(otherwise);
        (state, fault)
    }
}

fn full() -> io::Error {
    ErrorKind::StorageFull.into()
}

impl State {
    fn file(&mut self) -> &mut File {
        self.files.last_mut().unwrap()
    }
}

impl Storage for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (mut state, fault) = self.begin(Call::Append(bytes.len()));
        let kept = match fault {
            Fault::None => bytes.len(),
            Fault::Short(len) => len.min(bytes.len() - 1),
            Fault::Fails => 0,
        };
        state.file().bytes.extend_from_slice(&bytes[..kept]);
        if fault == Fault::None { Ok(()) } else { Err(full()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let (mut state, fault) = self.begin(Call::Sync);
        let file = state.file();
        file.lies |= fault != Fault::None;
        if !file.lies {
            file.on_disk = file.bytes.len();
        }
        if fault == Fault::None { Ok(()) } else { Err(io::Error::other("the disk is broken")) }
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        let (mut state, fault) = self.begin(Call::Cut(len));
        if fault != Fault::None {
            return Err(full());
        }
        let (len, file) = (usize::try_from(len).unwrap(), state.file());
        assert!(len <= file.bytes.len(), "a cut makes nothing longer");
        file.bytes.truncate(len);
        file.on_disk = file.on_disk.min(len);
        Ok(())
    }

    fn renew(&mut self) -> io::Result<u64> {
        let (mut state, fault) = self.begin(Call::Renew);
        if fault != Fault::None {
            return Err(full());
        }
        state.files.push(File::default());
        Ok(0)
    }
}

/// For tests that wait for nothing but conditions: no pause is long.
pub(crate) fn options(ack: Ack) -> Options {
    let short = Duration::from_millis(1);
    Options { linger: short, retry_pause: short, ..Options::new(ack) }
}

/// A writer above `disk`, which is empty.
pub(crate) fn start(disk: &Disk, options: Options) -> Writer {
    Writer::start(disk.clone(), 0, options).unwrap()
}

/// A request that was handed over and is answered later.
pub(crate) type Answer<'w> = Pin<Box<dyn Future<Output = Result<(), Unstored>> + Send + 'w>>;

/// Hands over one request. Returns what its answer comes from, or the answer where it is there.
pub(crate) fn hand_over<'w>(
    writer: &'w Writer,
    lines: &str,
) -> Result<Answer<'w>, Result<(), Unstored>> {
    let metrics = lines.lines().count();
    let mut answer: Answer<'w> = Box::pin(writer.append(lines.into(), metrics));
    match is_answered(&mut answer) {
        Some(result) => Err(result),
        None => Ok(answer),
    }
}

/// The answer, if it is there.
pub(crate) fn is_answered(answer: &mut Answer<'_>) -> Option<Result<(), Unstored>> {
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// One number of the writer's telemetry.
#[track_caller]
pub(crate) fn number(writer: &Writer, name: &str) -> u64 {
    let mut text = String::new();
    writer.render(&mut text);
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
