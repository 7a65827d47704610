//! How long the slowest of many clients waits that come while nobody accepts, with a short and with
//! a long backlog.
//!
//! Prints a line of JSON for each round, with milliseconds for each side. What is timed is what a
//! client sees: from the start of its connect to the first byte of an answer.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use craft1_phase1::socket::{Listener, wait_for_any};

const ROUNDS: usize = 5;

/// Clients that come one right behind the other.
const CLIENTS: usize = 64;

/// For so long nobody accepts.
const PAUSE: Duration = Duration::from_millis(50);

/// A packet that is lost is sent again after a second, and then less and less often. Beyond this
/// something else is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<()> {
    for _ in 0..ROUNDS {
        let [short, long] = [slowest_ms(1)?, slowest_ms(1024)?];
        println!(r#"{{"backlog-1": {short:.1}, "backlog-1024": {long:.1}}}"#);
    }
    Ok(())
}

/// The time of the slowest client.
fn slowest_ms(backlog: i32) -> io::Result<f64> {
    let listener = Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), backlog)?;
    let address = listener.local_address()?;
    let slowest = thread::scope(|scope| {
        let clients = scope.spawn(|| slowest_client(address));
        thread::sleep(PAUSE);
        answer_all(&listener)?;
        joined(clients)
    })?;
    Ok(slowest.as_secs_f64() * 1_000.0)
}

/// Connects each client when the one before is connected, and lets all of them wait at once.
fn slowest_client(address: SocketAddr) -> io::Result<Duration> {
    thread::scope(|scope| {
        let mut waiting = Vec::new();
        for _ in 0..CLIENTS {
            let begun = Instant::now();
            let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            waiting.push(scope.spawn(move || {
                stream.read_exact(&mut [0])?;
                Ok(begun.elapsed())
            }));
        }
        waiting.into_iter().try_fold(Duration::ZERO, |slowest, client| {
            joined(client).map(|waited: Duration| slowest.max(waited))
        })
    })
}

/// Accepts every client as soon as it is there, and answers with a byte.
fn answer_all(listener: &Listener) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut answered = 0;
    while answered < CLIENTS {
        match listener.accept() {
            Ok((socket, _)) => {
                socket.send_all(b"x", deadline)?;
                answered += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if wait_for_any(&[listener.as_fd()], Some(deadline))? == [false] {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn joined<T>(thread: ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    thread.join().expect("no client panics")
}
