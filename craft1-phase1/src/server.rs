//! A thread per connection, up to a cap.
//!
//! What always holds: there are never more than the cap of connections being served, and one more
//! is told so at once, by the accepting thread, which itself never waits for a client. Once the
//! server is to stop, who has come before is let in, nobody else is, and everybody inside is waited
//! for.
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
        // ANCHOR: let_in
        let let_in = |socket, peer, departing: &mut Departing| {
            let Some(open) = telemetry.open_connection(connections_max) else {
                telemetry.refused_connection();
                departing.turn_away(socket, "too many connections");
                return;
            };
            let connection = move || {
                serve(socket, peer);
                drop(open);
            };
            let thread = thread::Builder::new().name("connection".into());
            // Where there is no thread to be had, the socket is dropped, and so closed.
            if thread.spawn_scoped(scope, connection).is_err() {
                telemetry.refused_connection();
            }
        };
        // ANCHOR_END: let_in
        let mut departing = Departing::default();
        while listener.wait(shutdown.as_fd(), departing.next_due())? != Wake::Stopping {
            departing.close_those_due(Instant::now());
            match listener.accept() {
                Ok((socket, peer)) => let_in(socket, peer, &mut departing),
                Err(error) if is_passing(&error) => {}
                Err(_) => thread::sleep(EXHAUSTED_PAUSE),
            }
        }
        // Who has come before the signal and waits in the backlog. The bound is for a crowd that
        // goes on coming.
        for _ in 0..connections_max {
            let Ok((socket, peer)) = listener.accept() else { break };
            let_in(socket, peer, &mut departing);
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;
    use crate::service::Health;
    use crate::socket::tests::listener;

    const LONG: Duration = Duration::from_secs(30);

    /// Until the client has sent a byte or is gone.
    fn wait_for_byte(socket: &Socket) {
        socket.recv(&mut Vec::new(), Instant::now() + LONG, None).unwrap();
    }

    #[test]
    fn waits_for_those_inside() {
        let (listener, telemetry, served) =
            (listener(8), Telemetry::default(), AtomicUsize::new(0));
        let mut client = TcpStream::connect(listener.local_address().unwrap()).unwrap();
        let (shutdown, stopper) = Shutdown::by_hand().unwrap();
        drop(stopper);
        let serve = |socket, _| {
            wait_for_byte(&socket);
            served.fetch_add(1, SeqCst);
        };
        thread::scope(|scope| {
            let running = scope.spawn(|| run(listener, &shutdown, 8, &telemetry, serve));
            client.write_all(b"x").unwrap();
            running.join().unwrap().unwrap();
        });
        assert_eq!(served.into_inner(), 1);
    }

    /// How many of three clients in the backlog are let in by a server that is to stop.
    fn let_in_at_the_end(connections_max: usize) -> usize {
        let (listener, telemetry, served) =
            (listener(8), Telemetry::default(), AtomicUsize::new(0));
        let address = listener.local_address().unwrap();
        let _clients = [0; 3].map(|_| TcpStream::connect(address).unwrap());
        let (shutdown, stopper) = Shutdown::by_hand().unwrap();
        drop(stopper);
        let serve = |_, _| {
            served.fetch_add(1, SeqCst);
        };
        run(listener, &shutdown, connections_max, &telemetry, serve).unwrap();
        let text = telemetry.render(Health::in_place(0));
        assert!(text.contains("\ningest_refused_connections_total 0\n"), "{text}");
        served.into_inner()
    }

    #[test]
    fn who_has_come_before_the_end_is_let_in_and_a_crowd_does_not_put_it_off() {
        assert_eq!(let_in_at_the_end(3), 3);
        assert_eq!(let_in_at_the_end(1), 1);
    }

    #[test]
    fn one_too_many_is_turned_away_at_once_and_counted() {
        let (listener, telemetry) = (listener(8), Telemetry::default());
        let address = listener.local_address().unwrap();
        let (shutdown, stopper) = Shutdown::by_hand().unwrap();
        let serve = |socket, _| wait_for_byte(&socket);
        thread::scope(|scope| {
            let running = scope.spawn(|| run(listener, &shutdown, 1, &telemetry, serve));
            let inside = TcpStream::connect(address).unwrap();
            let (mut outside, mut refusal) = (TcpStream::connect(address).unwrap(), String::new());
            outside.read_to_string(&mut refusal).unwrap();
            assert!(refusal.starts_with("HTTP/1.1 503 "), "{refusal}");
            assert!(refusal.contains("too many connections"), "{refusal}");
            drop((inside, stopper));
            running.join().unwrap().unwrap();
        });
        let text = telemetry.render(Health::in_place(0));
        assert!(text.contains("\ningest_refused_connections_total 1\n"), "{text}");
    }
}
