//! Line ends, and what is no HTTP at all (RFC 9112, section 2).

use super::{
    METRIC, Refusal, assert_answered, assert_refused, connect, get, line, post, post_chunks, server,
};

/// RFC 9112, section 2.2: a line ends in CR LF. That a recipient may take LF alone is what lets two
/// of them see different lines, so we do not.
#[test]
fn refuses_a_bare_line_feed_behind_the_request_line() {
    assert_refused("GET /health HTTP/1.1\nHost: test\r\n\r\n", 400, Refusal::LineEnd);
}

/// RFC 9112, section 2.2: the same within the fields.
#[test]
fn refuses_a_bare_line_feed_behind_a_field() {
    assert_refused(get("X-A: a\nX-B: b\r\n"), 400, Refusal::LineEnd);
}

/// RFC 9112, section 2.2: the same for the empty line behind them.
#[test]
fn refuses_a_bare_line_feed_for_the_empty_line() {
    assert_refused("GET /health HTTP/1.1\r\nHost: test\r\n\n", 400, Refusal::FieldName);
}

/// RFC 9112, section 2.2: a CR without its LF makes the element invalid.
#[test]
fn refuses_a_bare_carriage_return_in_a_field() {
    assert_refused(get("X-A: a\rb\r\n"), 400, Refusal::LineEnd);
}

/// RFC 9112, section 2.2: the same in the request line.
#[test]
fn refuses_a_bare_carriage_return_in_the_request_line() {
    assert_refused(line("GET /health HTTP/1.1\r"), 400, Refusal::LineEnd);
}

/// RFC 9112, section 2.2: an empty line before the request line is ignored.
#[test]
fn ignores_an_empty_line_before_the_request() {
    assert_answered(format!("\r\n{}", get("")), 200);
}

/// RFC 9112, section 2.2: one is enough for the clients that the rule is for.
#[test]
fn refuses_two_empty_lines_before_the_request() {
    assert_refused(format!("\r\n\r\n{}", get("")), 400, Refusal::Method);
}

/// RFC 9112, section 2.2: a sequence that does not match the grammar of a message gets 400. This is
/// the beginning of a TLS handshake.
#[test]
fn refuses_what_is_not_http_at_all() {
    assert_refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, Refusal::Method);
}

/// RFC 9112, section 8: a request that ends before its end is incomplete, and may be answered with
/// an error.
#[test]
fn refuses_half_a_head() {
    let server = server();
    let mut client = connect(&server);
    client.send(b"GET /health HTTP/1.1\r\nHost: te").unwrap();
    client.finish_sending().unwrap();
    assert_eq!(client.read_response().unwrap().status, 400);
}

/// RFC 9112, section 8: the same for a body that is shorter than its length.
#[test]
fn refuses_half_a_body() {
    let server = server();
    let mut client = connect(&server);
    client.send(post("Content-Length: 23\r\n").as_bytes()).unwrap();
    client.finish_sending().unwrap();
    assert_eq!(client.read_response().unwrap().status, 400);
}

/// RFC 9112, section 8: and for chunks without the last one, however whole the JSON in them is.
#[test]
fn refuses_chunks_without_the_last_one() {
    let server = server();
    let mut client = connect(&server);
    client.send(post_chunks(&format!("16\r\n{METRIC}\r\n")).as_bytes()).unwrap();
    client.finish_sending().unwrap();
    assert_eq!(client.read_response().unwrap().status, 400);
}
