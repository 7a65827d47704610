//! One request to its answer: what the application says, where the answer goes, and what becomes of
//! the connection.
//!
//! What always holds: an answer goes out behind those before it, so it waits where one of them waits
//! for the writer. A request that makes the application panic costs its sender the connection, and
//! nobody else anything.

use std::panic::{AssertUnwindSafe, catch_unwind};

use craft1_phase1::http::Response;
use craft1_phase1::service::Service;

use super::super::parked::Answer;
use super::{Client, Reply, Shared};
use crate::answer;
use crate::request::{Persistence, Request};
use crate::slab::Key;
use crate::telemetry::{Dropped, Route};
use crate::writer::Verdict;

/// When a client for whose bytes there was no room may try again.
const RETRY_AFTER_S: u32 = 1;

impl Shared<'_> {
    /// Answers what was no request, and is the last of its connection.
    pub fn refuse(&mut self, response: &Response, is_head: bool, client: &mut Client) {
        self.requests += 1;
        self.respond(response, Route::Other, is_head, Persistence::Close, client);
    }

    /// Returns what becomes of the connection.
    pub(super) fn answer(
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
        // ANCHOR: in_its_place
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
        // ANCHOR_END: in_its_place
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

    pub(super) fn say(&mut self, bytes: &[u8], client: &mut Client) {
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
