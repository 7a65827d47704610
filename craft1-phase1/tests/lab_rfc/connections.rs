//! How a connection ends (RFC 9112, section 9).

use super::{assert_answered, bytes_in_answer_to, connect, get, post, server};

/// RFC 9112, section 9.6: a server that will close says so, and closes.
#[test]
fn says_that_it_closes_and_closes() {
    let server = server();
    let mut client = connect(&server);
    client.send(get("").as_bytes()).unwrap();
    assert_eq!(client.read_response().unwrap().field("Connection"), Some("close"));
    client.assert_closed();
}

/// RFC 9112, section 9.3: also to a client that asks to keep the connection.
#[test]
fn does_not_keep_a_connection_that_a_client_wants_to_keep() {
    let server = server();
    let mut client = connect(&server);
    client.send(get("Connection: keep-alive\r\nKeep-Alive: timeout=60\r\n").as_bytes()).unwrap();
    assert_eq!(client.read_response().unwrap().field("Connection"), Some("close"));
    client.assert_closed();
}

/// RFC 9112, section 9.6: who has sent close processes no further request on that connection.
#[test]
fn answers_no_second_request() {
    let answers = bytes_in_answer_to(&get("").repeat(2));
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
}

/// RFC 9112, section 9.6: closing while bytes are unread resets the connection and can take the
/// answer away. So the server goes on reading for a while: this body is neither wanted nor too much
/// for that, and sending it does not fail.
#[test]
fn an_answer_can_be_read_although_the_client_goes_on_sending() {
    const BODY_LEN: usize = 2 * 1024 * 1024;
    let server = server();
    for _ in 0..10 {
        let mut client = connect(&server);
        client.send(post(&format!("Content-Length: {BODY_LEN}\r\n")).as_bytes()).unwrap();
        client.send(&vec![b' '; BODY_LEN]).unwrap();
        assert_eq!(client.read_response().unwrap().status, 413);
        client.assert_closed();
    }
}

/// RFC 9293, section 3.6: a client that has closed its side can still read. Many a script does it.
#[test]
fn answers_a_client_that_has_ended_its_side() {
    let server = server();
    let mut client = connect(&server);
    client.send(get("").as_bytes()).unwrap();
    client.finish_sending().unwrap();
    assert_eq!(client.read_response().unwrap().status, 200);
    client.assert_closed();
}

/// RFC 9112, section 9.5: a connection may be closed at any time. One without a request gets no
/// answer.
#[test]
fn says_nothing_to_a_client_that_says_nothing() {
    let server = server();
    let mut client = connect(&server);
    client.finish_sending().unwrap();
    client.assert_closed();
}

/// RFC 9112, section 9.5: and whoever closes in the middle harms nobody else.
#[test]
fn survives_clients_that_leave_in_the_middle() {
    let server = server();
    let request = post("Content-Length: 22\r\n");
    for sent_len in 0..=request.len() {
        connect(&server).send(&request.as_bytes()[..sent_len]).unwrap();
    }
    assert_answered(get(""), 200);
}
