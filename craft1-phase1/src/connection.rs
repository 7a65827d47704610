//! One connection: read a request, answer it, close.
//!
//! What always holds: a client gets one answer or none, and holds its thread no longer than the
//! deadlines allow, however slowly it sends or reads. A client that is refused in
//! the middle can read why: we stop sending first, and go on reading for a moment before we close
//! (RFC 9112, section 9.6).

use std::fmt::Display;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime};

use crate::http::response::CONTINUE;
use crate::http::{Limits, Request, RequestReader, Response, Status};
use crate::shutdown::Shutdown;
use crate::socket::{Received, Socket};
use crate::telemetry::Telemetry;
use crate::timeouts::Timeouts;

/// What a client that was answered may go on to send before it is cut off. Closing while bytes are
/// unread resets the connection, and a reset can overtake the answer.
const LINGER: Duration = Duration::from_secs(1);

/// Serves one connection from its first byte to its last.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'a> {
    /// The connection.
    pub socket: &'a Socket,
    /// The bounds on what is read.
    pub limits: Limits,
    /// The bounds on how long it takes.
    pub timeouts: Timeouts,
    /// Where the end of the server is seen.
    pub shutdown: &'a Shutdown,
    /// Where it is counted.
    pub telemetry: &'a Telemetry,
}

impl Connection<'_> {
    /// Reads one request, answers it and closes.
    ///
    /// # Errors
    /// Those of the socket: a client that left, or does not take its answer. There is nobody to
    /// tell.
    pub fn serve(self, answer: impl FnOnce(&Request) -> Response) -> io::Result<()> {
        match self.read_request()? {
            Incoming::Nothing => Ok(()),
            Incoming::Refused { response, is_head } => {
                self.send(&response, is_head, Instant::now())?;
                self.linger()
            }
            Incoming::Request(request) => {
                let complete = Instant::now();
                self.send(&answer(&request), request.head.is_head(), complete)?;
                self.close()
            }
        }
    }

    fn read_request(self) -> io::Result<Incoming> {
        // ANCHOR: read_request
        let mut reader = RequestReader::new(self.limits);
        let mut unread = Vec::new();
        let mut deadline = Instant::now() + self.timeouts.header;
        let (mut was_in_body, mut has_begun) = (false, false);
        let mut stop = Some(self.shutdown.as_fd());
        loop {
            let progress = match reader.read(&unread) {
                Ok(progress) => progress,
                Err(refusal) => return Ok(refused(&reader, refusal.status(), refusal)),
            };
            if let Status::Complete(request) = progress.status {
                return Ok(Incoming::Request(request));
            }
            unread.drain(..progress.consumed);
            if reader.is_in_body() && !was_in_body {
                was_in_body = true;
                deadline = Instant::now() + self.timeouts.body;
                // Half a line of the first chunk is a beginning, too.
                if reader.is_awaited() && unread.is_empty() {
                    self.socket.send_all(CONTINUE, Instant::now() + self.timeouts.write)?;
                    self.telemetry.sent(CONTINUE.len());
                }
            }
            match self.socket.recv(&mut unread, deadline, stop)? {
                Received::Bytes(len) => {
                    self.telemetry.received(len);
                    has_begun = true;
                }
                Received::End | Received::TimedOut | Received::Stopping if !has_begun => {
                    return Ok(Incoming::Nothing);
                }
                Received::End => {
                    return Ok(refused(&reader, 400, "the connection ended inside the request"));
                }
                Received::TimedOut => return Ok(refused(&reader, 408, "the request is too slow")),
                // A request that has begun may end, within its deadline.
                Received::Stopping => stop = None,
            }
        }
        // ANCHOR_END: read_request
    }

    fn send(self, response: &Response, is_head: bool, complete: Instant) -> io::Result<()> {
        let now = SystemTime::now();
        let bytes = if is_head { response.encode_head(now) } else { response.encode(now) };
        // Counted first, so that a client that asks for the counters finds its last answer there.
        self.telemetry.answered(response.status, complete.elapsed());
        self.socket.send_all(&bytes, Instant::now() + self.timeouts.write)?;
        self.telemetry.sent(bytes.len());
        Ok(())
    }

    /// Ends a connection whose request was read to its end. Most clients send nothing behind it, and
    /// to wait until each of them has closed its side would hold a thread for as long as they like.
    fn close(self) -> io::Result<()> {
        match self.socket.try_recv(&mut [0]) {
            Ok(0) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            _ => self.linger(),
        }
    }

    /// Ends a connection whose client has more to send. What is unread when a socket closes makes
    /// the close a reset.
    fn linger(self) -> io::Result<()> {
        self.socket.finish_sending()?;
        let deadline = Instant::now() + LINGER;
        let mut discarded = Vec::new();
        while let Received::Bytes(_) = self.socket.recv(&mut discarded, deadline, None)? {
            discarded.clear();
            // A client that never pauses is never waited for, so the clock is looked at here.
            if Instant::now() >= deadline {
                break;
            }
        }
        Ok(())
    }
}

/// What came in.
enum Incoming {
    /// The peer closed before its first byte, or sent none in time, or the server stops.
    Nothing,
    /// A broken rule, and whether it was broken in a HEAD request.
    Refused {
        response: Response,
        is_head: bool,
    },
    Request(Request),
}

fn refused(reader: &RequestReader, status: u16, detail: impl Display) -> Incoming {
    Incoming::Refused { response: Response::error(status, detail, None), is_head: reader.is_head() }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::os::fd::OwnedFd;
    use std::thread;

    use super::*;
    use crate::socket::tests::pair;

    const SOON: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(30);
    const PATIENT: Timeouts = Timeouts { header: LONG, body: LONG, write: LONG };

    const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello";

    fn echo(request: &Request) -> Response {
        Response::new(200, "text/plain", request.body.clone())
    }

    /// Serves a connection on which `sent` has arrived, while `client` has its other end.
    fn exchange<T>(
        sent: &[u8],
        timeouts: Timeouts,
        answer: impl FnOnce(&Request) -> Response + Send,
        client: impl FnOnce(TcpStream, OwnedFd) -> T,
    ) -> (io::Result<()>, T) {
        let (socket, mut peer) = pair();
        peer.write_all(sent).unwrap();
        let (shutdown, stopper) = Shutdown::by_hand().unwrap();
        let telemetry = Telemetry::default();
        thread::scope(|scope| {
            let (shutdown, telemetry) = (&shutdown, &telemetry);
            let server = scope.spawn(move || {
                let (socket, limits) = (&socket, Limits::default());
                Connection { socket, limits, timeouts, shutdown, telemetry }.serve(answer)
            });
            let outcome = client(peer, stopper);
            (server.join().unwrap(), outcome)
        })
    }

    fn read(mut peer: TcpStream) -> String {
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_request_is_answered_and_the_connection_ends() {
        let (result, answer) = exchange(REQUEST, PATIENT, echo, |peer, _stopper| read(peer));
        assert!(result.is_ok() && answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    }

    #[test]
    fn a_client_that_sends_more_than_its_request_can_read_the_answer() {
        let more = |request: &Request| {
            // It arrives while the answer is made.
            thread::sleep(SOON);
            echo(request)
        };
        let (_, answer) = exchange(REQUEST, PATIENT, more, |mut peer, _stopper| {
            peer.write_all(REQUEST).unwrap();
            read(peer)
        });
        assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    }

    #[test]
    fn a_body_has_a_deadline_of_its_own() {
        let (head, body) = REQUEST.split_at(REQUEST.len() - 5);
        let timeouts = Timeouts { header: SOON, ..PATIENT };
        let (_, answer) = exchange(head, timeouts, echo, |mut peer, _stopper| {
            // Longer than the head may take.
            thread::sleep(2 * SOON);
            peer.write_all(body).unwrap();
            read(peer)
        });
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[test]
    fn a_client_that_does_not_read_holds_its_thread_no_longer_than_the_deadline() {
        let more_than_any_buffer =
            |_: &Request| Response::new(200, "text/plain", vec![0; 64 << 20]);
        let (timeouts, started) = (Timeouts { write: SOON, ..PATIENT }, Instant::now());
        let (result, _peer) =
            exchange(REQUEST, timeouts, more_than_any_buffer, |peer, stopper| (peer, stopper));
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() < LONG);
    }

    #[test]
    fn a_client_that_never_stops_sending_is_cut_off() {
        let more = [b'x'; 16 * 1024];
        let (result, is_cut_off) =
            exchange(b"nonsense\r\n", PATIENT, echo, |mut peer, _stopper| {
                let started = Instant::now();
                while started.elapsed() < LONG {
                    if peer.write_all(&more).is_err() {
                        return true;
                    }
                }
                false
            });
        assert!(result.is_ok() && is_cut_off);
    }

    #[test]
    fn the_end_of_the_server_is_the_end_of_who_has_not_begun() {
        let (result, answer) = exchange(b"", PATIENT, echo, |peer, stopper| {
            drop(stopper);
            read(peer)
        });
        assert!(result.is_ok() && answer.is_empty(), "{answer}");
    }

    #[test]
    fn who_has_begun_when_the_server_stops_may_end() {
        let (begun, rest) = REQUEST.split_at(5);
        let (_, answer) = exchange(begun, PATIENT, echo, |mut peer, stopper| {
            drop(stopper);
            // Time to notice it. Without the rule this would end the connection.
            thread::sleep(SOON);
            peer.write_all(rest).unwrap();
            read(peer)
        });
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}
