//! One connection: read a request, answer it, close.
//!
//! What always holds: a client gets one answer or none, and holds its thread no longer than the
//! deadlines allow, however slowly it sends or reads. A refused client can read why: we stop
//! sending first, and go on reading for a moment before we close (RFC 9112, section 9.6).

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime};

use crate::http::response::CONTINUE;
use crate::http::{Limits, Request, RequestReader, Response, Status};
use crate::shutdown::Shutdown;
use crate::socket::{Received, Socket};
use crate::telemetry::Telemetry;

/// What a client that was answered may go on to send before it is cut off. Closing while bytes are
/// unread resets the connection, and a reset can overtake the answer.
const LINGER: Duration = Duration::from_secs(1);

/// How long each part of an exchange may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the start of the connection to the end of the head.
    pub header: Duration,
    /// From there to the end of the body.
    pub body: Duration,
    /// For the answer to be taken.
    pub write: Duration,
}

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
        let request = match self.read_request()? {
            Incoming::Nothing => return Ok(()),
            Incoming::Refused(response) => {
                return self.send(
                    &response.encode(SystemTime::now()),
                    response.status,
                    Instant::now(),
                );
            }
            Incoming::Request(request) => request,
        };
        let complete = Instant::now();
        let response = answer(&request);
        let bytes = match request.head.method.as_str() {
            "HEAD" => response.encode_head(SystemTime::now()),
            _ => response.encode(SystemTime::now()),
        };
        self.send(&bytes, response.status, complete)
    }

    fn read_request(self) -> io::Result<Incoming> {
        let mut reader = RequestReader::new(self.limits);
        let mut unread = Vec::new();
        let mut deadline = Instant::now() + self.timeouts.header;
        let (mut was_in_body, mut has_begun) = (false, false);
        let mut stop = Some(self.shutdown.as_fd());
        loop {
            let progress = match reader.read(&unread) {
                Ok(progress) => progress,
                Err(refusal) => return Ok(refused(refusal.status(), refusal)),
            };
            if let Status::Complete(request) = progress.status {
                return Ok(Incoming::Request(request));
            }
            unread.drain(..progress.consumed);
            if reader.is_in_body() && !was_in_body {
                was_in_body = true;
                deadline = Instant::now() + self.timeouts.body;
                // RFC 9110, section 10.1.1: who has begun to send does not wait for it any more.
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
                    return Ok(refused(400, "the connection ended inside the request"));
                }
                Received::TimedOut => return Ok(refused(408, "the request is too slow")),
                // A request that has begun may end, within its deadline.
                Received::Stopping => stop = None,
            }
        }
    }

    fn send(self, bytes: &[u8], status: u16, complete: Instant) -> io::Result<()> {
        // Counted first, so that a client that asks for the counters finds its last answer there.
        self.telemetry.answered(status, complete.elapsed());
        self.socket.send_all(bytes, Instant::now() + self.timeouts.write)?;
        self.telemetry.sent(bytes.len());
        self.close()
    }

    fn close(self) -> io::Result<()> {
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
    Refused(Response),
    Request(Request),
}

fn refused(status: u16, detail: impl std::fmt::Display) -> Incoming {
    Incoming::Refused(Response::error(status, detail, None))
}
