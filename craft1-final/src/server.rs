//! An event loop for each core: who is accepted, and where it is served.
//!
//! What always holds: a connection stays with the loop that accepted it, and loops share nothing
//! that one of them could hold up the others with. There are never more connections in all of them
//! than the cap, and one more is told so at once. Once the server is to stop, who has come before is
//! let in, nobody else is, and everybody inside is waited for, but no longer than a request may take.
//! A loop that comes to its end before that takes the others with it, in the same good order: half
//! a server would look well from outside, and a process that has ended is started again.
//!
//! A loop a core that never waits is the reactor of Schmidt (1995), and nginx's answer to Kegel's
//! "C10K problem" (1999): a connection costs what it keeps in memory, and not a thread.
//!
//! `main.rs` puts it together in this order: [`listen::bind`](crate::listen::bind) gives a listener a
//! loop, [`EventLoop::new`] a loop a listener, [`EventLoop::waker`] what the writer wakes it with,
//! the writer an outbox a loop, the telemetry a meter a loop, and [`run`] takes all of them.

use std::fmt::{self, Debug, Formatter};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use craft1_phase1::http::Limits;
use craft1_phase1::shutdown::Shutdown;
use craft1_phase1::timeouts::Timeouts;

use crate::connection::buffers::Buffers;
use crate::connection::exchange::Shared;
use crate::connection::patience::Patience;
use crate::telemetry::Meter;
use crate::writer::Outbox;

pub use crate::connection::buffers::BUFFER_BYTES_MAX;
pub use crate::connection::exchange::{Handler, Reply};
pub use crate::event_loop::EventLoop;

/// The bounds of a server.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'s> {
    /// On what is read.
    pub limits: Limits,
    /// On how long it takes. That of a head begins with the connection, and later with the first
    /// byte of a request.
    pub timeouts: Timeouts,
    /// From an answer to the first byte of the next request.
    pub idle: Duration,
    /// On how many connections are open in all loops together.
    pub connections_max: usize,
    /// On the memory of each loop for requests that are not complete and answers that are not
    /// taken. What one connection holds may exceed it for as long as its turn lasts.
    pub buffer_bytes_max: usize,
    /// Where the end is seen.
    pub shutdown: &'s Shutdown,
}

/// A loop with what it needs for itself.
#[derive(Debug)]
pub struct Lane {
    /// Where its connections come from and what wakes it.
    pub event_loop: EventLoop,
    /// Its way to the writer.
    pub outbox: Outbox,
    /// Where it counts.
    pub meter: Meter,
}

/// Serves until the server is to stop, and returns when everybody was answered.
///
/// `handler` makes the application of a loop, in that loop's thread: it gets the number of the loop,
/// from 0, and the meter that they share.
///
/// # Errors
/// Those of starting the threads and of waiting for events; and that a loop has panicked, outside of
/// its handler. None is expected.
pub fn run<'h>(
    lanes: Vec<Lane>,
    setup: &Setup<'_>,
    handler: impl Fn(usize, Rc<Meter>) -> Handler<'h> + Sync,
) -> io::Result<()> {
    let places = Places::new(setup.connections_max);
    let wakers = lanes.iter().map(|lane| Box::new(lane.event_loop.wake()) as Wake).collect();
    let alarm = Alarm { is_raised: AtomicBool::new(false), wakers };
    let has_started = OnceLock::new();
    let (places, alarm, has_started, handler) = (&places, &alarm, &has_started, &handler);
    let serve = move |number, Lane { event_loop, outbox, meter }| {
        let meter = Rc::new(meter);
        let handler = handler(number, Rc::clone(&meter));
        let patience = Patience::new(setup.timeouts, setup.idle);
        let buffers = Buffers::new(setup.buffer_bytes_max);
        let shared = Shared::new(handler, outbox, meter, setup.limits, patience, buffers);
        event_loop.run(shared, setup, places, alarm)
    };
    thread::scope(|scope| {
        let start = |(number, lane)| {
            thread::Builder::new().name(format!("loop-{number}")).spawn_scoped(scope, move || {
                // With a thread too few, clients of the loop that it was meant for would wait in vain.
                if *has_started.wait() { alarm.guard(|| serve(number, lane)) } else { Ok(()) }
            })
        };
        let threads: io::Result<Vec<_>> = lanes.into_iter().enumerate().map(start).collect();
        let _ = has_started.set(threads.is_ok());
        let end = |thread: ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|_| panicked());
        // Each of them, and then the first thing that went wrong.
        let results: Vec<_> = threads?.into_iter().map(end).collect();
        results.into_iter().collect()
    })
}

fn panicked() -> io::Result<()> {
    Err(io::Error::other("an event loop has panicked; it has said where"))
}

/// Gives a loop a turn.
type Wake = Box<dyn Fn() + Send + Sync>;

/// What a loop that comes to its end too early tells the others.
pub struct Alarm {
    is_raised: AtomicBool,
    wakers: Vec<Wake>,
}

impl Alarm {
    /// Whether it is time to stop, although nobody has said so.
    pub fn is_raised(&self) -> bool {
        // Relaxed: it stands for itself.
        self.is_raised.load(Relaxed)
    }

    /// Serves, and raises the alarm where that fails. What a panic leaves behind goes with the loop
    /// that it belongs to; what it shares with others is atomic, or behind the rings, whose elements
    /// are whole.
    fn guard(&self, serve: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let result = catch_unwind(AssertUnwindSafe(serve)).unwrap_or_else(|_| panicked());
        if let Err(error) = &result {
            tracing::error!(%error, "an event loop has failed; the server stops");
            self.is_raised.store(true, Relaxed);
            self.wakers.iter().for_each(|wake| wake());
        }
        result
    }
}

impl Debug for Alarm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").field("is_raised", &self.is_raised).finish_non_exhaustive()
    }
}

/// How many connections there are room for, in all loops together.
#[derive(Debug)]
pub struct Places {
    free: AtomicUsize,
}

impl Places {
    /// All of them are free.
    pub fn new(count: usize) -> Self {
        Self { free: AtomicUsize::new(count) }
    }

    /// Takes one, if there is one.
    pub fn take(&self) -> bool {
        // Relaxed: the number stands for itself.
        self.free.fetch_update(Relaxed, Relaxed, |free| free.checked_sub(1)).is_ok()
    }

    /// Gives one back that was taken.
    pub fn give_back(&self) {
        self.free.fetch_add(1, Relaxed);
    }
}
