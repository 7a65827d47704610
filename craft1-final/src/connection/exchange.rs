//! Complete requests to answers, without a socket: what the connections of one loop share.
//!
//! What always holds: answers come in the order of their requests, and so do the answers that wait
//! for the writer and those behind them. Nobody is answered beyond a bound before the answers are
//! sent, so a short request with a long answer makes nobody's memory grow. Once the buffers have
//! grown to what the clients need, nothing is allocated. A request that makes the application panic
//! costs its sender the connection, and nobody else anything.

use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Instant;

use craft1_phase1::http::response::CONTINUE;
use craft1_phase1::http::{Limits, Response};
use craft1_phase1::service::Service;

use crate::answer;
use crate::request::{Missing, Parsed, Persistence, Reader, Request};
use crate::slab::Key;
use crate::telemetry::{Dropped, Meter, Route};
use crate::writer::{Outbox, Ticket, Verdict};

use super::buffers::Buffers;
use super::parked::{Answer, PARKED_MAX, Parked};
use super::patience::Patience;
use super::present::Present;

/// Answers are sent as soon as there are so many bytes of them, and only then more requests are
/// answered. A hundred and more of the usual ones.
const OUT_BYTES_MAX: usize = 64 * 1024;

/// When a client for whose bytes there was no room may try again.
const RETRY_AFTER_S: u32 = 1;

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

    /// Answers what was no request, and is the last of its connection.
    pub fn refuse(&mut self, response: &Response, is_head: bool, client: &mut Client) {
        self.requests += 1;
        self.respond(response, Route::Other, is_head, Persistence::Close, client);
    }

    /// Returns what becomes of the connection.
    fn answer(
        &mut self,
        request: &Request<'_>,
        persistence: Persistence,
        client: &mut Client,
    ) -> Persistence {
        self.requests += 1;
        match self.ask_handler(request, client) {
            Some(Reply::Accepted { metrics, wait_for: Some(ticket) }) => {
                let answer = Answer::Accepted { metrics, persistence, since: self.present.now() };
                self.parked.push(ticket, client, answer);
                persistence
            }
            Some(Reply::Accepted { metrics, wait_for: None }) if client.parked == 0 => {
                self.answers_by_route[Route::Ingest as usize] += 1;
                self.accept(metrics, persistence);
                persistence
            }
            Some(Reply::Accepted { metrics, wait_for: None }) => {
                let response = Service::stored(metrics, Ok(()));
                self.meter.accepted(metrics);
                self.respond(&response, Route::Ingest, false, persistence, client)
            }
            Some(Reply::Response(response)) => {
                let route = request.call.as_ref().map_or(Route::Other, Route::of);
                self.respond(&response, route, request.is_head, persistence, client)
            }
            None => {
                let response = Response::error(500, "the server has made a mistake", None);
                self.respond(&response, Route::Other, request.is_head, Persistence::Close, client)
            }
        }
    }

    /// What the application says, or nothing if it panics.
    ///
    /// A panic is a mistake in one way of one request through the application. To end for it would
    /// give whoever finds such a request a way to end the server. What the application changes is
    /// whole after any statement: the lines in the outbox, which are taken back here; the limiter's
    /// table, which changes by single atomic writes; and what it keeps of the turn, which is there or
    /// not. That is what `AssertUnwindSafe` asserts.
    fn ask_handler(&mut self, request: &Request<'_>, client: &Client) -> Option<Reply> {
        let (handler, outbox) = (&mut self.handler, &mut self.outbox);
        let now = self.present.now();
        let ask = AssertUnwindSafe(|| handler(request, client.peer, now, outbox));
        catch_unwind(ask)
            .inspect_err(|_| {
                self.outbox.undo();
                self.meter.dropped(Dropped::Panicked);
                // What it was and where stands before this, from the hook for panics.
                tracing::error!("a request made the server panic; it is answered 500");
            })
            .ok()
    }

    fn accept(&mut self, metrics: usize, persistence: Persistence) {
        self.meter.answered(202);
        self.meter.accepted(metrics);
        answer::accepted(&mut self.out, metrics, self.present.date(), persistence);
    }

    /// Returns what becomes of the connection.
    fn respond(
        &mut self,
        response: &Response,
        route: Route,
        is_head: bool,
        persistence: Persistence,
        client: &mut Client,
    ) -> Persistence {
        self.answers_by_route[route as usize] += 1;
        let (date, mut bytes) = (self.present.date(), Vec::new());
        if client.parked == 0 {
            answer::response(&mut self.out, response, is_head, date, persistence);
        } else {
            answer::response(&mut bytes, response, is_head, date, persistence);
            if !self.buffers.resize(0, bytes.capacity()) {
                self.refuse_for_room(is_head, client);
                return Persistence::Close;
            }
            self.parked.push_behind(client, bytes);
        }
        self.meter.answered(response.status);
        persistence
    }

    /// Answers that there is no room for what the client wants to leave here. This is short enough
    /// to be kept all the same, and is the last of its connection.
    pub fn refuse_for_room(&mut self, is_head: bool, client: &mut Client) {
        let why = "too many requests are not complete, or answers not taken";
        let response = Response::unavailable(why, RETRY_AFTER_S);
        self.requests += 1;
        self.meter.dropped(Dropped::BuffersFull);
        self.meter.answered(response.status);
        let mut bytes = Vec::new();
        let date = self.present.date();
        answer::response(&mut bytes, &response, is_head, date, Persistence::Close);
        self.say(&bytes, client);
    }

    fn say(&mut self, bytes: &[u8], client: &mut Client) {
        if client.parked == 0 {
            self.out.extend_from_slice(bytes);
        } else {
            let bytes = bytes.to_vec();
            self.buffers.add(bytes.capacity());
            self.parked.push_behind(client, bytes);
        }
    }

    /// What has become of the oldest answers that wait. It is asked in every turn until there is
    /// no more, because the writer gives memory back with it.
    pub fn verdict(&mut self) -> Option<Verdict> {
        self.outbox.verdict()
    }

    /// Whose the next answer is that `verdict` has decided.
    pub fn next_unparked(&self, verdict: &Verdict) -> Option<Key> {
        self.parked.next_up_to(verdict.up_to)
    }

    /// Writes that answer to `out`.
    pub fn unpark(&mut self, verdict: &Verdict) {
        match self.parked.pop() {
            Some(Answer::Accepted { metrics, persistence, since }) => {
                self.meter.took(
                    Route::Ingest,
                    1,
                    self.present.now().saturating_duration_since(since),
                );
                match verdict.result {
                    Ok(()) => self.accept(metrics, persistence),
                    Err(unstored) => {
                        let response = Service::stored(metrics, Err(unstored));
                        self.meter.dropped(unstored.into());
                        self.meter.answered(response.status);
                        let date = self.present.date();
                        answer::response(&mut self.out, &response, false, date, persistence);
                    }
                }
            }
            Some(Answer::Known(bytes)) => {
                self.buffers.resize(bytes.capacity(), 0);
                self.out.extend_from_slice(&bytes);
            }
            None => {}
        }
    }
}

impl fmt::Debug for Shared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("present", &self.present).finish_non_exhaustive()
    }
}
