//! Where a body ends: Content-Length and Transfer-Encoding (RFC 9112, section 6; RFC 9110, section
//! 8.6).

use super::{
    METRIC, METRIC_LEN, Refusal, answer_to, assert_answered, assert_refused, get, post, post_chunks,
};

fn with_length(value: &str) -> String {
    post(&format!("Content-Length: {value}\r\n"))
}

fn with_coding(value: &str) -> String {
    let last = format!("{METRIC_LEN:x}\r\n{METRIC}\r\n0\r\n\r\n");
    post_chunks(&last).replace("Transfer-Encoding: chunked", &format!("Transfer-Encoding: {value}"))
}

/// RFC 9112, section 6.3: a request without either field has no body.
#[test]
fn a_request_without_a_length_has_no_body() {
    assert_answered(get(""), 200);
}

/// RFC 9110, section 15.5.12: a server may insist on a length with 411.
#[test]
fn asks_for_a_length_where_a_body_is_needed() {
    assert_answered(post(""), 411);
}

/// RFC 9112, section 6.2: the body has as many bytes as Content-Length says. The next ones are not
/// part of it, though they would break its JSON.
#[test]
fn a_body_is_as_long_as_its_length() {
    let longer = with_length(&METRIC_LEN.to_string()) + "}}}";
    assert_answered(longer, 202);
    let shorter = with_length(&(METRIC_LEN - 1).to_string());
    assert_answered(shorter, 400);
}

/// RFC 9110, section 8.6: a length is a row of digits, however many zeros it begins with.
#[test]
fn takes_a_length_with_leading_zeros() {
    assert_answered(with_length(&format!("000{METRIC_LEN}")), 202);
}

/// RFC 9110, section 8.6: a row of digits has no sign.
#[test]
fn refuses_a_length_with_a_sign() {
    assert_refused(with_length("+22"), 400, Refusal::ContentLength);
    assert_refused(with_length("-22"), 400, Refusal::ContentLength);
}

/// RFC 9110, section 8.6: and no blanks.
#[test]
fn refuses_a_length_with_a_blank_inside() {
    assert_refused(with_length("2 2"), 400, Refusal::ContentLength);
}

/// RFC 9110, section 8.6: it has one digit at least.
#[test]
fn refuses_an_empty_length() {
    assert_refused(with_length(""), 400, Refusal::ContentLength);
}

/// RFC 9110, section 8.6: and only decimal ones.
#[test]
fn refuses_a_length_in_another_base() {
    assert_refused(with_length("0x16"), 400, Refusal::ContentLength);
    assert_refused(with_length("2e1"), 400, Refusal::ContentLength);
}

/// RFC 9112, section 6.3: a list of equal lengths may be taken for one or refused. We refuse it.
#[test]
fn refuses_a_list_of_lengths() {
    assert_refused(with_length("22, 22"), 400, Refusal::ContentLength);
}

/// RFC 9112, section 6.3: the same where they stand in two lines.
#[test]
fn refuses_an_equal_length_in_a_second_line() {
    let twice = post("Content-Length: 22\r\nContent-Length: 22\r\n");
    assert_refused(twice, 400, Refusal::ContentLengthRepeated);
}

/// RFC 9112, section 6.3: lengths that differ cannot be recovered from.
#[test]
fn refuses_lengths_that_differ() {
    let twice = post("Content-Length: 22\r\nContent-Length: 0\r\n");
    assert_refused(twice, 400, Refusal::ContentLengthRepeated);
}

/// RFC 9110, section 15.5.14: a body beyond the limit gets 413, before it is sent.
#[test]
fn refuses_a_length_beyond_the_limit() {
    assert_refused(with_length("1048577"), 413, Refusal::BodyTooLong);
}

/// RFC 9110, section 8.6: there is no limit to the number, so a recipient minds its integers. The
/// first of these is 2 to the power of 64 plus 22.
#[test]
fn refuses_a_length_beyond_any_integer() {
    assert_refused(with_length("18446744073709551638"), 413, Refusal::BodyTooLong);
    assert_refused(with_length(&"9".repeat(1_000)), 413, Refusal::BodyTooLong);
}

/// RFC 9112, section 6.1: a server may refuse a request with both fields. It ought to be handled as
/// an attack.
#[test]
fn refuses_a_length_beside_a_coding() {
    let (length, coding) = ("Content-Length: 22\r\n", "Transfer-Encoding: chunked\r\n");
    assert_refused(post(&[length, coding].concat()), 400, Refusal::LengthAndCoding);
    assert_refused(post(&[coding, length].concat()), 400, Refusal::LengthAndCoding);
}

/// RFC 9112, section 7: the names of codings have no case.
#[test]
fn the_case_of_a_coding_does_not_count() {
    assert_answered(with_coding("Chunked"), 202);
}

/// RFC 9110, section 5.6.1: empty elements of a list count for nothing.
#[test]
fn empty_elements_of_the_codings_count_for_nothing() {
    assert_answered(with_coding(", chunked ,"), 202);
}

/// RFC 9112, section 6.1: a coding that is not understood gets 501.
#[test]
fn does_not_know_other_codings() {
    for codings in ["gzip", "gzip, chunked", "xchunked", "chunked;q=1", "\"chunked\""] {
        assert_refused(with_coding(codings), 501, Refusal::CodingUnknown);
    }
}

/// RFC 9112, section 6.3: where chunked is not the last coding, the length is unknown: 400.
#[test]
fn refuses_codings_that_do_not_end_in_chunked() {
    assert_refused(with_coding("chunked, gzip"), 400, Refusal::ChunkedNotLast);
    assert_refused(with_coding(""), 400, Refusal::ChunkedNotLast);
}

/// RFC 9112, section 6.1: chunked is not applied twice, in one line or in two.
#[test]
fn refuses_chunked_twice() {
    assert_refused(with_coding("chunked, chunked"), 400, Refusal::ChunkedNotLast);
    let two_lines = with_coding("chunked\r\nTransfer-Encoding: chunked");
    assert_refused(two_lines, 400, Refusal::ChunkedNotLast);
}

/// RFC 9112, section 6.1: in HTTP/1.0 the framing of a message with Transfer-Encoding is faulty.
#[test]
fn refuses_a_coding_in_http_1_0() {
    let request = with_coding("chunked").replace("HTTP/1.1", "HTTP/1.0");
    assert_refused(request, 400, Refusal::CodingInHttp10);
}

/// RFC 9112, section 11.2: a request that hides in the body of another is not read as one.
#[test]
fn does_not_read_a_request_inside_a_body() {
    let hidden = get("");
    let request = format!(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{hidden}",
        hidden.len()
    );
    let response = answer_to(request);
    assert_eq!((response.status, response.json()["offset"].as_u64()), (400, Some(0)));
}
