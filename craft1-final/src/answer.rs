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

/// How nearly every answer begins, up to the value of Date.
const START: &[u8] = b"HTTP/1.1 202 Accepted\r\nDate: ";

/// What stands between Date and the length of the body.
const JSON: &[u8] = b"\r\nContent-Type: application/json\r\nContent-Length: ";

/// The body of a 202 up to the number.
const ACCEPTED: &[u8] = br#"{"status":"accepted","accepted":"#;

/// How long a date is in the one form of RFC 9110, section 5.6.7.
const DATE_LEN: usize = b"Sun, 06 Nov 1994 08:49:37 GMT".len();

const DATE_END: usize = START.len() + DATE_LEN;
const HEAD_LEN: usize = DATE_END + JSON.len();

/// The date of an answer, made once a second, and what else of a 202 is always the same.
#[derive(Debug, Clone, Copy)]
pub struct Date {
    accepted: [u8; HEAD_LEN],
}

impl Date {
    /// That of this moment.
    ///
    /// # Panics
    /// Behind the year 9999, for which HTTP has no form.
    pub fn at(now: SystemTime) -> Self {
        let mut accepted = [0; HEAD_LEN];
        accepted[..START.len()].copy_from_slice(START);
        accepted[DATE_END..].copy_from_slice(JSON);
        write!(&mut accepted[START.len()..DATE_END], "{}", httpdate::HttpDate::from(now))
            .expect("every date has the same length");
        Self { accepted }
    }

    fn value(&self) -> &[u8] {
        &self.accepted[START.len()..DATE_END]
    }
}

/// Writes 202: so many metrics were accepted. The same as the response of `Service::stored`.
pub fn accepted(out: &mut Vec<u8>, metrics: usize, date: &Date, persistence: Persistence) {
    let metrics = Decimal::new(metrics);
    let body_len = ACCEPTED.len() + metrics.text().len() + b"}".len();
    out.extend_from_slice(&date.accepted);
    out.extend_from_slice(Decimal::new(body_len).text());
    out.extend_from_slice(b"\r\n");
    put_connection(out, persistence);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(ACCEPTED);
    out.extend_from_slice(metrics.text());
    out.push(b'}');
}

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
    put_field(out, "Date", date.value());
    if let Some(Content { media_type, bytes }) = content {
        put_field(out, "Content-Type", media_type.as_bytes());
        put_field(out, "Content-Length", Decimal::new(bytes.len()).text());
    }
    if let Some(allow) = allow {
        put_field(out, "Allow", allow.as_bytes());
    }
    if let Some(seconds) = retry_after_s {
        put_field(out, "Retry-After", Decimal::new(*seconds as usize).text());
    }
    if let Some(challenge) = challenge {
        put_field(out, "WWW-Authenticate", challenge.as_bytes());
    }
    put_connection(out, persistence);
    out.extend_from_slice(b"\r\n");
    if let Some(content) = content.as_ref().filter(|_| !is_head) {
        out.extend_from_slice(&content.bytes);
    }
}

/// RFC 9112, section 9.6: who will close says so; and section 9.3: HTTP/1.1 stays open unsaid.
fn put_connection(out: &mut Vec<u8>, persistence: Persistence) {
    match persistence {
        Persistence::Close => put_field(out, "Connection", b"close"),
        Persistence::Stay => {}
        Persistence::StayAloud => put_field(out, "Connection", b"keep-alive"),
    }
}

fn put_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use craft1_phase1::service::Service;
    use proptest::prelude::*;

    use super::*;

    const PERSISTENCES: [(Persistence, &str); 3] = [
        (Persistence::Close, "Connection: close\r\n"),
        (Persistence::Stay, ""),
        (Persistence::StayAloud, "Connection: keep-alive\r\n"),
    ];

    /// Phase 1's bytes, which always close, with another word about the connection.
    fn by_phase1(response: &Response, is_head: bool, now: SystemTime, connection: &str) -> String {
        let bytes = if is_head { response.encode_head(now) } else { response.encode(now) };
        let text = String::from_utf8(bytes).unwrap();
        text.replacen("Connection: close\r\n", connection, 1)
    }

    fn assert_like_phase1(response: &Response) {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (persistence, connection) in PERSISTENCES {
            for is_head in [false, true] {
                let mut out = b"before".to_vec();
                super::response(&mut out, response, is_head, &Date::at(now), persistence);
                let expected = by_phase1(response, is_head, now, connection);
                assert_eq!(String::from_utf8(out).unwrap(), format!("before{expected}"));
            }
        }
    }

    #[test]
    fn every_response_has_the_bytes_of_phase_1() {
        let empty = Response::empty();
        let allow = Some("GET, HEAD");
        for response in [
            Response { allow, ..empty.clone() },
            Response { allow, ..Response::error(405, "not this one", None) },
            Response { challenge: Some("Bearer"), ..Response::error(401, "who is it", None) },
            Response { retry_after_s: Some(u32::MAX), ..Response::error(429, "later", None) },
            Response::unavailable("full", 1),
            Response::new(200, "text/plain; version=0.0.4", ""),
            Response::new(200, "text/plain", vec![b'x'; 12_345]),
            Response::error(400, "bad", Some(7)),
            empty,
        ] {
            assert_like_phase1(&response);
        }
    }

    #[test]
    fn a_202_has_the_bytes_of_phase_1() {
        for metrics in [0, 1, 9, 10, 99, 100, 1_000, 10_000, usize::MAX] {
            let response = Service::stored(metrics, Ok(()));
            for (persistence, connection) in PERSISTENCES {
                let mut out = b"before".to_vec();
                accepted(&mut out, metrics, &Date::at(UNIX_EPOCH), persistence);
                let expected = by_phase1(&response, false, UNIX_EPOCH, connection);
                assert_eq!(String::from_utf8(out).unwrap(), format!("before{expected}"));
            }
        }
    }

    proptest! {
        // A failing case is printed in full, so no file of past seeds is kept.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_number_is_its_digits(number: usize, digits in 0..20_u32) {
            for number in [number, number % 10_usize.pow(digits.min(19))] {
                let (ours, expected) = (Decimal::new(number), number.to_string());
                prop_assert_eq!(ours.text(), expected.as_bytes());
            }
        }
    }
}
