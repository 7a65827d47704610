//! What a rival answers, before a framework puts it on the wire.

use serde::Serialize;

/// Seconds after which a client that met a full queue may come back: the writer empties a full
/// channel in far less.
const RETRY_AFTER_S: &str = "1";

/// An answer of the wire contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// 202: this many metrics were handed to the writer.
    Accepted(usize),
    /// 200 for `GET /health`, with the number of requests that wait for the writer.
    Healthy(usize),
    /// 400 with what is wrong.
    Rejected(String),
    /// 404: no such route.
    NotFound,
    /// 413: the body is over [`BODY_BYTES_MAX`](metrics_model::limits::BODY_BYTES_MAX).
    TooLarge,
    /// 503: the writer cannot take more now.
    Busy,
}

impl Reply {
    /// The status code and its reason phrase.
    pub fn status(&self) -> (u16, &'static str) {
        match self {
            Self::Accepted(_) => (202, "Accepted"),
            Self::Healthy(_) => (200, "OK"),
            Self::Rejected(_) => (400, "Bad Request"),
            Self::NotFound => (404, "Not Found"),
            Self::TooLarge => (413, "Content Too Large"),
            Self::Busy => (503, "Service Unavailable"),
        }
    }

    /// The value of `Retry-After`, where the status calls for one.
    pub fn retry_after(&self) -> Option<&'static str> {
        matches!(self, Self::Busy).then_some(RETRY_AFTER_S)
    }

    /// The body, a JSON object.
    pub fn body(&self) -> Vec<u8> {
        match self {
            Self::Accepted(count) => counted(br#"{"status":"accepted","accepted":"#, *count),
            Self::Healthy(size) => counted(br#"{"status":"ok","queue_size":"#, *size),
            Self::Rejected(detail) => error("bad request", detail),
            Self::NotFound => error("not found", "POST /metrics or GET /health"),
            Self::TooLarge => error("body too large", "a body has at most 1 MiB"),
            Self::Busy => error("busy", "the writer cannot take more now"),
        }
    }
}

/// Room for the longest count and the closing brace.
const COUNTED_BYTES_MAX: usize = 64;

fn counted(prefix: &[u8], count: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(COUNTED_BYTES_MAX);
    body.extend_from_slice(prefix);
    body.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    body.push(b'}');
    body
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
    detail: &'a str,
}

fn error(error: &str, detail: &str) -> Vec<u8> {
    serde_json::to_vec(&ErrorBody { error, detail }).expect("text always serializes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_says_how_many() {
        let reply = Reply::Accepted(1000);
        assert_eq!(reply.body(), br#"{"status":"accepted","accepted":1000}"#);
        assert_eq!((reply.status().0, reply.retry_after()), (202, None));
    }

    #[test]
    fn busy_says_when_to_come_back() {
        assert_eq!(Reply::Busy.retry_after(), Some("1"));
    }

    #[test]
    fn details_are_escaped() {
        let body = Reply::Rejected("a \"quote\"".into()).body();
        assert_eq!(body, br#"{"error":"bad request","detail":"a \"quote\""}"#);
    }
}
