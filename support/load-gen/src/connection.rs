//! One connection as a state machine without a socket: which bytes go out, what came back, and what
//! became of each request.
//!
//! What always holds: every request that goes in comes out as exactly one [`Outcome`], in order,
//! whatever the server does. Requests are answered in the order in which they were sent (RFC 9112,
//! section 9.3.2), so the first response belongs to the first request.

use std::{collections::VecDeque, io::IoSlice};

use crate::{
    failure::Failure,
    request::Requests,
    response::{Malformed, Read, Response, ResponseReader},
};

/// Requests written by one system call. Linux takes 1,024; more than this fills a socket buffer.
const SLICES_MAX: usize = 64;

/// The exchange of requests and responses on one connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    reader: ResponseReader,
    /// Requests without an outcome, oldest first.
    exchanges: VecDeque<Exchange>,
    /// How many of them have been written to the last byte.
    written: usize,
    /// How much of the next one has been written.
    offset: usize,
}

#[derive(Debug, Clone, Copy)]
struct Exchange {
    intended_ns: u64,
    request: u32,
}

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// When the request was to leave.
    pub(crate) intended_ns: u64,
    /// The status of a response within 200 to 299, or why there is none.
    pub(crate) result: Result<u16, Failure>,
}

/// What is to become of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It goes on.
    Keep,
    /// It is to be closed: the server said so, or nothing sensible can follow.
    Close,
    /// It is to be closed because of bytes that answer no request.
    Unsolicited,
    /// It is to be closed because the bytes are not HTTP.
    Garbage(Malformed),
}

impl Connection {
    /// Requests without an outcome.
    pub(crate) fn in_flight(&self) -> usize {
        self.exchanges.len()
    }

    /// When the oldest request without an outcome was to leave.
    pub(crate) fn oldest_ns(&self) -> Option<u64> {
        self.exchanges.front().map(|exchange| exchange.intended_ns)
    }

    /// Takes a request to be sent.
    pub(crate) fn push(&mut self, intended_ns: u64, request: u32) {
        self.exchanges.push_back(Exchange { intended_ns, request });
    }

    /// Whether something is to be written.
    pub(crate) fn wants_write(&self) -> bool {
        self.written < self.exchanges.len()
    }

    /// Lends the bytes that are to be written next to `write`, which returns how many it took.
    pub(crate) fn write_with<E>(
        &mut self,
        requests: &Requests,
        write: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let unwritten = self.exchanges.iter().skip(self.written);
        let mut count = 0;
        for (slice, exchange) in slices.iter_mut().zip(unwritten) {
            *slice = IoSlice::new(requests.get(exchange.request as usize));
            count += 1;
        }
        if self.offset > 0 {
            IoSlice::advance_slices(&mut &mut slices[..1], self.offset);
        }
        let taken = write(&slices[..count])?;
        self.advance(requests, taken);
        Ok(taken)
    }

    fn advance(&mut self, requests: &Requests, taken: usize) {
        self.offset += taken;
        while let Some(exchange) = self.exchanges.get(self.written) {
            let len = requests.get(exchange.request as usize).len();
            if self.offset < len {
                break;
            }
            self.offset -= len;
            self.written += 1;
        }
    }

    /// Takes what the server sent and adds the outcomes that it decides.
    pub(crate) fn received(&mut self, mut bytes: &[u8], outcomes: &mut Vec<Outcome>) -> Next {
        while !bytes.is_empty() {
            if self.exchanges.is_empty() {
                return Next::Unsolicited;
            }
            match self.reader.read(bytes) {
                Ok(Read::More) => break,
                Ok(Read::Done(response, used)) => {
                    bytes = &bytes[used..];
                    if !self.answered(response, outcomes) {
                        self.fail(Failure::ClosedEarly, Failure::ClosedEarly, outcomes);
                        return Next::Close;
                    }
                }
                Err(malformed) => {
                    self.fail(Failure::Malformed, Failure::Abandoned, outcomes);
                    return Next::Garbage(malformed);
                }
            }
        }
        Next::Keep
    }

    /// The server has closed its side: what has no answer now will get none.
    pub(crate) fn ended(&mut self, outcomes: &mut Vec<Outcome>) {
        if let Some(response) = self.reader.end() {
            self.answered(response, outcomes);
        }
        self.fail(Failure::ClosedEarly, Failure::ClosedEarly, outcomes);
    }

    /// Gives up all requests: the oldest for the first reason, the others for the second.
    pub(crate) fn fail(&mut self, oldest: Failure, others: Failure, outcomes: &mut Vec<Outcome>) {
        let mut reason = oldest;
        for Exchange { intended_ns, .. } in self.exchanges.drain(..) {
            outcomes.push(Outcome { intended_ns, result: Err(reason) });
            reason = others;
        }
        *self = Self { exchanges: std::mem::take(&mut self.exchanges), ..Self::default() };
    }

    /// Adds the outcome of the oldest request. True when the connection can go on.
    fn answered(&mut self, response: Response, outcomes: &mut Vec<Outcome>) -> bool {
        let Some(Exchange { intended_ns, .. }) = self.exchanges.pop_front() else {
            return false;
        };
        let status = response.status;
        let succeeded = (200..300).contains(&status);
        let result = if succeeded { Ok(status) } else { Err(Failure::Status(status)) };
        outcomes.push(Outcome { intended_ns, result });
        // An answer to half a request: the other half would be taken for the next request.
        let was_written = self.written > 0;
        self.written = self.written.saturating_sub(1);
        was_written && response.keep_alive
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
