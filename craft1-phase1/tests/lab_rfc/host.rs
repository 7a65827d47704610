//! Host (RFC 9112, section 3.2; RFC 9110, section 7.2).

use super::{Refusal, assert_answered, assert_refused};

fn with_host(value: &str) -> String {
    format!("GET /health HTTP/1.1\r\nHost: {value}\r\n\r\n")
}

/// RFC 9112, section 3.2: a request of HTTP/1.1 without Host gets 400.
#[test]
fn refuses_http_1_1_without_host() {
    assert_refused("GET /health HTTP/1.1\r\n\r\n", 400, Refusal::HostMissing);
}

/// RFC 9112, section 3.2: HTTP/1.0 had no Host.
#[test]
fn takes_http_1_0_without_host() {
    assert_answered("GET /health HTTP/1.0\r\n\r\n", 200);
}

/// RFC 9112, section 3.2: a second Host gets 400, also one that says the same.
#[test]
fn refuses_two_hosts() {
    let twice = "GET /health HTTP/1.1\r\nHost: test\r\nHost: test\r\n\r\n";
    assert_refused(twice, 400, Refusal::HostRepeated);
}

/// RFC 9112, section 3.2: this holds for any request, whatever its version.
#[test]
fn refuses_two_hosts_in_http_1_0() {
    let twice = "GET /health HTTP/1.0\r\nHost: test\r\nhost: other\r\n\r\n";
    assert_refused(twice, 400, Refusal::HostRepeated);
}

/// RFC 9112, section 3.2: a value that is no host gets 400. A path is none.
#[test]
fn refuses_a_host_with_a_path() {
    assert_refused(with_host("test/health"), 400, Refusal::Host);
}

/// RFC 9112, section 3.2: and user information is not sent in Host.
#[test]
fn refuses_a_host_with_user_information() {
    assert_refused(with_host("me@test"), 400, Refusal::Host);
}

/// RFC 9112, section 3.2: a host has no blanks, so two of them in one line are none.
#[test]
fn refuses_two_hosts_in_one_line() {
    assert_refused(with_host("test other"), 400, Refusal::Host);
    assert_refused(with_host("test, other"), 400, Refusal::Host);
}

/// RFC 9112, section 3.2, and RFC 3986, section 3.2.3: a port is made of digits.
#[test]
fn refuses_a_port_that_is_no_number() {
    assert_refused(with_host("test:http"), 400, Refusal::Host);
}

/// RFC 3986, section 3.2.3: the digits of a port may be missing, and its colon, too.
#[test]
fn takes_a_host_with_and_without_a_port() {
    for host in ["test", "test:", "test:8080", "127.0.0.1:8080"] {
        assert_answered(with_host(host), 200);
    }
}

/// RFC 3986, section 3.2.2: an IPv6 address stands in brackets, because it is full of colons.
#[test]
fn takes_an_ipv6_address_in_brackets_only() {
    assert_answered(with_host("[::1]:8080"), 200);
    assert_refused(with_host("::1"), 400, Refusal::Host);
    assert_refused(with_host("[::1"), 400, Refusal::Host);
}

/// RFC 9112, section 3.2: a client whose target has no authority sends an empty Host.
#[test]
fn takes_an_empty_host() {
    assert_answered(with_host(""), 200);
}
