//! A response and its bytes (RFC 9112, section 4).
//!
//! What always holds: every response has a Date, says how long its body is, and says that the
//! connection closes, because in this phase it does. An error's body is JSON: `error` for programs,
//! `detail` for people, `offset` where the body's bad byte is known.

use std::fmt::{Display, Write as _};
use std::time::SystemTime;

use serde_json::{Value, json};

/// The interim answer that `Expect: 100-continue` waits for (RFC 9110, section 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// An error repeats at most this much of what the client sent.
const DETAIL_CHARS_MAX: usize = 240;

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code, one of those in [`reason_phrase`].
    pub status: u16,
    /// The body; nothing for 204.
    pub content: Option<Content>,
    /// The methods that the path has: with 405, and for who asks with OPTIONS.
    pub allow: Option<&'static str>,
    /// Seconds after which another try makes sense: with 429 and 503.
    pub retry_after_s: Option<u32>,
    /// How to say who one is: with 401 (RFC 9110, section 11.6.1).
    pub challenge: Option<&'static str>,
}

/// A body and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Response {
    /// A response with a body.
    pub fn new(status: u16, media_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let content = Some(Content { media_type, bytes: body.into() });
        Self { status, content, allow: None, retry_after_s: None, challenge: None }
    }

    /// A response with a JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// 204: the answer is in the fields.
    pub fn empty() -> Self {
        Self { status: 204, content: None, allow: None, retry_after_s: None, challenge: None }
    }

    /// An error. `offset` is the place of the bad byte in the body, from 0, where it is known.
    pub fn error(status: u16, detail: impl Display, offset: Option<usize>) -> Self {
        let error = reason_phrase(status).to_lowercase().replace([' ', '-'], "_");
        let detail: String = detail.to_string().chars().take(DETAIL_CHARS_MAX).collect();
        let mut body = json!({ "error": error, "detail": detail });
        if let Some(offset) = offset {
            body["offset"] = offset.into();
        }
        Self::json(status, &body)
    }

    /// 503: not now, but in `retry_after_s` seconds perhaps.
    pub fn unavailable(detail: impl Display, retry_after_s: u32) -> Self {
        let retry_after_s = Some(retry_after_s);
        Self { retry_after_s, ..Self::error(503, detail, None) }
    }

    /// Its bytes, body included.
    pub fn encode(&self, now: SystemTime) -> Vec<u8> {
        let mut bytes = self.encode_head(now);
        if let Some(content) = &self.content {
            bytes.extend_from_slice(&content.bytes);
        }
        bytes
    }

    /// Its bytes as the answer to HEAD: what GET would get, without the body (RFC 9110, section
    /// 9.3.2).
    pub fn encode_head(&self, now: SystemTime) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason_phrase(self.status));
        let mut field = |name: &str, value: &dyn Display| {
            // Writing into a String does not fail.
            let _ = write!(head, "{name}: {value}\r\n");
        };
        // RFC 9110, section 6.6.1: a server with a clock says when.
        field("Date", &httpdate::HttpDate::from(now));
        // RFC 9110, section 8.6: no length with 204, and one with everything else.
        if let Some(Content { media_type, bytes }) = &self.content {
            field("Content-Type", media_type);
            field("Content-Length", &bytes.len());
        }
        if let Some(allow) = self.allow {
            field("Allow", &allow);
        }
        if let Some(seconds) = self.retry_after_s {
            field("Retry-After", &seconds);
        }
        if let Some(challenge) = self.challenge {
            field("WWW-Authenticate", &challenge);
        }
        // RFC 9112, section 9.6: who will close says so.
        field("Connection", &"close");
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// RFC 9110, section 15, and RFC 6585 for 429 and 431: the words for the statuses that we send.
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_response_is_a_status_line_fields_and_a_body() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let response = Response::unavailable("full", 1);
        assert_eq!(
            text(response.encode(now)),
            "HTTP/1.1 503 Service Unavailable\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Content-Type: application/json\r\nContent-Length: 47\r\nRetry-After: 1\r\n\
             Connection: close\r\n\r\n{\"error\":\"service_unavailable\",\"detail\":\"full\"}"
        );
    }

    #[test]
    fn a_challenge_stands_among_the_fields() {
        let challenge = Some("Bearer realm=\"metrics\"");
        let response = Response { challenge, ..Response::error(401, "who are you", None) };
        let text = text(response.encode(UNIX_EPOCH));
        assert!(text.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{text}");
        assert!(text.contains("\r\nWWW-Authenticate: Bearer realm=\"metrics\"\r\n"), "{text}");
    }

    #[test]
    fn the_answer_to_head_is_the_same_without_the_body() {
        let response = Response::json(200, &json!({ "status": "ok" }));
        let (whole, head) = (response.encode(UNIX_EPOCH), response.encode_head(UNIX_EPOCH));
        assert_eq!(text(whole), text(head) + r#"{"status":"ok"}"#);
    }

    #[test]
    fn no_content_has_no_length() {
        let bytes = text(Response::empty().encode(UNIX_EPOCH));
        assert!(bytes.starts_with("HTTP/1.1 204 No Content\r\n"));
        assert!(!bytes.contains("Content-"), "{bytes}");
    }

    #[test]
    fn an_error_repeats_240_characters_at_most() {
        let response = Response::error(400, "ü".repeat(1_000), Some(7));
        let body: Value = serde_json::from_slice(&response.content.unwrap().bytes).unwrap();
        assert_eq!(body["detail"].as_str().unwrap().chars().count(), 240);
        assert_eq!(
            (body["error"].as_str(), body["offset"].as_u64()),
            (Some("bad_request"), Some(7))
        );
    }
}
