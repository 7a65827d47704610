//! A fixed pool of workers behind a bounded backlog.
//!
//! What always holds: there are never more connections inside than the workers and the backlog have
//! room for, and one more is told so at once, by the accepting thread, which itself never waits for
//! a client. Once the server is to stop, who has come before is let in, nobody else is, and
//! everybody inside is waited for; until the last one is done, whoever comes is told that it stops.
//!
//! Naive: a worker waits for its client. As many slow clients as there are workers stop everybody
//! else, although the processor is idle. Phase 4 waits without a thread.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use craft1_phase1::shutdown::Shutdown;
use craft1_phase1::socket::{Listener, Socket, Wake};
use craft1_phase1::telemetry::{OpenConnection, Telemetry};

use crate::overflow::{Outcome, Overflow};
use crate::pool::Pool;

/// How long accepting rests when the system is out of descriptors. At once it would only spin.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// How often it is looked whether the last connection is done. It puts the end off by no more.
const DRAIN_LOOK: Duration = Duration::from_millis(10);

/// A connection on its way to a worker.
#[derive(Debug)]
pub struct Arrival<'a> {
    socket: Socket,
    peer: SocketAddr,
    /// Nothing bounds this number but the pool.
    open: Option<OpenConnection<'a>>,
}

/// Lets the pool serve each connection until the server is to stop, and returns when the last one
/// is done.
///
/// # Errors
/// Those of starting the workers and of waiting for connections; none is expected.
pub fn run<'a>(
    listener: Listener,
    shutdown: &Shutdown,
    pool: &Pool<Arrival<'a>>,
    telemetry: &'a Telemetry,
    mut overflow: Overflow<'_>,
    serve: impl Fn(Socket, SocketAddr) + Sync,
) -> io::Result<()> {
    let work = |Arrival { socket, peer, open }: Arrival<'a>| {
        serve(socket, peer);
        drop(open);
    };
    // The pool joins every worker before it ends.
    pool.run(work, || {
        // ANCHOR: accept
        // Says whether there was a connection.
        let accept = |overflow: &mut Overflow<'_>, why_not| match listener.accept() {
            Ok((socket, peer)) => {
                let open = telemetry.open_connection(usize::MAX);
                let arrival = Arrival { socket, peer, open };
                if let Err(Arrival { socket, .. }) = pool.try_submit(arrival) {
                    overflow.take(socket, why_not);
                }
                true
            }
            Err(error) if is_passing(&error) => false,
            Err(_) => {
                thread::sleep(EXHAUSTED_PAUSE);
                false
            }
        };
        // ANCHOR_END: accept
        while overflow.wait(&listener, Some(shutdown.as_fd()), None)? != Wake::Stopping {
            accept(&mut overflow, "the backlog is full");
        }
        // Who has come before the signal and waits in the kernel's backlog. The bound is for a
        // crowd that goes on coming.
        for _ in 0..pool.load().backlog_max {
            if !accept(&mut overflow, "the server is stopping") {
                break;
            }
        }
        // Nobody new from here on, while those inside come to their end.
        pool.close();
        while !pool.is_idle() {
            overflow.wait(&listener, None, Some(Instant::now() + DRAIN_LOOK))?;
            accept(&mut overflow, "the server is stopping");
        }
        drop(listener);
        Ok(())
    })?
}

/// Counts what becomes of clients that there is no room for.
pub fn counting(telemetry: &Telemetry) -> impl Fn(Outcome) + '_ {
    |outcome| match outcome {
        Outcome::Answered { status, duration, sent_bytes } => {
            telemetry.answered(status, duration);
            telemetry.sent(sent_bytes);
        }
        Outcome::Refused => telemetry.refused_connection(),
    }
}

/// Nothing is there after all, or the client is already gone.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use craft1_phase1::http::Response;
    use craft1_phase1::service::Call;

    use super::*;

    /// How many of three clients in the kernel's backlog a server lets in that is to stop.
    fn let_in_at_the_end(backlog_max: usize) -> usize {
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), 8).unwrap();
        let address = listener.local_address().unwrap();
        let _clients = [0; 3].map(|_| TcpStream::connect(address).unwrap());
        let (shutdown, stopper) = Shutdown::by_hand().unwrap();
        drop(stopper);
        let (telemetry, served) = (Telemetry::default(), AtomicUsize::new(0));
        let pool = Pool::new(1, backlog_max);
        let answer = |_: &Call<'_>| Response::empty();
        let count = counting(&telemetry);
        let overflow = Overflow::new(&answer, &count);
        let serve = |_, _| {
            served.fetch_add(1, SeqCst);
        };
        run(listener, &shutdown, &pool, &telemetry, overflow, serve).unwrap();
        served.into_inner()
    }

    #[test]
    fn who_has_come_before_the_end_is_let_in_and_a_crowd_does_not_put_it_off() {
        assert_eq!(let_in_at_the_end(3), 3);
        assert_eq!(let_in_at_the_end(1), 1);
    }
}
