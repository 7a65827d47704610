//! Complete requests to answers, without a socket: what the connections of one loop share.
//!
//! What always holds: answers come in the order of their requests, and so do the answers that wait
//! for the writer and those behind them. Nobody is answered beyond a bound before the answers are
//! sent, so a short request with a long answer makes nobody's memory grow. Once the buffers have
//! grown to what the clients need, nothing is allocated.

mod answering;

use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::Instant;

use craft1_phase1::http::response::CONTINUE;
use craft1_phase1::http::{Limits, Response};

use crate::request::{Missing, Parsed, Persistence, Reader, Request};
use crate::slab::Key;
use crate::telemetry::{Dropped, Meter, Route};
use crate::writer::{Outbox, Ticket};

use super::buffers::Buffers;
use super::parked::{PARKED_MAX, Parked};
use super::patience::Patience;
use super::present::Present;

/// Answers are sent as soon as there are so many bytes of them, and only then more requests are
/// answered. A hundred and more of the usual ones.
const OUT_BYTES_MAX: usize = 64 * 1024;

/// What the application makes of a request.
#[derive(Debug)]
pub enum Reply {
    /// This.
    Response(Response),
    /// 202 for so many metrics: at once, or when the writer has said what became of the ticket, and
    /// then perhaps 503.
    Accepted {
        /// How many they are.
        metrics: usize,
        /// What has to be stored first.
        wait_for: Option<Ticket>,
    },
}

/// The application: a request, where it came from, the present, and the way to the writer.
pub type Handler<'h> = Box<dyn FnMut(&Request<'_>, IpAddr, Instant, &mut Outbox) -> Reply + 'h>;

/// What a connection is to those that answer it.
#[derive(Debug)]
pub struct Client {
    /// Its name in the loop.
    pub key: Key,
    /// Where it comes from.
    pub peer: IpAddr,
    /// How many of its answers wait.
    pub parked: u16,
}

/// Why bytes are not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// This is missing.
    For(Missing),
    /// There was no room for more answers. They may be complete requests.
    Held,
}

/// How far [`Shared::answer_all`] came.
#[derive(Debug)]
pub struct Outcome {
    /// The bytes that must be there at the next call, with more behind them.
    pub unanswered: Range<usize>,
    /// How it goes on.
    pub then: Then,
}

/// How a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Something has to come first.
    Wait(Unanswered),
    /// The last answer is given.
    End(Rest),
}

/// What may still come from a client that has its last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing: it has ended its side.
    Nothing,
    /// Nothing, unless it has more requests on their way.
    Perhaps,
    /// The rest of what it was refused for.
    Surely,
}

/// What the connections of one loop share.
pub struct Shared<'h> {
    /// Where they are counted.
    pub meter: Rc<Meter>,
    /// The answers of the connection whose turn it is.
    pub out: Vec<u8>,
    /// The memory for what is incomplete or not taken.
    pub buffers: Buffers,
    /// The moment at which the turn began.
    pub present: Present,
    /// How long they may wait.
    pub patience: Patience,
    handler: Handler<'h>,
    outbox: Outbox,
    limits: Limits,
    parked: Parked,
    is_stopping: bool,
    requests: u64,
    answers_by_route: [u64; Route::ALL.len()],
}

impl<'h> Shared<'h> {
    /// Nobody is connected yet.
    pub fn new(
        handler: Handler<'h>,
        outbox: Outbox,
        meter: Rc<Meter>,
        limits: Limits,
        patience: Patience,
        buffers: Buffers,
    ) -> Self {
        Self {
            meter,
            out: Vec::with_capacity(2 * OUT_BYTES_MAX),
            buffers,
            present: Present::begin(),
            patience,
            handler,
            outbox,
            limits,
            parked: Parked::default(),
            is_stopping: false,
            requests: 0,
            answers_by_route: [0; Route::ALL.len()],
        }
    }

    /// A turn ends: hands to the writer what it has brought, and counts how long it took.
    pub fn end_turn(&mut self) {
        self.outbox.flush(self.present.now());
        let took = self.present.now().elapsed();
        self.meter.busy(took);
        self.meter.buffered(self.buffers.taken_bytes());
        for route in Route::ALL {
            let answers = mem::take(&mut self.answers_by_route[route as usize]);
            if answers > 0 {
                self.meter.took(route, answers, took);
            }
        }
    }

    /// From now on every answer is the last one of its connection, unless more has come already.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// How many requests were answered or parked so far.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    // ANCHOR: answer_all
    /// Answers every request that is complete in `bytes`, as long as there is room for answers.
    pub fn answer_all(
        &mut self,
        reader: &mut Reader,
        bytes: &mut [u8],
        client: &mut Client,
    ) -> Outcome {
        let (mut used, len) = (0, bytes.len());
        let wait = |unanswered, why| Outcome { unanswered, then: Then::Wait(why) };
        let end = |rest| Outcome { unanswered: 0..0, then: Then::End(rest) };
        while used < len {
            if self.out.len() >= OUT_BYTES_MAX || client.parked >= PARKED_MAX {
                return wait(used..len, Unanswered::Held);
            }
            match reader.read(&mut bytes[used..], &self.limits) {
                Ok(Parsed::Complete { request, consumed }) => {
                    used += consumed;
                    let is_last = self.is_stopping && used == len;
                    let persistence =
                        if is_last { Persistence::Close } else { request.persistence };
                    let persistence = self.answer(&request, persistence, client);
                    if persistence == Persistence::Close {
                        return end(if used == len { Rest::Perhaps } else { Rest::Surely });
                    }
                }
                Ok(Parsed::NeedMore { kept, missing }) => {
                    if let Missing::Body { is_awaited: true, .. } = missing {
                        self.say(CONTINUE, client);
                    }
                    return wait(used..used + kept, Unanswered::For(missing));
                }
                Err(refusal) => {
                    let response = Response::error(refusal.status(), refusal, None);
                    self.meter.dropped(Dropped::by_status(response.status));
                    self.refuse(&response, reader.is_head(), client);
                    return end(Rest::Surely);
                }
            }
        }
        wait(0..0, Unanswered::For(Missing::All))
    }
    // ANCHOR_END: answer_all
}

impl fmt::Debug for Shared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("present", &self.present).finish_non_exhaustive()
    }
}
