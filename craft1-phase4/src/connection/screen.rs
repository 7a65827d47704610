//! Between the socket and hyper: what hyper would forgive is refused, and every wait has a deadline.
//!
//! What always holds: hyper reads nothing but whole heads that keep every rule of phase 1, and their
//! bodies. Where a rule is broken, the client falls silent or leaves in the middle, hyper is handed a
//! request of ours in place of the broken one, and the answer to that is the refusal. So a refusal
//! takes the way of every answer: in order behind the answers to the requests before it.
//!
//! hyper reads HTTP as RFC 9112 lets it: it takes a bare LF for a line's end, a transfer coding
//! beside a length, two Host lines. A proxy in front may read such a request differently, and
//! that difference is how requests are smuggled. What hyper refuses by itself it answers without a
//! body, and a request that is too slow with nothing at all.
//!
//! | file | what |
//! |---|---|
//! | `screen/follow.rs` | where requests begin and end |
//! | `screen/alarm.rs` | one timer for all deadlines |
//! | [`passage`] | what the screen and the answers know of each other |

mod alarm;
mod follow;
pub mod passage;

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::ReadBufCursor;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::connection::Conditions;
use alarm::Alarm;
use follow::{End, Follower};
use passage::{Broken, Passage};

/// How much is read at once: as much as a socket holds under load.
const RECEIVE_BYTES: usize = 64 * 1024;

thread_local! {
    /// Where a thread's connections receive, one after the other, so that none has to keep room.
    static RECEIVED: RefCell<Box<[u8]>> = RefCell::new(vec![0; RECEIVE_BYTES].into());
}

/// What hyper is handed in place of a broken request. No answer shows what it asks.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// As [`STAND_IN`], where the answer has no body.
const STAND_IN_HEAD: &[u8] = b"HEAD / HTTP/1.1\r\n\r\n";

/// A connection as hyper sees it.
#[derive(Debug)]
pub struct Screen {
    stream: TcpStream,
    follower: Follower,
    held: Held,
    passage: Arc<Passage>,
    conditions: &'static Conditions,
    client_has_ended: bool,
    alarm: Alarm,
    awaited: (Awaited, Instant),
    /// Whether the first request is still to come to the end of its head.
    is_new: bool,
    /// When the answer has to be taken, while there is one that is not.
    write_due: Option<Instant>,
}

/// Bytes that came and did not go on: the beginning of a head, or more than hyper had room for.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// As far as the rules have read.
    read: usize,
    /// As much of it may go on.
    released: usize,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// Something that was not waited for before.
    News,
    Request,
    Head,
    Body,
}

impl Screen {
    /// Stands in front of `stream`, on which nothing has been read yet.
    pub fn new(stream: TcpStream, passage: Arc<Passage>, conditions: &'static Conditions) -> Self {
        Self {
            stream,
            follower: Follower::new(conditions.limits),
            held: Held::default(),
            passage,
            conditions,
            client_has_ended: false,
            alarm: Alarm::default(),
            awaited: (Awaited::Head, Instant::now() + conditions.timeouts.header),
            is_new: true,
            write_due: None,
        }
    }

    /// The socket, where its client may have more to send: what is unread when a socket closes makes
    /// the close a reset, and a reset can overtake the answer.
    pub fn into_unread(self) -> Option<TcpStream> {
        let is_unread = !self.held.bytes.is_empty() || has_received(&self.stream);
        let may_go_on = self.passage.ends_unasked() || is_unread;
        (may_go_on && !self.client_has_ended).then_some(self.stream)
    }

    /// Receives, and puts into `buf` what may go on; or waits.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        RECEIVED.with_borrow_mut(|received| {
            let room = received.len().min(buf.remaining());
            let mut filled = ReadBuf::new(&mut received[..room]);
            let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(cx, &mut filled) else {
                return self.poll_wait(cx).map(Ok);
            };
            result?;
            match filled.filled().len() {
                0 => {
                    self.client_has_ended = true;
                    self.end(Broken::Cut);
                }
                len => self.take(&mut received[..len], buf),
            }
            Poll::Ready(Ok(()))
        })
    }

    fn take(&mut self, received: &mut [u8], buf: &mut ReadBufCursor<'_>) {
        self.conditions.telemetry.received(received.len());
        let sight = if self.held.bytes.is_empty() {
            let sight = self.follower.follow(received, 0);
            let (released, rest) = received.split_at(sight.released);
            buf.put_slice(released);
            self.held.bytes.extend_from_slice(rest);
            self.held.read = sight.read - sight.released;
            sight
        } else {
            self.held.bytes.extend_from_slice(received);
            let sight = self.follower.follow(&mut self.held.bytes, self.held.read);
            (self.held.read, self.held.released) = (sight.read, sight.released);
            sight
        };
        self.passage.hand_over(sight.heads);
        if sight.has_advanced {
            (self.awaited.0, self.is_new) = (Awaited::News, false);
        }
        match sight.end {
            None => {}
            Some(End::Last) => self.passage.end(),
            Some(End::Refused { refusal, is_known }) => {
                self.end_broken(Broken::Refused(refusal), is_known);
            }
        }
    }

    /// Nothing more comes, for this reason if it is in the middle of a request.
    fn end(&mut self, why: Broken) {
        if self.is_idle() {
            self.passage.end();
        } else {
            self.end_broken(why, self.follower.is_in_body());
        }
    }

    /// Where hyper knows of the request, its body ends here; otherwise it gets another one.
    fn end_broken(&mut self, why: Broken, is_known: bool) {
        self.held.bytes.truncate(self.held.released);
        if !is_known {
            let stand_in = if self.follower.is_head() { STAND_IN_HEAD } else { STAND_IN };
            self.held.bytes.extend_from_slice(stand_in);
            self.held.released += stand_in.len();
            self.passage.hand_over(1);
        }
        self.passage.end_broken(why);
    }

    fn is_idle(&self) -> bool {
        self.follower.is_between() && self.held.read == self.held.bytes.len()
    }

    /// Nothing has come. Ready once nothing will.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // ANCHOR: idle
        if self.is_idle() && self.conditions.draining.has_begun() && !has_received(&self.stream) {
            self.passage.end();
            return Poll::Ready(());
        }
        // ANCHOR_END: idle
        let due = self.read_due();
        ready!(self.alarm.poll(cx, due));
        self.end(Broken::Slow);
        Poll::Ready(())
    }

    fn read_due(&mut self) -> Instant {
        let awaited = match (self.follower.is_in_body(), self.is_idle() && !self.is_new) {
            (true, _) => Awaited::Body,
            (false, true) => Awaited::Request,
            (false, false) => Awaited::Head,
        };
        if self.awaited.0 != awaited {
            self.awaited = (awaited, Instant::now() + self.timeout(awaited));
        }
        self.awaited.1
    }

    fn timeout(&self, awaited: Awaited) -> Duration {
        let Conditions { timeouts, idle_timeout, .. } = self.conditions;
        match awaited {
            Awaited::Request => *idle_timeout,
            Awaited::Head | Awaited::News => timeouts.header,
            Awaited::Body => timeouts.body,
        }
    }

    /// What a write came to, with the deadline for an answer that is not taken.
    fn poll_written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = written {
            let len = result?;
            self.conditions.telemetry.sent(len);
            return Poll::Ready(Ok(len));
        }
        let write_timeout = self.conditions.timeouts.write;
        let due = *self.write_due.get_or_insert_with(|| Instant::now() + write_timeout);
        ready!(self.alarm.poll(cx, due));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Whether there is something to be read that the runtime may not know of yet: it asks the system
/// when it has nothing else to do, and the end of the server is something to do.
fn has_received(stream: &TcpStream) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    recv(stream, &mut [0], flags).is_ok_and(|(_, len)| len > 0)
}

impl Held {
    /// Hands on as much as may go and finds room.
    fn hand_over(&mut self, buf: &mut ReadBufCursor<'_>) {
        let len = self.released.min(buf.remaining());
        if len > 0 {
            buf.put_slice(&self.bytes[..len]);
            self.bytes.drain(..len);
            (self.read, self.released) = (self.read.saturating_sub(len), self.released - len);
        }
        if self.bytes.is_empty() {
            // A connection that waits keeps no room for what may come.
            *self = Self::default();
        }
    }
}

impl hyper::rt::Read for Screen {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let (screen, room) = (self.get_mut(), buf.remaining());
        loop {
            screen.held.hand_over(&mut buf);
            // To hand over nothing is to hand over an end.
            if buf.remaining() < room || screen.passage.has_ended() {
                return Poll::Ready(Ok(()));
            }
            ready!(screen.poll_receive(cx, &mut buf))?;
        }
    }
}

impl hyper::rt::Write for Screen {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let screen = self.get_mut();
        let written = Pin::new(&mut screen.stream).poll_write(cx, bytes);
        screen.poll_written(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let screen = self.get_mut();
        let written = Pin::new(&mut screen.stream).poll_write_vectored(cx, slices);
        screen.poll_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written everything.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().write_due = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
