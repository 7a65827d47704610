//! GET, HEAD, OPTIONS and the others (RFC 9110, section 9).

use testkit::client::Expect;

use super::{answer_to, assert_answered, bytes_in_answer_to, connect, line, server};

/// RFC 9110, section 9.3.2: the answer to HEAD has no body, so nothing follows the empty line.
#[test]
fn the_answer_to_head_has_no_body() {
    let answer = bytes_in_answer_to(&line("HEAD /health HTTP/1.1"));
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
}

/// RFC 9110, section 9.3.2: and the fields that the answer to GET would have.
#[test]
fn the_answer_to_head_has_the_fields_of_get() {
    let get = answer_to(line("GET /nothing-here HTTP/1.1"));
    let server = server();
    let mut client = connect(&server);
    client.send(line("HEAD /nothing-here HTTP/1.1").as_bytes()).unwrap();
    let head = client.read(Expect::HeadOnly).unwrap();
    assert_eq!((head.status, get.status), (404, 404));
    for name in ["Content-Type", "Content-Length", "Connection"] {
        assert!(head.field(name).is_some() && head.field(name) == get.field(name), "{name}");
    }
}

/// RFC 9110, section 9.3.2: this holds for a refusal, too.
#[test]
fn the_refusal_of_head_has_no_body() {
    for request in [
        "HEAD /health HTTP/1.1\r\n\r\n",
        "HEAD /health HTTP/2.0\r\n\r\n",
        "HEAD /health HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ] {
        let answer = bytes_in_answer_to(request);
        assert!(answer.contains("Content-Length: ") && answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

/// RFC 9110, section 9.3.1: a body has no meaning for GET, and is read because it is there.
#[test]
fn takes_a_body_with_get() {
    let request = "GET /health HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody";
    assert_answered(request, 200);
}

/// RFC 9110, section 9.3.7: OPTIONS says what a resource can be asked.
#[test]
fn options_names_the_methods_of_a_path() {
    let response = answer_to(line("OPTIONS /health HTTP/1.1"));
    assert_eq!((response.status, response.field("Allow")), (204, Some("GET, HEAD, OPTIONS")));
}

/// RFC 9110, section 15.5.5: a path that does not exist gets 404.
#[test]
fn knows_no_other_path() {
    assert_answered(line("GET / HTTP/1.1"), 404);
}

/// RFC 9110, section 15.5.6: a method that is known, but not for this path, gets 405 with Allow.
#[test]
fn names_the_methods_of_a_path_to_another_one() {
    for method in ["PUT", "DELETE", "PATCH", "TRACE"] {
        let response = answer_to(line(&format!("{method} /metrics HTTP/1.1")));
        let expected = (405, Some("GET, HEAD, POST, OPTIONS"));
        assert_eq!((response.status, response.field("Allow")), expected, "{method}");
    }
}
