//! The four forms of a target (RFC 9112, section 3.2) and what a URI is (RFC 9110, sections 4 and 7).

use super::{Refusal, answer_to, assert_answered, assert_refused, line};

/// RFC 9112, section 3.2.1: the usual form is a path, and perhaps a query, which has no meaning here.
#[test]
fn takes_a_path_with_a_query() {
    assert_answered(line("GET /health?verbose=1&at=/%20?: HTTP/1.1"), 200);
}

/// RFC 9110, section 4.2.3: only scheme and host are compared without regard to case.
#[test]
fn the_case_of_a_path_counts() {
    assert_answered(line("GET /Health HTTP/1.1"), 404);
}

/// RFC 9110, section 4.2.3: an unreserved character and its percent-encoded form are the same.
#[test]
fn a_path_may_be_percent_encoded() {
    assert_answered(line("GET /%68e%61lth HTTP/1.1"), 200);
}

/// RFC 9110, section 4.2.3: a reserved one and its encoded form are not.
#[test]
fn an_encoded_delimiter_delimits_nothing() {
    assert_answered(line("GET /health%3Fverbose HTTP/1.1"), 404);
    assert_answered(line("GET %2Fhealth HTTP/1.1"), 400);
}

/// RFC 9112, section 3.2, and RFC 3986, section 2.1: a percent sign stands before two hexadecimal
/// digits.
#[test]
fn refuses_a_percent_sign_that_encodes_nothing() {
    assert_refused(line("GET /health%2 HTTP/1.1"), 400, Refusal::Target);
    assert_refused(line("GET /health?%zz HTTP/1.1"), 400, Refusal::Target);
}

/// RFC 9112, section 3.2: an invalid target gets 400 and is not repaired. Some characters are part
/// of no URI.
#[test]
fn refuses_characters_that_no_uri_has() {
    for character in ['"', '<', '>', '\\', '^', '`', '{', '|', '}', 'ü', '\0'] {
        let request = line(&format!("GET /health{character} HTTP/1.1"));
        assert_refused(request, 400, Refusal::Target);
    }
}

/// RFC 9110, section 7.1: the fragment is not part of what is sent.
#[test]
fn refuses_a_fragment() {
    assert_refused(line("GET /health#top HTTP/1.1"), 400, Refusal::Target);
}

/// RFC 9112, section 3.2.2: a server takes the absolute form, which is meant for proxies.
#[test]
fn takes_an_absolute_target() {
    assert_answered(line("GET http://test/health?verbose=1 HTTP/1.1"), 200);
}

/// RFC 9112, section 3.2.2: the host in the target overrides Host, so they may differ.
#[test]
fn an_absolute_target_overrides_host() {
    assert_answered(line("GET http://elsewhere:1234/health HTTP/1.1"), 200);
}

/// RFC 9112, section 3.2.2: Host is sent with an absolute target, too.
#[test]
fn an_absolute_target_does_not_replace_host() {
    let request = "GET http://test/health HTTP/1.1\r\n\r\n";
    assert_refused(request, 400, Refusal::HostMissing);
}

/// RFC 9110, section 4.2.3: scheme and host have no case, and an empty path is the root, which does
/// not exist here.
#[test]
fn reads_an_absolute_target_in_its_normal_form() {
    assert_answered(line("GET HTTP://TEST:80/health HTTP/1.1"), 200);
    assert_answered(line("GET http://test HTTP/1.1"), 404);
}

/// RFC 9110, section 7.4: a target for another scheme than the one of the connection gets 421.
#[test]
fn refuses_a_target_that_is_for_https() {
    assert_refused(line("GET https://test/health HTTP/1.1"), 421, Refusal::Misdirected);
}

/// RFC 9110, section 4.2.4: a name and a password in a URI from elsewhere are an error.
#[test]
fn refuses_user_information() {
    assert_refused(line("GET http://me:secret@test/health HTTP/1.1"), 400, Refusal::UserInfo);
}

/// RFC 9110, section 4.2.1: an http URI with an empty host is invalid.
#[test]
fn refuses_an_absolute_target_without_a_host() {
    assert_refused(line("GET http:///health HTTP/1.1"), 400, Refusal::Target);
}

/// RFC 9112, section 3.2.3: only CONNECT has a host and a port for its target.
#[test]
fn refuses_a_host_and_port_for_get() {
    assert_refused(line("GET 127.0.0.1:80 HTTP/1.1"), 400, Refusal::Target);
}

/// RFC 9112, section 3.2.3: and it has nothing else.
#[test]
fn refuses_a_path_for_connect() {
    assert_refused(line("CONNECT /health HTTP/1.1"), 400, Refusal::Target);
}

/// RFC 9110, section 9.3.6: CONNECT without a port is refused.
#[test]
fn refuses_connect_without_a_port() {
    assert_refused(line("CONNECT test HTTP/1.1"), 400, Refusal::Target);
    assert_refused(line("CONNECT test: HTTP/1.1"), 400, Refusal::Target);
}

/// RFC 9110, section 9.3.6: an origin server need not open tunnels, and does not know the method
/// then.
#[test]
fn does_not_open_tunnels() {
    assert_answered(line("CONNECT test:80 HTTP/1.1"), 501);
}

/// RFC 9112, section 3.2.4: the asterisk is the server as a whole, and only for OPTIONS.
#[test]
fn takes_an_asterisk_for_options_only() {
    let response = answer_to(line("OPTIONS * HTTP/1.1"));
    assert_eq!((response.status, response.field("Allow").is_some()), (204, true));
    assert_refused(line("GET * HTTP/1.1"), 400, Refusal::Target);
}

/// RFC 9112, section 3.2.4: an absolute target without a path is how a proxy is told to ask with an
/// asterisk.
#[test]
fn options_without_a_path_asks_about_the_server() {
    assert_answered(line("OPTIONS http://test HTTP/1.1"), 204);
    assert_answered(line("OPTIONS http://test/ HTTP/1.1"), 404);
}
