//! Names and values of fields, and how much of them there may be (RFC 9112, section 5; RFC 9110,
//! section 5).

use super::{METRIC, METRIC_LEN, Refusal, assert_answered, assert_refused, get, post};

/// RFC 9112, section 5.1: white space between name and colon gets 400, because readers that trim it
/// and readers that do not have been played off against each other.
#[test]
fn refuses_white_space_before_the_colon() {
    assert_refused(get("X-A : a\r\n"), 400, Refusal::FieldName);
    assert_refused(get("X-A\t: a\r\n"), 400, Refusal::FieldName);
}

/// RFC 9112, section 5.2: a line that begins with white space once continued the line before.
#[test]
fn refuses_a_folded_line() {
    assert_refused(get("X-A: a\r\n b\r\n"), 400, Refusal::Folded);
    assert_refused(get("X-A: a\r\n\tb\r\n"), 400, Refusal::Folded);
}

/// RFC 9112, section 2.2: white space between the request line and the first field is refused or
/// skipped with its line; reading it as a field is what must not happen.
#[test]
fn refuses_white_space_before_the_first_field() {
    assert_refused("GET /health HTTP/1.1\r\n Host: test\r\n\r\n", 400, Refusal::Folded);
}

/// RFC 9110, section 5.1: a name has at least one character.
#[test]
fn refuses_an_empty_field_name() {
    assert_refused(get(": a\r\n"), 400, Refusal::FieldName);
}

/// RFC 9112, section 5: a field line has a colon.
#[test]
fn refuses_a_line_without_a_colon() {
    assert_refused(get("nonsense\r\n"), 400, Refusal::FieldName);
}

/// RFC 9110, section 5.6.2: all of these make a token.
#[test]
fn takes_every_token_character_in_a_name() {
    assert_answered(get("!#$%&'*+-.^_`|~09azAZ: a\r\n"), 200);
}

/// RFC 9110, section 5.6.2: the delimiters do not, and nothing beyond ASCII does.
#[test]
fn refuses_a_delimiter_in_a_name() {
    for delimiter in "\"(),/;<=>?@[\\]{} ü".chars() {
        assert_refused(get(&format!("X{delimiter}A: a\r\n")), 400, Refusal::FieldName);
    }
}

/// RFC 9110, section 5.1: the case of a name does not count.
#[test]
fn the_case_of_a_name_does_not_count() {
    let request = format!("POST /metrics HTTP/1.1\r\nhOST: test\r\nCONTENT-length: {METRIC_LEN}");
    assert_answered(format!("{request}\r\n\r\n{METRIC}"), 202);
}

/// RFC 9110, section 5.1: a field that is not known is ignored.
#[test]
fn ignores_fields_that_it_does_not_know() {
    assert_answered(get("X-Nobody-Knows: this\r\nX-Nobody-Knows: that\r\n"), 200);
}

/// RFC 9110, section 5.5: white space around a value is not part of it.
#[test]
fn white_space_around_a_value_is_not_part_of_it() {
    let fields =
        format!("Content-Type: \t application/json\t \r\nContent-Length:{METRIC_LEN} \r\n");
    assert_answered(post(&fields), 202);
}

/// RFC 9110, section 5.5: a value may be empty.
#[test]
fn takes_an_empty_value() {
    assert_answered(get("X-A:\r\nX-B: \t\r\n"), 200);
}

/// RFC 9110, section 5.5: inside a value there may be blanks, tabs and bytes beyond ASCII, which
/// are taken as they are.
#[test]
fn takes_tabs_and_bytes_beyond_ascii_in_a_value() {
    let request =
        [b"GET /health HTTP/1.1\r\nHost: test\r\nX-A: a \t\x80\xff".as_slice(), b"\r\n\r\n"];
    assert_answered(request.concat(), 200);
}

/// RFC 9110, section 5.5: CR, LF and NUL in a value are dangerous.
#[test]
fn refuses_nul_in_a_value() {
    assert_refused(get("X-A: a\0b\r\n"), 400, Refusal::FieldValue);
}

/// RFC 9110, section 5.5: and the other control characters are invalid.
#[test]
fn refuses_control_characters_in_a_value() {
    for control in ['\u{1}', '\u{8}', '\u{b}', '\u{1b}', '\u{7f}'] {
        assert_refused(get(&format!("X-A: a{control}b\r\n")), 400, Refusal::FieldValue);
    }
}

/// RFC 9110, section 5.3: a field that is no list is not repeated. Which of two would count is
/// anybody's guess.
#[test]
fn refuses_a_second_content_type() {
    let twice = "Content-Type: application/json\r\n".repeat(2);
    assert_answered(post(&format!("{twice}Content-Length: {METRIC_LEN}\r\n")), 400);
}

/// RFC 9110, section 5.4: a server bounds what it reads. RFC 6585, section 5: 431 says so.
#[test]
fn refuses_a_field_line_beyond_8_kib() {
    let line = |len: usize| format!("X-A: {}\r\n", "v".repeat(len - "X-A: ".len()));
    assert_answered(get(&line(8 * 1024)), 200);
    assert_refused(get(&line(8 * 1024 + 1)), 431, Refusal::FieldsTooLong);
}

/// RFC 6585, section 5: a line that does not end is refused where the limit is, and not read on.
#[test]
fn refuses_a_field_line_that_does_not_end() {
    let endless = format!("GET /health HTTP/1.1\r\nHost: test\r\nX-A: {}", "v".repeat(8 * 1024));
    assert_refused(endless, 431, Refusal::FieldsTooLong);
}

/// RFC 6585, section 5: the same for a long name.
#[test]
fn refuses_a_field_name_beyond_8_kib() {
    assert_refused(get(&"n".repeat(8 * 1024 + 1)), 431, Refusal::FieldsTooLong);
}

/// RFC 6585, section 5: the same for all lines together.
#[test]
fn refuses_fields_beyond_32_kib() {
    let lines = |count: usize| format!("X-A: {}\r\n", "v".repeat(8_000)).repeat(count);
    assert_answered(get(&lines(4)), 200);
    assert_refused(get(&lines(5)), 431, Refusal::FieldsTooLong);
}

/// RFC 6585, section 5: and for their number, Host among them.
#[test]
fn refuses_101_fields() {
    assert_answered(get(&"X-A: a\r\n".repeat(99)), 200);
    assert_refused(get(&"X-A: a\r\n".repeat(100)), 431, Refusal::TooManyFields);
}
