//! Expect: 100-continue (RFC 9110, section 10.1.1).

use testkit::Client;

use super::{
    METRIC, METRIC_LEN, Refusal, Shared, assert_refused, bytes_in_answer_to, connect, post, server,
};

/// A client that has announced a metric with these fields and waits for a word.
fn waiting(server: &Shared, fields: &str) -> Client {
    let mut client = connect(server);
    let head = format!("POST /metrics HTTP/1.1\r\nHost: test\r\n{fields}\r\n");
    client.send(head.as_bytes()).unwrap();
    client
}

fn expecting(value: &str) -> String {
    format!("Expect: {value}\r\nContent-Length: {METRIC_LEN}\r\n")
}

/// RFC 9110, section 10.1.1: who waits is told to go on.
#[test]
fn says_100_to_who_waits() {
    let server = server();
    let mut client = waiting(&server, &expecting("100-continue"));
    let interim = client.read_response().unwrap();
    client.send(METRIC.as_bytes()).unwrap();
    assert_eq!((interim.status, client.read_response().unwrap().status), (100, 202));
}

/// RFC 9110, section 15.2: an interim answer ends with its empty line. It has no body, and says
/// nothing of the connection's end.
#[test]
fn an_interim_answer_is_a_status_line() {
    let server = server();
    let mut client = waiting(&server, &expecting("100-continue"));
    assert_eq!(client.read_response().unwrap().fields, []);
    client.send(METRIC.as_bytes()).unwrap();
    assert_eq!(client.read_response().unwrap().status, 202, "nothing stands between the two");
}

/// RFC 9110, section 10.1.1: the same for a body in chunks.
#[test]
fn says_100_before_chunks() {
    let server = server();
    let fields = "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n";
    let mut client = waiting(&server, fields);
    assert_eq!(client.read_response().unwrap().status, 100);
    client.send(format!("{METRIC_LEN:x}\r\n{METRIC}\r\n0\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(client.read_response().unwrap().status, 202);
}

/// RFC 9110, section 10.1.1: the value has no case.
#[test]
fn the_case_of_an_expectation_does_not_count() {
    let server = server();
    let mut client = waiting(&server, &expecting("100-Continue"));
    assert_eq!(client.read_response().unwrap().status, 100);
}

/// RFC 9110, section 10.1.1: 100 may be left out once the body is there, and then it only costs.
#[test]
fn says_nothing_to_who_has_sent_the_body() {
    let answer = bytes_in_answer_to(&post(&expecting("100-continue")));
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}

/// RFC 9110, section 10.1.1: the same once a part of it is there.
#[test]
fn says_nothing_to_who_has_begun_to_send_the_body() {
    let server = server();
    let mut client = connect(&server);
    let request = post(&expecting("100-continue"));
    client.send(&request.as_bytes()[..request.len() - 1]).unwrap();
    client.finish_sending().unwrap();
    assert_eq!(client.read_response().unwrap().status, 400, "and not 100 before it");
}

/// RFC 9110, section 10.1.1: a final answer may come in place of 100, so nobody sends in vain.
#[test]
fn refuses_at_once_what_it_would_refuse_later() {
    let server = server();
    let mut client = waiting(&server, "Expect: 100-continue\r\nContent-Length: 9999999\r\n");
    assert_eq!(client.read_response().unwrap().status, 413);
}

/// RFC 9110, section 10.1.1: an expectation that cannot be met gets 417.
#[test]
fn knows_no_other_expectation() {
    assert_refused(post(&expecting("a-miracle")), 417, Refusal::Expectation);
}

/// RFC 9110, section 10.1.1: in a request of HTTP/1.0 the expectation is ignored.
#[test]
fn ignores_expectations_in_http_1_0() {
    for value in ["100-continue", "a-miracle"] {
        let request = post(&expecting(value)).replace("HTTP/1.1", "HTTP/1.0");
        let answer = bytes_in_answer_to(&request);
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    }
}
