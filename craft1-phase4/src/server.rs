//! A task for each connection, on a thread for each processor.
//!
//! What always holds: there are never more connections than the cap, and one more is told so at
//! once. Accepting goes on when the system is out of descriptors, without spinning. Once the server
//! is to stop, who has come before is let in, nobody else is, and everybody inside is waited for.
//!
//! A task that waits costs its few kilobytes of state and no thread, so slow clients stop nobody.
//! Connections are dealt out to the threads in turn and stay where they are: no thread steals work
//! from another, so what a connection touches stays in one processor's cache, and waking a task
//! crosses no lock. tokio's other runtime balances tasks that differ; ours do not.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use craft1_phase1::departing::DEPARTING_MAX;
use craft1_phase1::shutdown::Shutdown;
use craft1_phase1::socket::Listener;
use tokio::net::unix::pipe;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Handle, Runtime};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::unconstrained;
use tokio::time::sleep;

use crate::connection::{self, Conditions};

/// How long accepting rests when the system is out of descriptors. At once it would only spin.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// The threads that connections are served on.
#[derive(Debug)]
pub struct Threads {
    /// Of the thread that accepts, which serves as well.
    here: Runtime,
    others: Vec<Handle>,
    /// While it is there, the other threads go on.
    _running: Vec<oneshot::Sender<Infallible>>,
}

impl Threads {
    /// Starts all but one: the last is the one that calls [`Threads::block_on`].
    ///
    /// # Errors
    /// Where the system has no more threads.
    pub fn start(count: NonZeroUsize) -> io::Result<Self> {
        let here = runtime()?;
        let (mut others, mut running) = (Vec::new(), Vec::new());
        for _ in 1..count.get() {
            let other = runtime()?;
            others.push(other.handle().clone());
            let (sender, end) = oneshot::channel::<Infallible>();
            running.push(sender);
            let serve = move || drop(other.block_on(end));
            thread::Builder::new().name("server".into()).spawn(serve)?;
        }
        Ok(Self { here, others, _running: running })
    }

    /// Runs a task on this thread to its end, and all others beside it.
    pub fn block_on<F: Future>(&self, task: F) -> F::Output {
        self.here.block_on(task)
    }
}

/// The flavour of the runtime: one thread each.
fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// Serves each connection in a task of its own until the server is to stop, and returns when the
/// last one is done.
///
/// # Errors
/// Those of watching the listener and the signals; none is expected.
pub async fn run<S, F>(
    listener: Listener,
    shutdown: &Shutdown,
    threads: &Threads,
    connections_max: usize,
    conditions: &'static Conditions,
    serve: S,
) -> io::Result<()>
where
    S: Fn(TcpStream, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::from_std(OwnedFd::from(listener).into())?;
    let stop = pipe::Receiver::from_owned_fd(shutdown.as_fd().try_clone_to_owned()?)?;
    let mut door = Door::new(threads, connections_max, conditions, serve);
    loop {
        tokio::select! {
            // The end comes first: a crowd at the door must not put it off.
            biased;
            _ = stop.readable() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => door.let_in(stream, peer),
                Err(error) if is_passing(&error) => {}
                Err(_) => sleep(EXHAUSTED_PAUSE).await,
            },
        }
    }
    // ANCHOR: drain
    conditions.draining.begin();
    // Who has come before the signal and waits in the backlog. The bound is for a crowd that goes
    // on coming. The runtime's own, after which it says that nobody is there, is not.
    for _ in 0..connections_max {
        let accepted = unconstrained(poll_fn(|cx| Poll::Ready(listener.poll_accept(cx)))).await;
        let Poll::Ready(Ok((stream, peer))) = accepted else { break };
        door.let_in(stream, peer);
    }
    // Nobody new from here on, while those inside come to their end.
    drop(listener);
    door.wait_for_all().await;
    Ok(())
    // ANCHOR_END: drain
}

/// The client is already gone.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), Interrupted | ConnectionAborted | ConnectionReset)
}

/// Where connections come in.
struct Door<'t, S> {
    threads: &'t Threads,
    /// The thread that got the last one: 0 is this one.
    turn: usize,
    connections_max: usize,
    conditions: &'static Conditions,
    /// Room for those who are turned away.
    departing: Arc<Semaphore>,
    /// Held by whoever is inside, so that the end of all of them can be waited for.
    inside: mpsc::Sender<Infallible>,
    outside: mpsc::Receiver<Infallible>,
    serve: S,
}

impl<'t, S, F> Door<'t, S>
where
    S: Fn(TcpStream, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    fn new(
        threads: &'t Threads,
        connections_max: usize,
        conditions: &'static Conditions,
        serve: S,
    ) -> Self {
        let (inside, outside) = mpsc::channel(1);
        let departing = Arc::new(Semaphore::new(DEPARTING_MAX));
        Self { threads, turn: 0, connections_max, conditions, departing, inside, outside, serve }
    }

    fn let_in(&mut self, stream: TcpStream, peer: SocketAddr) {
        let Some(open) = self.conditions.telemetry.open_connection(self.connections_max) else {
            self.turn_away(stream);
            return;
        };
        // Nagle's algorithm (RFC 896) holds a small packet back until the one before has arrived.
        // Our answers leave in one write, so there is nothing to collect.
        let _ = stream.set_nodelay(true);
        let (serve, inside) = (self.serve.clone(), self.inside.clone());
        let served = move |stream| async move {
            serve(stream, peer).await;
            drop((open, inside));
        };
        match self.next_thread() {
            None => drop(tokio::spawn(served(stream))),
            Some(thread) => {
                // Where the system does not let it move, it is dropped, and so closed.
                let Ok(stream) = stream.into_std() else { return };
                thread.spawn(async move {
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        served(stream).await;
                    }
                });
            }
        }
    }

    /// Whose turn it is, unless it is this one's.
    fn next_thread(&mut self) -> Option<&'t Handle> {
        self.turn = (self.turn + 1) % (self.threads.others.len() + 1);
        self.threads.others.get(self.turn.checked_sub(1)?)
    }

    fn turn_away(&self, stream: TcpStream) {
        self.conditions.telemetry.refused_connection();
        // Beyond the room for them nobody is told why.
        let Ok(room) = Arc::clone(&self.departing).try_acquire_owned() else { return };
        let inside = self.inside.clone();
        tokio::spawn(async move {
            connection::turn_away(stream).await;
            drop((room, inside));
        });
    }

    async fn wait_for_all(mut self) {
        // ANCHOR: wait_for_all
        drop(self.inside);
        // Nothing is sent: this is the end of the last sender.
        let _ = self.outside.recv().await;
        // ANCHOR_END: wait_for_all
    }
}
