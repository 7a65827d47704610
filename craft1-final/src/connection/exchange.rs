//! Complete requests to answers, without a socket: what the connections of one loop share.
//!
//! What always holds: answers come in the order of their requests, and so do the answers that wait
//! for the writer and those behind them. Nobody is answered beyond a bound before the answers are
//! sent, so a short request with a long answer makes nobody's memory grow. Once the buffers have
//! grown to what the clients need, nothing is allocated.

use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use craft1_phase1::http::response::CONTINUE;
use craft1_phase1::http::{Limits, Response};
use craft1_phase1::service::Service;
use craft1_phase1::timeouts::Timeouts;

use crate::answer::{self, Date};
use crate::request::{Missing, Parsed, Persistence, Reader, Request};
use crate::slab::Key;
use crate::telemetry::{Dropped, Meter, Route};
use crate::timer_wheel::{Clock, Tick, ticks};
use crate::writer::{Outbox, Ticket, Verdict};

use super::Awaits;
use super::parked::{Answer, PARKED_MAX, Parked};

/// Answers are sent as soon as there are so many bytes of them, and only then more requests are
/// answered. A hundred and more of the usual ones.
const OUT_BYTES_MAX: usize = 64 * 1024;

/// Buffers of incomplete requests that are kept for the next ones.
const SPARES_MAX: usize = 64;

/// A buffer that had to grow beyond this is not kept. With `SPARES_MAX`: 4 MiB a loop at most.
const SPARE_BYTES_MAX: usize = 64 * 1024;

/// What a client that was refused may go on to send before it is cut off.
const LINGER: Duration = Duration::from_secs(1);

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

/// How long in ticks.
#[derive(Debug, Clone, Copy)]
struct Patience {
    header: u64,
    body: u64,
    write: u64,
    idle: u64,
    linger: u64,
}

/// What the connections of one loop share.
pub struct Shared<'h> {
    /// Where they are counted.
    pub meter: Rc<Meter>,
    /// The answers of the connection whose turn it is.
    pub out: Vec<u8>,
    handler: Handler<'h>,
    outbox: Outbox,
    limits: Limits,
    patience: Patience,
    parked: Parked,
    spares: Vec<Vec<u8>>,
    clock: Clock,
    now: Instant,
    tick: Tick,
    date: Date,
    date_ends: Instant,
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
        timeouts: Timeouts,
        idle: Duration,
    ) -> Self {
        let now = Instant::now();
        let clock = Clock::starting_at(now);
        Self {
            meter,
            out: Vec::with_capacity(2 * OUT_BYTES_MAX),
            handler,
            outbox,
            limits,
            patience: Patience {
                header: ticks(timeouts.header),
                body: ticks(timeouts.body),
                write: ticks(timeouts.write),
                idle: ticks(idle),
                linger: ticks(LINGER),
            },
            parked: Parked::default(),
            spares: Vec::with_capacity(SPARES_MAX),
            clock,
            now,
            tick: 0,
            date: Date::at(SystemTime::now()),
            date_ends: now,
            is_stopping: false,
            requests: 0,
            answers_by_route: [0; Route::ALL.len()],
        }
    }

    /// A turn begins: reads the clock, and once a second the calendar.
    pub fn begin_turn(&mut self) {
        self.now = Instant::now();
        self.tick = self.clock.tick(self.now);
        if self.now >= self.date_ends {
            let time = SystemTime::now();
            let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let into_second = Duration::from_nanos(since_1970.subsec_nanos().into());
            self.date = Date::at(time);
            self.date_ends = self.now + Duration::from_secs(1).saturating_sub(into_second);
        }
    }

    /// A turn ends: hands to the writer what it has brought, and counts how long it took.
    pub fn end_turn(&mut self) {
        self.outbox.flush(self.now);
        let took = self.now.elapsed();
        self.meter.busy(took);
        for route in Route::ALL {
            let answers = mem::take(&mut self.answers_by_route[route as usize]);
            if answers > 0 {
                self.meter.took(route, answers, took);
            }
        }
    }

    /// When the present turn began.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// How long it is until `tick`, from the beginning of the turn.
    pub fn until(&self, tick: Tick) -> Duration {
        self.clock.instant(tick).saturating_duration_since(self.now)
    }

    /// From now on every answer is the last one of its connection, unless more has come already.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// When it takes too long what begins now.
    pub fn deadline(&self, awaits: Awaits) -> Tick {
        let Patience { header, body, write, idle, linger } = self.patience;
        self.tick.saturating_add(match awaits {
            Awaits::Request => idle,
            Awaits::Head => header,
            Awaits::Body => body,
            Awaits::Room => write,
            Awaits::Writer => u64::MAX,
            Awaits::End => linger,
        })
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
                    self.answer(&request, persistence, client);
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
        self.meter.dropped(Dropped::by_status(response.status));
        self.respond(response, Route::Other, is_head, Persistence::Close, client);
    }

    fn answer(&mut self, request: &Request<'_>, persistence: Persistence, client: &mut Client) {
        self.requests += 1;
        match (self.handler)(request, client.peer, self.now, &mut self.outbox) {
            Reply::Accepted { metrics, wait_for: Some(ticket) } => {
                let answer = Answer::Accepted { metrics, persistence, since: self.now };
                self.parked.push(ticket, client, answer);
            }
            Reply::Accepted { metrics, wait_for: None } if client.parked == 0 => {
                self.answers_by_route[Route::Ingest as usize] += 1;
                self.accept(metrics, persistence);
            }
            Reply::Accepted { metrics, wait_for: None } => {
                let response = Service::stored(metrics, Ok(()));
                self.meter.accepted(metrics);
                self.respond(&response, Route::Ingest, false, persistence, client);
            }
            Reply::Response(response) => {
                let route = request.call.as_ref().map_or(Route::Other, Route::of);
                self.respond(&response, route, request.is_head, persistence, client);
            }
        }
    }

    fn accept(&mut self, metrics: usize, persistence: Persistence) {
        self.meter.answered(202);
        self.meter.accepted(metrics);
        answer::accepted(&mut self.out, metrics, &self.date, persistence);
    }

    fn respond(
        &mut self,
        response: &Response,
        route: Route,
        is_head: bool,
        persistence: Persistence,
        client: &mut Client,
    ) {
        self.meter.answered(response.status);
        self.answers_by_route[route as usize] += 1;
        if client.parked == 0 {
            answer::response(&mut self.out, response, is_head, &self.date, persistence);
            return;
        }
        let mut bytes = Vec::new();
        answer::response(&mut bytes, response, is_head, &self.date, persistence);
        self.parked.push_behind(client, bytes);
    }

    fn say(&mut self, bytes: &[u8], client: &mut Client) {
        match client.parked {
            0 => self.out.extend_from_slice(bytes),
            _ => self.parked.push_behind(client, bytes.to_vec()),
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
                self.meter.took(Route::Ingest, 1, self.now.saturating_duration_since(since));
                match verdict.result {
                    Ok(()) => self.accept(metrics, persistence),
                    Err(unstored) => {
                        let response = Service::stored(metrics, Err(unstored));
                        self.meter.dropped(unstored.into());
                        self.meter.answered(response.status);
                        answer::response(&mut self.out, &response, false, &self.date, persistence);
                    }
                }
            }
            Some(Answer::Known(bytes)) => self.out.extend_from_slice(&bytes),
            None => {}
        }
    }

    /// A buffer for an incomplete request.
    pub fn spare(&mut self) -> Vec<u8> {
        self.spares.pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub fn recycle(&mut self, mut spare: Vec<u8>) {
        if self.spares.len() < SPARES_MAX && spare.capacity() <= SPARE_BYTES_MAX {
            spare.clear();
            self.spares.push(spare);
        }
    }
}

impl fmt::Debug for Shared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("tick", &self.tick).finish_non_exhaustive()
    }
}
