//! What every answer has (RFC 9112, section 4; RFC 9110, sections 6.6.1 and 8).

use std::time::{Duration, SystemTime};

use super::{answer_to, bytes_in_answer_to, get, line};

/// RFC 9112, section 4: version, blank, three digits, blank, and perhaps words for people.
#[test]
fn an_answer_begins_with_its_status_line() {
    let answer = bytes_in_answer_to(&get(""));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

/// RFC 9110, section 6.6.1: a server with a clock says when it answered, in the one form that
/// section 5.6.7 lets it write.
#[test]
fn an_answer_has_a_date_in_the_preferred_form() {
    for request in [get(""), line("GET /nothing-here HTTP/1.1"), "nonsense\r\n".into()] {
        let response = answer_to(request);
        let date = response.field("Date").expect("a Date");
        let then = httpdate::parse_http_date(date).expect("a moment");
        assert_eq!(httpdate::fmt_http_date(then), date);
        // A clock in another zone would be off by more.
        let age = SystemTime::now().duration_since(then).unwrap_or_default();
        assert!(age < Duration::from_mins(15), "{date}");
    }
}

/// RFC 9110, section 8.6: Content-Length is the length of the body, in bytes.
#[test]
fn a_body_is_as_long_as_the_answer_says() {
    for request in [get(""), line("GET /ü HTTP/1.1"), line("GET /metrics HTTP/1.1")] {
        let answer = bytes_in_answer_to(&request);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let length = format!("\r\nContent-Length: {}\r\n", body.len());
        assert!(head.contains(&length), "{answer}");
    }
}

/// RFC 9110, section 8.6: an answer without content, 204, has no length at all.
#[test]
fn an_answer_without_content_has_no_length() {
    let response = answer_to(line("OPTIONS /health HTTP/1.1"));
    assert_eq!((response.status, response.field("Content-Length")), (204, None));
}

/// RFC 9110, section 8.3: an answer with a body says what it is.
#[test]
fn an_answer_with_a_body_has_a_media_type() {
    assert_eq!(answer_to(get("")).field("Content-Type"), Some("application/json"));
    let telemetry = answer_to(line("GET /metrics HTTP/1.1"));
    assert_eq!(telemetry.field("Content-Type"), Some("text/plain; version=0.0.4"));
}

/// RFC 9110, section 15.5: the answer to a mistake explains it.
#[test]
fn a_refusal_says_what_is_wrong() {
    let response = answer_to("GET /health HTTP/1.1\r\n\r\n");
    assert_eq!(response.field("Content-Type"), Some("application/json"));
    assert_eq!(response.json()["error"], "bad_request");
    assert_eq!(response.json()["detail"], "HTTP/1.1 needs a Host field");
}
