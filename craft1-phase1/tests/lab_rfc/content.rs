//! What a body is: Content-Type and Content-Encoding (RFC 9110, section 8).

use super::{METRIC_LEN, answer_to, post};

fn status_with(field: &str) -> u16 {
    answer_to(post(&format!("{field}\r\nContent-Length: {METRIC_LEN}\r\n"))).status
}

/// RFC 9110, section 8.3.1: type and subtype have no case.
#[test]
fn the_case_of_a_media_type_does_not_count() {
    assert_eq!(status_with("Content-Type: Application/JSON"), 202);
}

/// RFC 9110, section 8.3.1: parameters follow a semicolon, with or without white space.
#[test]
fn parameters_of_a_media_type_change_nothing() {
    assert_eq!(status_with("Content-Type: application/json;charset=utf-8"), 202);
    assert_eq!(status_with("Content-Type: application/json ; charset=utf-8"), 202);
}

/// RFC 9110, section 8.3: without Content-Type the server may look at the bytes.
#[test]
fn a_media_type_may_be_absent() {
    assert_eq!(status_with("X-A: a"), 202);
}

/// RFC 9110, section 15.5.16: a type that the resource does not take gets 415.
#[test]
fn refuses_another_media_type() {
    assert_eq!(status_with("Content-Type: text/plain"), 415);
    assert_eq!(status_with("Content-Type: application/jsonl"), 415);
}

/// RFC 9110, section 8.4: a coding that the server does not undo gets 415.
#[test]
fn refuses_a_packed_body() {
    assert_eq!(status_with("Content-Encoding: gzip"), 415);
}

/// RFC 9110, section 8.4.1: the names of codings have no case, and identity is none.
#[test]
fn takes_a_body_that_says_that_it_is_not_packed() {
    assert_eq!(status_with("Content-Encoding: Identity"), 202);
}
