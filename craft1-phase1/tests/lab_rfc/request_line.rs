//! The method and the version (RFC 9112, sections 2.3 and 3; RFC 9110, section 9.1).

use super::{Refusal, assert_answered, assert_refused, line};

/// RFC 9112, section 3: one blank stands between the parts of the request line, and being lenient
/// here has security holes of its own.
#[test]
fn refuses_two_blanks_behind_the_method() {
    assert_refused(line("GET  /health HTTP/1.1"), 400, Refusal::Target);
}

/// RFC 9112, section 3: the same before the version.
#[test]
fn refuses_two_blanks_before_the_version() {
    assert_refused(line("GET /health  HTTP/1.1"), 400, Refusal::Version);
}

/// RFC 9112, section 3: a tab is not a blank.
#[test]
fn refuses_a_tab_behind_the_method() {
    assert_refused(line("GET\t/health HTTP/1.1"), 400, Refusal::Method);
}

/// RFC 9112, section 3: the request line begins with the method.
#[test]
fn refuses_a_blank_before_the_method() {
    assert_refused(line(" GET /health HTTP/1.1"), 400, Refusal::Method);
}

/// RFC 9112, section 3: and it ends with the version.
#[test]
fn refuses_a_blank_behind_the_version() {
    assert_refused(line("GET /health HTTP/1.1 "), 400, Refusal::LineEnd);
}

/// RFC 9112, section 3: a request line without a version was HTTP/0.9.
#[test]
fn refuses_a_request_line_without_a_version() {
    assert_refused(line("GET /health"), 400, Refusal::Target);
}

/// RFC 9112, section 3.2: no white space is allowed in a target, and none is repaired.
#[test]
fn refuses_a_blank_in_the_target() {
    assert_refused(line("GET /health now HTTP/1.1"), 400, Refusal::Version);
}

/// RFC 9112, section 2.3: the name of the protocol is written in capitals.
#[test]
fn refuses_a_version_in_small_letters() {
    assert_refused(line("GET /health http/1.1"), 400, Refusal::Version);
}

/// RFC 9112, section 2.3: a version is a digit, a point, a digit.
#[test]
fn refuses_a_version_of_more_digits() {
    assert_refused(line("GET /health HTTP/1.10"), 400, Refusal::LineEnd);
}

/// RFC 9110, section 15.6.6: a major version that the server does not speak gets 505.
#[test]
fn does_not_speak_http_2_in_this_form() {
    assert_refused(line("GET /health HTTP/2.0"), 505, Refusal::VersionUnsupported);
}

/// RFC 9110, section 2.5: a higher minor version is read as the highest one that is known.
#[test]
fn reads_a_higher_minor_version_as_http_1_1() {
    assert_answered(line("GET /health HTTP/1.9"), 200);
    assert_refused("GET /health HTTP/1.9\r\n\r\n", 400, Refusal::HostMissing);
}

/// RFC 9110, section 6.2: an answer has the version of the server, also to HTTP/1.0. The client of
/// these tests takes no other.
#[test]
fn answers_http_1_0_in_its_own_version() {
    assert_answered(line("GET /health HTTP/1.0"), 200);
}

/// RFC 9110, section 9.1: the case of a method counts.
#[test]
fn does_not_know_a_method_in_small_letters() {
    assert_answered(line("get /health HTTP/1.1"), 501);
}

/// RFC 9110, section 9.1: a method that is not recognised gets 501.
#[test]
fn does_not_know_a_method_that_is_none() {
    assert_answered(line("BREW /health HTTP/1.1"), 501);
}

/// RFC 9112, section 3: a method that is longer than all that the server knows gets 501.
#[test]
fn does_not_know_a_method_of_17_letters() {
    assert_refused(line("ABCDEFGHIJKLMNOPQ /health HTTP/1.1"), 501, Refusal::MethodTooLong);
    assert_answered(line("ABCDEFGHIJKLMNOP /health HTTP/1.1"), 501);
}

/// RFC 9110, section 9.1: a method is a token.
#[test]
fn refuses_a_method_that_is_no_token() {
    assert_refused(line("G@T /health HTTP/1.1"), 400, Refusal::Method);
}

/// RFC 9112, section 3: a target that is longer than any that the server wants to read gets 414.
#[test]
fn refuses_a_target_beyond_8_kib() {
    let target = |len: usize| format!("/{}", "p".repeat(len - 1));
    assert_answered(line(&format!("GET {} HTTP/1.1", target(8 * 1024))), 404);
    let longer = format!("GET {} HTTP/1.1", target(8 * 1024 + 1));
    assert_refused(line(&longer), 414, Refusal::TargetTooLong);
}

/// RFC 9112, section 3: one that does not end is refused where the limit is, and not read on.
#[test]
fn refuses_a_target_that_does_not_end() {
    let endless = format!("GET /{}", "p".repeat(8 * 1024));
    assert_refused(endless, 414, Refusal::TargetTooLong);
}
