//! An event loop for each core: who is accepted, and where it is served.
//!
//! What always holds: a connection stays with the loop that accepted it, and loops share nothing
//! that one of them could hold up the others with. There are never more connections in all of them
//! than the cap, and one more is told so at once. Once the server is to stop, who has come before is
//! let in, nobody else is, and everybody inside is waited for, but no longer than a request may take.
//!
//! A loop a core that never waits is the reactor of Schmidt (1995), and nginx's answer to Kegel's
//! "C10K problem" (1999): a connection costs what it keeps in memory, and not a thread.
//!
//! `main.rs` puts it together in this order: [`listen::bind`](crate::listen::bind) gives a listener a
//! loop, [`EventLoop::new`] a loop a listener, [`EventLoop::waker`] what the writer wakes it with,
//! the writer an outbox a loop, the telemetry a meter a loop, and [`run`] takes all of them.

use std::io;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use craft1_phase1::http::Limits;
use craft1_phase1::shutdown::Shutdown;
use craft1_phase1::timeouts::Timeouts;

use crate::connection::exchange::Shared;
use crate::telemetry::Meter;
use crate::writer::Outbox;

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
/// Those of starting the threads and of waiting for events; none is expected.
pub fn run<'h>(
    lanes: Vec<Lane>,
    setup: &Setup<'_>,
    handler: impl Fn(usize, Rc<Meter>) -> Handler<'h> + Sync,
) -> io::Result<()> {
    let (places, has_started) = (Places::new(setup.connections_max), OnceLock::new());
    let (places, has_started, handler) = (&places, &has_started, &handler);
    let serve = move |number, Lane { event_loop, outbox, meter }| {
        let meter = Rc::new(meter);
        let handler = handler(number, Rc::clone(&meter));
        let shared = Shared::new(handler, outbox, meter, setup.limits, setup.timeouts, setup.idle);
        event_loop.run(shared, setup, places)
    };
    thread::scope(|scope| {
        let start = |(number, lane)| {
            thread::Builder::new().name(format!("loop-{number}")).spawn_scoped(scope, move || {
                // With a thread too few, clients of the loop that it was meant for would wait in vain.
                if *has_started.wait() { serve(number, lane) } else { Ok(()) }
            })
        };
        let threads: io::Result<Vec<_>> = lanes.into_iter().enumerate().map(start).collect();
        let _ = has_started.set(threads.is_ok());
        let end = |thread: ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        threads?.into_iter().try_for_each(end)
    })
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
