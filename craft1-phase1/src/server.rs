//! A thread per connection, up to a cap.
//!
//! What always holds: there are never more than the cap of connections being served, and one more
//! is told so at once, by the accepting thread, which itself never waits for a client. Once the
//! server is to stop, nobody new is let in, and everybody inside is waited for.
//!
//! Naive: a thread for each connection is simple and fair, and costs a stack, a start, and a switch
//! of the processor's context every time it waits. Phase 2 keeps a fixed number of them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use crate::departing::Departing;
use crate::shutdown::Shutdown;
use crate::socket::{Listener, Socket, Wake};
use crate::telemetry::Telemetry;

/// How long accepting rests when the system is out of descriptors. At once it would only spin.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Serves each connection in a thread of its own until the server is to stop, and returns when the
/// last one is done.
///
/// # Errors
/// Those of waiting for connections; none is expected.
pub fn run(
    listener: Listener,
    shutdown: &Shutdown,
    connections_max: usize,
    telemetry: &Telemetry,
    serve: impl Fn(Socket, SocketAddr) + Sync,
) -> io::Result<()> {
    let serve = &serve;
    // The scope joins every thread before it ends.
    thread::scope(|scope| {
        let mut departing = Departing::default();
        while listener.wait(shutdown.as_fd(), departing.next_due())? != Wake::Stopping {
            departing.close_those_due(Instant::now());
            let (socket, peer) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if is_passing(&error) => continue,
                Err(_) => {
                    thread::sleep(EXHAUSTED_PAUSE);
                    continue;
                }
            };
            let Some(open) = telemetry.open_connection(connections_max) else {
                telemetry.refused_connection();
                departing.turn_away(socket, "too many connections");
                continue;
            };
            let connection = move || {
                serve(socket, peer);
                drop(open);
            };
            // Where there is no thread to be had, the socket is dropped, and so closed.
            if thread::Builder::new()
                .name("connection".into())
                .spawn_scoped(scope, connection)
                .is_err()
            {
                telemetry.refused_connection();
            }
        }
        // Nobody new from here on, while those inside come to their end.
        drop(listener);
        Ok(())
    })
}

/// Nothing is there after all, or the client is already gone.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted | ConnectionReset)
}
