//! What a request passes between its last byte and its answer, in the thread of its event loop.
//!
//! What always holds: nothing here does I/O, waits or takes a lock, and the way of metrics that are
//! taken allocates nothing: token, limit, fields, room, and then the body straight to the lines that
//! the writer stores. Everything else is phase 1's routes and phase 2's readiness.
//!
//! The order is by cost and by what is owed to whom: a stranger learns nothing, a client beyond its
//! limit costs no parsing, and what there is no room for is not parsed either.

use std::fmt::{self, Debug, Formatter};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use craft1_phase1::http::Response;
use craft1_phase1::service::{Call, Decision, Posted, Service, Unstored, plain};
use craft1_phase2::readiness;
use craft1_phase4::ack::Ack;
use metrics_model::Timestamp;

use crate::admission::{self, Admission};
use crate::obstacle::Obstacle;
use crate::rate_limit::Limiter;
use crate::request::Request;
use crate::server::Reply;
use crate::telemetry::{Dropped, Meter, Route};
use crate::tokens::{TokenFile, TokenReader};
use crate::transcode::{self, Arrival};
use crate::writer::Outbox;

/// What the applications of all event loops share.
#[derive(Clone, Copy)]
pub struct Layers<'s> {
    /// Who may send; nothing where everybody may.
    pub tokens: Option<&'s TokenFile>,
    /// How often.
    pub limiter: &'s Limiter,
    /// What a 202 means, so what it waits for.
    pub ack: Ack,
    /// What there is beside `POST /metrics`.
    pub service: Service<'s>,
    /// Why no more work should come.
    pub obstacle: &'s (dyn Fn() -> Option<Obstacle> + Sync),
    /// The time for metrics that bring none.
    pub clock: fn() -> Timestamp,
}

/// The application of one event loop.
pub struct Application<'s> {
    layers: Layers<'s>,
    tokens: Option<TokenReader<'s>>,
    admission: Admission<'s>,
    meter: Rc<Meter>,
    /// When the requests of this turn arrived: by the clock of the loop, and as it is stored.
    arrival: Option<(Instant, Arrival)>,
}

impl<'s> Application<'s> {
    /// For a loop that counts here.
    pub fn new(layers: Layers<'s>, meter: Rc<Meter>) -> Self {
        let tokens = layers.tokens.map(TokenFile::reader);
        let admission = Admission::new(layers.limiter);
        Self { layers, tokens, admission, meter, arrival: None }
    }

    /// Answers a request that arrived from `peer` in the turn that began `now`.
    pub fn answer(
        &mut self,
        request: &Request<'_>,
        peer: IpAddr,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Reply {
        let call = match request.call {
            Ok(call) => call,
            Err(repeated) => return Reply::Response(Response::error(400, repeated, None)),
        };
        // A path may be spelled in several ways. From here on it has one, as it nearly always had.
        let path = if call.path == "/metrics" { call.path.into() } else { plain(call.path) };
        let call = Call { path: &path, ..call };
        let is_ingest = Route::of(&call) == Route::Ingest;
        let result =
            match admitted(&mut self.tokens, &mut self.admission, &call, request, peer, now) {
                Ok(name) if is_ingest => {
                    let arrival = arrival(&mut self.arrival, now, self.layers.clock);
                    ingest(&call, name, arrival, self.layers.ack, outbox)
                }
                Ok(_) => Ok(Reply::Response(self.layers.other(&call))),
                Err(response) => Err(response),
            };
        result.unwrap_or_else(|response| {
            if is_ingest {
                self.meter.dropped(Dropped::by_status(response.status));
            }
            Reply::Response(response)
        })
    }
}

impl Layers<'_> {
    /// Everything but `POST /metrics`.
    fn other(&self, call: &Call<'_>) -> Response {
        if let Some(response) = readiness::answer(call, self.obstacle) {
            return response;
        }
        match self.service.decide(call) {
            Decision::Answer(response) => response,
            Decision::Store(_) => unreachable!("metrics have a way of their own"),
        }
    }
}

impl Debug for Application<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("ack", &self.layers.ack).finish_non_exhaustive()
    }
}

/// The name of who sends this, where there are tokens.
fn admitted<'t>(
    tokens: &'t mut Option<TokenReader<'_>>,
    admission: &mut Admission<'_>,
    call: &Call<'_>,
    request: &Request<'_>,
    peer: IpAddr,
    now: Instant,
) -> Result<Option<&'t str>, Response> {
    let name = match tokens {
        Some(tokens) => admission::identify(tokens.tokens(), call, request.authorization)?,
        None => None,
    };
    match admission.refuse(call, name, peer, now) {
        Some(refusal) => Err(refusal),
        None => Ok(name),
    }
}

/// Spelled once a turn.
fn arrival(
    known: &mut Option<(Instant, Arrival)>,
    now: Instant,
    clock: fn() -> Timestamp,
) -> &Arrival {
    match known {
        Some((at, _)) if *at == now => {}
        _ => *known = None,
    }
    &known.get_or_insert_with(|| (now, clock().into())).1
}

/// Metrics to lines, and the lines to the writer.
fn ingest(
    call: &Call<'_>,
    name: Option<&str>,
    arrival: &Arrival,
    ack: Ack,
    outbox: &mut Outbox,
) -> Result<Reply, Response> {
    let Posted { body, client } = Posted::check(call)?;
    if !outbox.has_room() {
        return Err(Service::stored(0, Err(Unstored::QueueFull)));
    }
    match transcode::lines(body, outbox.lines(), arrival, name.or(client)) {
        Ok(metrics) => {
            let ticket = outbox.take(metrics);
            let wait_for = (ack != Ack::Accepted).then_some(ticket);
            Ok(Reply::Accepted { metrics, wait_for })
        }
        Err(bad_body) => {
            outbox.undo();
            Err(bad_body.into())
        }
    }
}
