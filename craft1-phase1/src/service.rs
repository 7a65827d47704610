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

use std::borrow::Cow;
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
#[derive(Debug, Clone, Copy, Default)]
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

/// A POST of metrics whose fields are in order, before anybody has looked into its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted<'a> {
    /// What should be JSON.
    pub body: &'a [u8],
    /// The client's own name for itself, where it gave one: 1 to 255 bytes, no control character.
    pub client: Option<&'a str>,
}

impl<'a> Posted<'a> {
    /// Looks at the fields.
    ///
    /// # Errors
    /// The answer to who sent them: 411, 415, or 400.
    pub fn check(call: &Call<'a>) -> Result<Self, Response> {
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
        Ok(Self { body, client })
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

impl From<BadBody> for Response {
    fn from(BadBody { detail, offset }: BadBody) -> Self {
        Self::error(400, detail, offset)
    }
}

/// Why a delivery was not stored. Nothing of it is kept, and the client may send it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unstored {
    /// The system does not let us: the disk is full, or broken.
    #[error("the data file cannot be written")]
    Unwritable,
    /// The disk is slower than the clients, and what may wait for it is bounded.
    #[error("too many metrics wait to be written")]
    QueueFull,
    /// Nothing is taken any more.
    #[error("the server is stopping")]
    Stopping,
}

/// How far the metrics have come: what `GET /health` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Metrics that are accepted and not stored yet.
    pub queue_size: u64,
    /// Metrics that were answered with 202.
    pub accepted: u64,
    /// Metrics that are in the file.
    pub stored: u64,
}

impl Health {
    /// Of a server that stores in the request itself: nothing waits, and what is stored was
    /// accepted.
    pub fn in_place(stored: u64) -> Self {
        Self { queue_size: 0, accepted: stored, stored }
    }
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
        let path = &*plain(call.path);
        let Some(allow) = allow(path) else {
            return refuse(404, "try /metrics or /health");
        };
        let response = match (path, call.method) {
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
            // Written as it is, not through a tree of values: it is what nearly every request gets.
            Ok(()) => Response::new(
                202,
                "application/json",
                format!(r#"{{"status":"accepted","accepted":{count}}}"#),
            ),
            Err(error) => Response::unavailable(error, RETRY_AFTER_S),
        }
    }

    fn ingest<'a>(&self, call: &Call<'a>) -> Result<Delivery<'a>, Response> {
        let Posted { body, client } = Posted::check(call)?;
        let batch = (self.parse_body)(body)?;
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

/// A path without the percent-encoding that means nothing: an unreserved character and its encoded
/// form are the same (RFC 3986, section 2.3).
pub fn plain(path: &str) -> Cow<'_, str> {
    let Some((start, encoded)) = path.split_once('%') else { return path.into() };
    let mut plain = start.to_string();
    for part in encoded.split('%') {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.map(char::from) {
            Some(unreserved @ ('a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~')) => {
                plain.push(unreserved);
                plain.push_str(&part[2..]);
            }
            _ => plain.extend(["%", part]),
        }
    }
    plain.into()
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::http::{Limits, RequestReader, Status};
    use crate::json;

    const METRIC: &[u8] = br#"{"name":"m","value":1}"#;

    const POST: Call<'static> = Call {
        method: "POST",
        path: "/metrics",
        content_type: None,
        content_encoding: None,
        client_id: None,
        body: Some(METRIC),
    };

    const SERVICE: Service<'static> = Service {
        parse_body: json::parse,
        health: &|| Health { queue_size: 1, accepted: 3, stored: 2 },
        telemetry: &|| "ingest_queue_size 1\n".into(),
    };

    fn ask(method: &str, path: &str) -> Response {
        SERVICE.answer(&Call { method, path, body: None, ..POST }, |_| panic!("nothing to store"))
    }

    fn status(call: &Call<'_>) -> u16 {
        SERVICE.answer(call, |_| Ok(())).status
    }

    fn body(response: Response) -> String {
        String::from_utf8(response.content.expect("a body").bytes).expect("text")
    }

    #[test]
    fn a_route_answers_its_methods_and_names_them_to_the_others() {
        for (path, allow) in
            [("/metrics", "GET, HEAD, POST, OPTIONS"), ("/health", "GET, HEAD, OPTIONS")]
        {
            for method in METHODS {
                let response = ask(method, path);
                let (expected, names_allow) = match method {
                    "OPTIONS" => (204, true),
                    _ if !allow.split(", ").any(|it| it == method) => (405, true),
                    // It came without a length.
                    "POST" => (411, false),
                    _ => (200, false),
                };
                let found = (response.status, response.allow);
                assert_eq!(found, (expected, names_allow.then_some(allow)), "{method} {path}");
            }
        }
    }

    #[test]
    fn what_is_no_route_is_told_so() {
        assert_eq!(ask("GET", "/metrics/").status, 404);
        assert_eq!(ask("BREW", "/nothing").status, 404, "whatever the method");
        assert_eq!(ask("BREW", "/metrics").status, 501);
        assert_eq!(ask("get", "/metrics").status, 501, "the case of a method counts");
        assert_eq!(ask("CONNECT", "").status, 501);
        assert_eq!(ask("OPTIONS", "*").allow, Some("GET, HEAD, POST, OPTIONS"));
    }

    #[test]
    fn health_and_telemetry_are_what_was_handed_in() {
        let expected = r#"{"status":"ok","queue_size":1,"accepted":3,"stored":2}"#;
        assert_eq!(body(ask("GET", "/health")), expected);
        assert_eq!(body(ask("GET", "/metrics")), "ingest_queue_size 1\n");
    }

    #[test]
    fn the_media_type_is_json_or_absent() {
        for (content_type, expected) in [
            (None, 202),
            (Some("application/json"), 202),
            (Some("Application/JSON; charset=utf-8"), 202),
            (Some("application/json ;q=1"), 202),
            (Some(""), 415),
            (Some("application/jsonl"), 415),
            (Some("text/plain; application/json"), 415),
        ] {
            let call = Call { content_type: content_type.map(str::as_bytes), ..POST };
            assert_eq!(status(&call), expected, "{content_type:?}");
        }
    }

    #[test]
    fn a_body_that_is_packed_is_refused() {
        for (content_encoding, expected) in [("identity", 202), ("Identity", 202), ("gzip", 415)] {
            let call = Call { content_encoding: Some(content_encoding.as_bytes()), ..POST };
            assert_eq!(status(&call), expected, "{content_encoding}");
        }
    }

    #[test]
    fn a_client_names_itself_in_1_to_255_bytes_of_text() {
        let (longest, too_long) = ("c".repeat(255), "c".repeat(256));
        for id in ["web-1", "zürich", longest.as_str()] {
            match SERVICE.decide(&Call { client_id: Some(id.as_bytes()), ..POST }) {
                Decision::Store(delivery) => assert_eq!(delivery.client, Some(id)),
                Decision::Answer(response) => panic!("{id}: {response:?}"),
            }
        }
        for id in [&b""[..], too_long.as_bytes(), b"tab\there", "\u{85}".as_bytes(), b"\xff"] {
            let call = Call { client_id: Some(id), ..POST };
            assert_eq!(status(&call), 400, "{}", id.escape_ascii());
        }
    }

    #[test]
    fn what_is_stored_is_what_was_sent() {
        let batch = json::parse(METRIC).unwrap();
        let stored = Cell::new(0);
        let response = SERVICE.answer(&POST, |delivery| {
            assert_eq!((&delivery.batch, delivery.client), (&batch, None));
            stored.set(stored.get() + 1);
            Ok(())
        });
        assert_eq!((response.status, stored.get()), (202, 1));
        assert_eq!(body(response), r#"{"status":"accepted","accepted":1}"#);
    }

    #[test]
    fn what_could_not_be_stored_is_told_why_and_may_be_sent_again() {
        for (reason, detail) in [
            (Unstored::Unwritable, "the data file cannot be written"),
            (Unstored::QueueFull, "too many metrics wait to be written"),
            (Unstored::Stopping, "the server is stopping"),
        ] {
            let response = SERVICE.answer(&POST, |_| Err(reason));
            assert_eq!((response.status, response.retry_after_s), (503, Some(1)));
            let expected = format!(r#"{{"error":"service_unavailable","detail":"{detail}"}}"#);
            assert_eq!(body(response), expected);
        }
    }

    #[test]
    fn a_body_that_is_refused_is_not_stored() {
        let call = Call { body: Some(b"{\"name\":\"m\" 1"), ..POST };
        let response = SERVICE.answer(&call, |_| panic!("nothing to store"));
        assert_eq!(response.status, 400);
        let body: serde_json::Value = serde_json::from_str(&body(response)).unwrap();
        assert_eq!(body["error"], "bad_request");
        assert_eq!(body["offset"], 12);
    }

    /// The request with these fields, as the reader gives it.
    fn request(fields: &str) -> Request {
        let bytes = format!("POST /metrics HTTP/1.1\r\nHost: test\r\n{fields}\r\n");
        let mut reader = RequestReader::new(Limits::default());
        match reader.read(bytes.as_bytes()).unwrap().status {
            Status::Complete(request) => request,
            Status::NeedMore => panic!("{fields:?} is not all of it"),
        }
    }

    #[test]
    fn a_call_borrows_from_the_request() {
        let all = "Content-Type: a/b\r\nContent-Encoding: gzip\r\nX-Client-Id: c\r\n";
        let all = request(all);
        let call = Call::try_from(&all).unwrap();
        assert_eq!((call.method, call.path), ("POST", "/metrics"));
        assert_eq!(call.content_type, Some(&b"a/b"[..]));
        assert_eq!(call.content_encoding, Some(&b"gzip"[..]));
        assert_eq!(call.client_id, Some(&b"c"[..]));
        assert_eq!(call.body, None, "nothing says how long it is");
        let empty = request("Content-Length: 0\r\n");
        assert_eq!(Call::try_from(&empty).unwrap().body, Some(&b""[..]));
    }

    #[test]
    fn a_field_that_decides_something_is_given_once() {
        for name in ["Content-Type", "Content-Encoding", "X-Client-Id"] {
            let twice = request(&format!("{name}: a\r\n{}: a\r\n", name.to_lowercase()));
            assert_eq!(Call::try_from(&twice).unwrap_err(), Repeated(name));
        }
        assert!(Call::try_from(&request("X-Other: a\r\nX-Other: a\r\n")).is_ok());
    }
}
