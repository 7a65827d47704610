//! Moves bytes between the links and their sockets, and counts what comes of it.

use std::io;

use mio::event::Event;

use super::{EventLoop, READ_LEN};
use crate::{
    connection::Next,
    failure::Failure,
    link::{Socket, is_not_yet},
    plan::Reuse,
};

/// After a connection could not be opened its slot rests, so that a server that is not there is not
/// asked a hundred thousand times a second.
const CONNECT_PAUSE_NS: u64 = 100_000_000;

impl EventLoop<'_> {
    /// Writes what the link has to write, as far as the socket takes it.
    pub(super) fn flush(&mut self, index: usize, now_ns: u64) {
        if matches!(self.links[index].socket, Socket::Closed)
            && let Err(error) = self.dial(index)
        {
            let failure = Failure::of_connect(&error);
            return self.fail(index, failure, failure, now_ns);
        }
        while self.links[index].connection.wants_write() {
            match self.links[index].write(self.job.requests) {
                Ok(len) => self.tally.bytes_sent += self.if_measured(len, now_ns),
                Err(error) if is_not_yet(&error) => return,
                Err(error) => {
                    self.read_last_words(index, now_ns);
                    return self.broken(index, &error, now_ns);
                }
            }
        }
    }

    /// The server may have said why before it closed. How it closed is known from the failed write,
    /// and reading would not tell it a second time.
    fn read_last_words(&mut self, index: usize, now_ns: u64) {
        while matches!(self.links[index].socket, Socket::Open(_)) {
            match self.links[index].read(&mut self.buffer) {
                Ok(len @ 1..) => self.received(index, len, now_ns),
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// Returns the time after the event, which is that of the last read.
    pub(super) fn on_event(&mut self, event: &Event, now_ns: u64) -> u64 {
        let index = event.token().0;
        if matches!(self.links[index].socket, Socket::Connecting(_)) {
            match self.links[index].check_connected() {
                Ok(true) => {}
                Ok(false) => return now_ns,
                Err(error) => {
                    self.broken(index, &error, now_ns);
                    return now_ns;
                }
            }
        }
        let mut now_ns = now_ns;
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            now_ns = self.read(index, now_ns, event.is_read_closed());
        }
        if event.is_writable() && self.links[index].connection.wants_write() {
            self.flush(index, now_ns);
        }
        now_ns
    }

    /// Reads what is there; to the end of the stream where one has been announced.
    pub(super) fn read(&mut self, index: usize, mut now_ns: u64, to_the_end: bool) -> u64 {
        loop {
            let link = &mut self.links[index];
            let len = match link.read(&mut self.buffer) {
                Ok(0) => {
                    link.connection.ended(&mut self.outcomes);
                    link.socket = Socket::Closed;
                    now_ns = self.job.shared.now_ns();
                    self.settle(index, now_ns);
                    return now_ns;
                }
                Ok(len) => len,
                Err(error) if is_not_yet(&error) => return now_ns,
                Err(error) => {
                    self.broken(index, &error, now_ns);
                    return now_ns;
                }
            };
            now_ns = self.job.shared.now_ns();
            self.tally.bytes_received += self.if_measured(len, now_ns);
            self.received(index, len, now_ns);
            let is_closed = matches!(self.links[index].socket, Socket::Closed);
            if is_closed || (len < READ_LEN && !to_the_end) {
                return now_ns;
            }
        }
    }

    fn received(&mut self, index: usize, len: usize, now_ns: u64) {
        let link = &mut self.links[index];
        let next = link.connection.received(&self.buffer[..len], &mut self.outcomes);
        match next {
            Next::Keep => {}
            Next::Close => link.socket = Socket::Closed,
            Next::Unsolicited => {
                self.tally.unsolicited += 1;
                link.socket = Socket::Closed;
            }
            Next::Garbage(malformed) => {
                self.tally.first_malformed.get_or_insert(malformed);
                link.socket = Socket::Closed;
            }
        }
        if self.job.plan.reuse == Reuse::Close && link.connection.in_flight() == 0 {
            link.socket = Socket::Closed;
        }
        self.settle(index, now_ns);
    }

    /// The socket of the link does not work any more.
    fn broken(&mut self, index: usize, error: &io::Error, now_ns: u64) {
        let failure = match self.links[index].socket {
            Socket::Closed => return,
            Socket::Connecting(_) => Failure::of_connect(error),
            Socket::Open(_) => Failure::of_stream(error),
        };
        self.fail(index, failure, failure, now_ns);
    }

    pub(super) fn fail(&mut self, index: usize, oldest: Failure, others: Failure, now_ns: u64) {
        self.links[index].connection.fail(oldest, others, &mut self.outcomes);
        self.links[index].socket = Socket::Closed;
        self.settle(index, now_ns);
    }

    /// Counts the outcomes of a link and gives its slots back.
    fn settle(&mut self, index: usize, now_ns: u64) {
        let link = u32::try_from(index).expect("CONNECTIONS_MAX fits");
        for outcome in self.outcomes.drain(..) {
            self.in_flight -= 1;
            self.tally.record(outcome, now_ns, self.timeout_ns, &self.timeline);
            let could_not_connect = matches!(outcome.result, Err(failure) if failure.is_connect());
            let pause_ns = if could_not_connect { CONNECT_PAUSE_NS } else { 0 };
            self.pacer.release(link, now_ns, pause_ns);
        }
    }

    fn if_measured(&self, len: usize, now_ns: u64) -> u64 {
        if now_ns >= self.timeline.measure_ns { len as u64 } else { 0 }
    }
}
