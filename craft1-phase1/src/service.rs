//! The routes: what a request is answered with.
//!
//! What always holds: nothing here does I/O, waits, or reads a clock. A POST is decided in two
//! steps, so that whoever stores may do it in place, in another thread, or later: [`decide`] gives
//! a [`Delivery`], and [`stored`] turns what became of it into the answer. [`answer`] is the two in
//! a row.
//!
//! [`decide`]: Service::decide
//! [`stored`]: Service::stored
//! [`answer`]: Service::answer

use std::fmt::Display;

use metrics_model::Batch;
use serde_json::json;

use crate::http::head::Repeated;
use crate::http::{Framing, Request, Response};

/// The methods of RFC 9110, section 9, and PATCH (RFC 5789): those that we know of. One of them on
/// the wrong path gets 405, any other 501 (RFC 9110, section 9.1).
const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// Longest client id, in bytes. The same bound as a name's, for the same reason.
const CLIENT_ID_BYTES_MAX: usize = metrics_model::limits::NAME_BYTES_MAX;

/// When a client may try again after a failed write.
const RETRY_AFTER_S: u32 = 1;

/// Reads a body: the JSON layer.
pub type ParseBody = for<'a> fn(&'a [u8]) -> Result<Batch<'a>, BadBody>;

/// What a route needs to know of a request, lent by whoever has read it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The method, as it was sent.
    pub method: &'a str,
    /// The path without the query.
    pub path: &'a str,
    /// The value of Content-Type.
    pub content_type: Option<&'a [u8]>,
    /// The value of Content-Encoding.
    pub content_encoding: Option<&'a [u8]>,
    /// The value of X-Client-Id.
    pub client_id: Option<&'a [u8]>,
    /// The body; `None` where nothing said how long it is.
    pub body: Option<&'a [u8]>,
}

impl<'a> TryFrom<&'a Request> for Call<'a> {
    type Error = Repeated;

    fn try_from(Request { head, body }: &'a Request) -> Result<Self, Repeated> {
        Ok(Self {
            method: &head.method,
            path: &head.path,
            content_type: head.fields.single("Content-Type")?,
            content_encoding: head.fields.single("Content-Encoding")?,
            client_id: head.fields.single("X-Client-Id")?,
            body: (head.framing != Framing::None).then_some(body),
        })
    }
}

/// Metrics to be stored, and who sent them.
#[derive(Debug, Clone)]
pub struct Delivery<'a> {
    /// What was sent.
    pub batch: Batch<'a>,
    /// The client's own name for itself, where it gave one: 1 to 255 bytes, no control character.
    pub client: Option<&'a str>,
}

/// What is to be done about a request.
#[derive(Debug)]
pub enum Decision<'a> {
    /// Nothing more: this is the answer.
    Answer(Response),
    /// To store this, and to answer with what becomes of it.
    Store(Delivery<'a>),
}

/// A body that is not a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct BadBody {
    /// What is wrong and where, for people.
    pub detail: String,
    /// The byte of the body, from 0, where the reader knows it.
    pub offset: Option<usize>,
}

impl BadBody {
    /// What is wrong, without a place.
    pub fn new(detail: impl Display) -> Self {
        Self { detail: detail.to_string(), offset: None }
    }
}

/// A delivery that could not be stored. The client may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the data file cannot be written")]
pub struct Unstored;

/// What `GET /health` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Metrics that are accepted and not stored yet.
    pub queue_size: u64,
    /// Metrics that were answered with 202.
    pub accepted: u64,
    /// Metrics that are in the file.
    pub stored: u64,
}

/// The routes, with the layers below handed in.
#[derive(Clone, Copy)]
pub struct Service<'s> {
    /// The JSON layer.
    pub parse_body: ParseBody,
    /// What `GET /health` says now.
    pub health: &'s (dyn Fn() -> Health + Sync),
    /// What `GET /metrics` says now.
    pub telemetry: &'s (dyn Fn() -> String + Sync),
}

impl Service<'_> {
    /// Answers a request, with `store` in the middle.
    pub fn answer(
        &self,
        call: &Call<'_>,
        store: impl FnOnce(&Delivery<'_>) -> Result<(), Unstored>,
    ) -> Response {
        match self.decide(call) {
            Decision::Answer(response) => response,
            Decision::Store(delivery) => Self::stored(delivery.batch.len(), store(&delivery)),
        }
    }

    /// Says what is to be done.
    pub fn decide<'a>(&self, call: &Call<'a>) -> Decision<'a> {
        let Some(allow) = allow(call.path) else {
            return refuse(404, "try /metrics or /health");
        };
        let response = match (call.path, call.method) {
            ("/metrics", "POST") => {
                return self.ingest(call).map_or_else(Decision::Answer, Decision::Store);
            }
            ("/metrics", "GET" | "HEAD") => {
                Response::new(200, "text/plain; version=0.0.4", (self.telemetry)())
            }
            ("/health", "GET" | "HEAD") => self.health(),
            (_, "OPTIONS") => Response { allow: Some(allow), ..Response::empty() },
            ("", _) => Response::error(501, "CONNECT is for proxies", None),
            (path, method) if METHODS.contains(&method) => {
                let refusal =
                    Response::error(405, format_args!("{method} is not for {path}"), None);
                Response { allow: Some(allow), ..refusal }
            }
            (_, method) => Response::error(501, format_args!("{method} is not known here"), None),
        };
        Decision::Answer(response)
    }

    /// The answer to a delivery of `count` metrics, once it is known what became of it.
    pub fn stored(count: usize, result: Result<(), Unstored>) -> Response {
        match result {
            Ok(()) => Response::json(202, &json!({ "status": "accepted", "accepted": count })),
            Err(error) => Response::unavailable(error, RETRY_AFTER_S),
        }
    }

    fn ingest<'a>(&self, call: &Call<'a>) -> Result<Delivery<'a>, Response> {
        // RFC 9110, section 15.5.12: without a length there is no body that could be JSON.
        let body = call.body.ok_or_else(|| {
            Response::error(411, "send Content-Length or Transfer-Encoding: chunked", None)
        })?;
        if call.content_type.is_some_and(|value| !is_json(value)) {
            return Err(Response::error(415, "send Content-Type: application/json", None));
        }
        // RFC 9110, section 15.5.16: also for a coding that we do not undo.
        if call.content_encoding.is_some_and(|value| !value.eq_ignore_ascii_case(b"identity")) {
            return Err(Response::error(415, "send the body without Content-Encoding", None));
        }
        let client = call.client_id.map(client).transpose()?;
        let batch = (self.parse_body)(body)
            .map_err(|BadBody { detail, offset }| Response::error(400, detail, offset))?;
        Ok(Delivery { batch, client })
    }

    fn health(&self) -> Response {
        let Health { queue_size, accepted, stored } = (self.health)();
        let status = json!({
            "status": "ok", "queue_size": queue_size, "accepted": accepted, "stored": stored
        });
        Response::json(200, &status)
    }
}

fn refuse(status: u16, detail: &str) -> Decision<'static> {
    Decision::Answer(Response::error(status, detail, None))
}

/// RFC 9110, section 10.2.1: what each path can be asked. The asterisk means the whole server, and
/// the empty path is CONNECT's.
fn allow(path: &str) -> Option<&'static str> {
    match path {
        "/metrics" | "*" => Some("GET, HEAD, POST, OPTIONS"),
        "/health" => Some("GET, HEAD, OPTIONS"),
        "" => Some(""),
        _ => None,
    }
}

/// RFC 9110, section 8.3.1: the type without its parameters, whatever its case.
fn is_json(value: &[u8]) -> bool {
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    value[..end].trim_ascii().eq_ignore_ascii_case(b"application/json")
}

fn client(id: &[u8]) -> Result<&str, Response> {
    let is_good =
        |id: &&str| (1..=CLIENT_ID_BYTES_MAX).contains(&id.len()) && !id.contains(char::is_control);
    str::from_utf8(id)
        .ok()
        .filter(is_good)
        .ok_or_else(|| Response::error(400, "X-Client-Id: expected 1 to 255 bytes of text", None))
}
