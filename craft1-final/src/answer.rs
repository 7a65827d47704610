//! Answers, written behind one another into a buffer that is used again.
//!
//! What always holds: nothing is allocated as long as the buffer has room, and the bytes are those
//! of `craft1_phase1::http::Response::encode`, but for what they say about the connection, which
//! stays open here.

use std::io::Write as _;
use std::time::SystemTime;

use craft1_phase1::http::Response;
use craft1_phase1::http::response::{Content, reason_phrase};

use crate::request::Persistence;

pub use craft1_phase1::http::response::CONTINUE;

/// How long a Date field is: its name, the one form of RFC 9110, section 5.6.7, and the line end.
const DATE_LEN: usize = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n".len();

/// The Date field, made once a second.
#[derive(Debug, Clone, Copy)]
pub struct Date([u8; DATE_LEN]);

impl Date {
    /// That of this moment.
    ///
    /// # Panics
    /// Behind the year 9999, for which HTTP has no form.
    pub fn at(now: SystemTime) -> Self {
        let mut line = [0; DATE_LEN];
        let written = write!(line.as_mut_slice(), "Date: {}\r\n", httpdate::HttpDate::from(now));
        written.expect("every date has the same length");
        Self(line)
    }
}

/// Writes 202: so many metrics were accepted. The same as `response` of `Service::stored`.
pub fn accepted(out: &mut Vec<u8>, metrics: usize, date: &Date, persistence: Persistence) {
    let digits = Decimal::new(metrics);
    out.extend_from_slice(b"HTTP/1.1 202 Accepted\r\n");
    out.extend_from_slice(&date.0);
    out.extend_from_slice(b"Content-Type: application/json\r\nContent-Length: ");
    out.extend_from_slice(Decimal::new(ACCEPTED.len() + digits.text().len() + 1).text());
    out.extend_from_slice(b"\r\n");
    connection(out, persistence);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(ACCEPTED);
    out.extend_from_slice(digits.text());
    out.push(b'}');
}

/// The body of a 202 up to the number.
const ACCEPTED: &[u8] = br#"{"status":"accepted","accepted":"#;

/// Writes any response. To HEAD it goes without its body (RFC 9110, section 9.3.2).
pub fn response(
    out: &mut Vec<u8>,
    response: &Response,
    is_head: bool,
    date: &Date,
    persistence: Persistence,
) {
    let Response { status, content, allow, retry_after_s, challenge } = response;
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(Decimal::new(usize::from(*status)).text());
    out.push(b' ');
    out.extend_from_slice(reason_phrase(*status).as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&date.0);
    if let Some(Content { media_type, bytes }) = content {
        field(out, "Content-Type", media_type.as_bytes());
        field(out, "Content-Length", Decimal::new(bytes.len()).text());
    }
    if let Some(allow) = allow {
        field(out, "Allow", allow.as_bytes());
    }
    if let Some(seconds) = retry_after_s {
        field(out, "Retry-After", Decimal::new(*seconds as usize).text());
    }
    if let Some(challenge) = challenge {
        field(out, "WWW-Authenticate", challenge.as_bytes());
    }
    connection(out, persistence);
    out.extend_from_slice(b"\r\n");
    if let Some(content) = content.as_ref().filter(|_| !is_head) {
        out.extend_from_slice(&content.bytes);
    }
}

/// RFC 9112, section 9.6: who will close says so; and section 9.3: HTTP/1.1 stays open unsaid.
fn connection(out: &mut Vec<u8>, persistence: Persistence) {
    match persistence {
        Persistence::Close => field(out, "Connection", b"close"),
        Persistence::Stay => {}
        Persistence::StayAloud => field(out, "Connection", b"keep-alive"),
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Most digits that a number in an answer has.
const DIGITS_MAX: usize = 20;

/// A number in decimal digits.
struct Decimal {
    digits: [u8; DIGITS_MAX],
    start: usize,
}

impl Decimal {
    fn new(mut number: usize) -> Self {
        let (mut digits, mut start) = ([b'0'; DIGITS_MAX], DIGITS_MAX);
        loop {
            start -= 1;
            digits[start] += u8::try_from(number % 10).expect("a digit");
            number /= 10;
            if number == 0 {
                return Self { digits, start };
            }
        }
    }

    fn text(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}
