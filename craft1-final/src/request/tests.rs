//! Requests by hand: what is lent, what is missing, and where the next one begins.

use craft1_phase1::http::head::Repeated;
use craft1_phase1::http::{Limits, Refusal};

use super::*;

const GET: &str = "GET /health HTTP/1.1\r\nHost: a\r\n";
const POST: &str = "POST /metrics HTTP/1.1\r\nHost: a\r\n";

/// Reads a request that is complete, and passes it on with its length.
#[track_caller]
fn with_request<T>(bytes: &str, look: impl FnOnce(Request<'_>, usize) -> T) -> T {
    match Reader::default().read(&mut bytes.as_bytes().to_vec(), &Limits::default()) {
        Ok(Parsed::Complete { request, consumed }) => look(request, consumed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_lends_what_decides_something() {
    let bytes = format!(
        "{POST}Content-Type: a/b\r\ncontent-encoding:gzip\r\nX-CLIENT-ID:  c \r\nX-Other: o\r\n\
         Authorization: Bearer d\r\nContent-Length: 2\r\n\r\n{{}}behind"
    );
    with_request(&bytes, |request, consumed| {
        let call = request.call.unwrap();
        assert_eq!((call.method, call.path, consumed), ("POST", "/metrics", bytes.len() - 6));
        assert_eq!(call.content_type, Some(&b"a/b"[..]));
        assert_eq!(call.content_encoding, Some(&b"gzip"[..]));
        assert_eq!(call.client_id, Some(&b"c"[..]));
        assert_eq!(request.authorization, Some(&b"Bearer d"[..]));
        assert_eq!(call.body, Some(&b"{}"[..]));
    });
}

#[test]
fn a_request_without_a_length_has_no_body() {
    with_request(&format!("{GET}\r\n"), |request, _| assert_eq!(request.call.unwrap().body, None));
    let empty = format!("{POST}Content-Length: 0\r\n\r\n");
    with_request(&empty, |request, _| assert_eq!(request.call.unwrap().body, Some(&b""[..])));
}

#[test]
fn a_field_that_decides_something_is_given_once() {
    for name in ["Content-Type", "Content-Encoding", "X-Client-Id", "Authorization"] {
        let bytes = format!("{GET}{name}: a\r\n{}: a\r\n\r\n", name.to_lowercase());
        with_request(&bytes, |request, consumed| {
            assert_eq!((request.call.unwrap_err(), consumed), (Repeated(name), bytes.len()));
        });
    }
}

#[test]
fn the_version_and_the_client_decide_whether_the_connection_stays() {
    for (version, fields, expected) in [
        ("1.1", "", Persistence::Stay),
        ("1.1", "Connection: keep-alive\r\n", Persistence::Stay),
        ("1.1", "Connection: upgrade\r\n", Persistence::Stay),
        ("1.1", "Connection: close\r\n", Persistence::Close),
        ("1.1", "Connection: TE\t,, Close\r\n", Persistence::Close),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", Persistence::Close),
        ("1.1", "Connection: closed\r\n", Persistence::Stay),
        ("1.0", "", Persistence::Close),
        ("1.0", "Connection: Keep-Alive\r\n", Persistence::StayAloud),
        ("1.0", "Connection: close, keep-alive\r\n", Persistence::Close),
    ] {
        let bytes = format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        with_request(&bytes, |request, _| assert_eq!(request.persistence, expected, "{bytes}"));
    }
}

/// What is missing of these bytes, and how many of them are kept.
#[track_caller]
fn missing(reader: &mut Reader, unread: &mut [u8]) -> (Missing, usize) {
    match reader.read(unread, &Limits::default()) {
        Ok(Parsed::NeedMore { kept, missing }) => (missing, kept),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_missing_is_known() {
    let body = |bytes_min, is_awaited| Missing::Body { bytes_min, is_awaited };
    for (bytes, expected) in [
        ("", Missing::All),
        ("\r", Missing::All),
        ("\r\n", Missing::All),
        ("\r\nG", Missing::Head),
        ("GET ", Missing::Head),
        (GET, Missing::Head),
        (&format!("{POST}Content-Length: 5\r\n\r\n"), body(5, false)),
        (&format!("{POST}Content-Length: 5\r\n\r\nhel"), body(2, false)),
        (&format!("{POST}Transfer-Encoding: chunked\r\n\r\n5"), body(1, false)),
        (&format!("{POST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"), body(5, true)),
        (&format!("{POST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nh"), body(4, false)),
    ] {
        let missing = missing(&mut Reader::default(), &mut bytes.as_bytes().to_vec());
        assert_eq!(missing, (expected, bytes.len()), "{bytes:?}");
    }
}

#[test]
fn the_word_to_go_on_is_asked_for_once_a_request() {
    let request = format!("{POST}Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
    let mut bytes = request.repeat(2).into_bytes();
    let mut reader = Reader::default();
    // The second time the head is known.
    for start in [0, request.len()] {
        let head = &mut bytes[start..start + request.len() - 1];
        for is_awaited in [true, false, false] {
            let expected = Missing::Body { bytes_min: 1, is_awaited };
            assert_eq!(missing(&mut reader, head).0, expected);
        }
        let whole = &mut bytes[start..];
        assert!(matches!(reader.read(whole, &Limits::default()), Ok(Parsed::Complete { .. })));
    }
}

#[test]
fn chunks_are_put_together_and_the_buffer_loses_their_framing() {
    let head = format!("{POST}Transfer-Encoding: chunked\r\n\r\n");
    let mut reader = Reader::default();
    let mut buffer = format!("{head}3;a=b\r\nabc\r\n3\r\nde").into_bytes();
    let (_, kept) = missing(&mut reader, &mut buffer);
    assert_eq!(&buffer[..kept], format!("{head}abcde").as_bytes());
    buffer.truncate(kept);
    buffer.extend_from_slice(b"f\r\n0\r\nX-Trailer");
    let (_, kept) = missing(&mut reader, &mut buffer);
    assert_eq!(&buffer[..kept], format!("{head}abcdefX-Trailer").as_bytes());
    buffer.truncate(kept);
    buffer.extend_from_slice(b": a\r\n\r\nGET /");
    let Ok(Parsed::Complete { request, consumed }) = reader.read(&mut buffer, &Limits::default())
    else {
        panic!("it is complete")
    };
    assert_eq!(request.call.unwrap().body, Some(&b"abcdef"[..]));
    assert_eq!(&buffer[consumed..], b"GET /");
}

#[test]
fn a_refusal_knows_whether_it_answers_head() {
    let mut reader = Reader::default();
    let refused = |reader: &mut Reader, bytes: &str| {
        reader.read(&mut bytes.as_bytes().to_vec(), &Limits::default()).unwrap_err()
    };
    assert!(!reader.is_head());
    assert_eq!(refused(&mut reader, "HEAD / HTTP/1.1\r\n\r\n"), Refusal::HostMissing);
    assert!(reader.is_head());
    // The last request does not say what the next one is.
    let mut reader = Reader::default();
    let mut head = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    reader.read(&mut head, &Limits::default()).unwrap();
    assert!(!reader.is_head());
    assert_eq!(refused(&mut reader, "\x16\x03"), Refusal::Method);
    assert!(!reader.is_head());
}

#[test]
fn a_known_head_has_the_length_and_the_fields_of_the_one_that_comes() {
    let mut reader = Reader::default();
    for (length, client) in [("2", "a"), ("2", "a"), ("10", "a"), ("003", "a"), ("1", "b")] {
        let body = "x".repeat(length.parse().unwrap());
        let request = format!(
            "{POST}Content-Type: t\r\nContent-Length: {length}\r\nX-Client-Id: {client}\r\n\r\n{body}"
        );
        let mut buffer = format!("{request}POST").into_bytes();
        match reader.read(&mut buffer, &Limits::default()) {
            Ok(Parsed::Complete { request: Request { call: Ok(call), .. }, consumed }) => {
                assert_eq!(consumed, request.len());
                assert_eq!(call.body, Some(body.as_bytes()));
                assert_eq!(call.content_type, Some(&b"t"[..]));
                assert_eq!(call.client_id, Some(client.as_bytes()));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_known_head_keeps_to_the_limits_of_today() {
    let mut reader = Reader::default();
    let request = format!("{POST}Content-Length: 20\r\n\r\n{}", "x".repeat(20));
    let mut buffer = request.into_bytes();
    assert!(reader.read(&mut buffer, &Limits::default()).is_ok());
    for (limits, refusal) in [
        (Limits { body_bytes: 19, ..Limits::default() }, Refusal::BodyTooLong),
        (Limits { fields: 1, ..Limits::default() }, Refusal::TooManyFields),
        (Limits { target_bytes: 7, ..Limits::default() }, Refusal::TargetTooLong),
        (Limits { line_bytes: 17, ..Limits::default() }, Refusal::FieldsTooLong),
        (Limits { head_bytes: 20, ..Limits::default() }, Refusal::FieldsTooLong),
    ] {
        assert!(reader.read(&mut buffer, &Limits::default()).is_ok());
        assert_eq!(reader.read(&mut buffer, &limits).unwrap_err(), refusal);
        reader = Reader::default();
    }
}

#[test]
fn a_head_is_known_until_another_one_begins() {
    let (mut reader, limits) = (Reader::default(), Limits::default());
    let bytes = format!("{GET}\r\n").into_bytes();
    let is_known = |reader: &mut Reader| reader.familiar.recognise(&bytes, &limits).is_some();
    assert!(!is_known(&mut reader));
    assert!(reader.read(&mut bytes.clone(), &limits).is_ok());
    assert!(is_known(&mut reader));
    assert_eq!(missing(&mut reader, &mut []), (Missing::All, 0));
    assert!(is_known(&mut reader));
    assert_eq!(missing(&mut reader, &mut [b'G']), (Missing::Head, 1));
    assert!(!is_known(&mut reader));
}
