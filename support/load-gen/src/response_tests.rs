//! What the response reader accepts and refuses, and that the cuts in the stream do not matter.

use super::*;
use proptest::prelude::*;

/// All responses of a stream that arrives in the given pieces, and how it ended.
fn read_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Response>, End) {
    let mut reader = ResponseReader::default();
    let mut responses = Vec::new();
    for piece in pieces {
        let mut rest = piece;
        while !rest.is_empty() {
            match reader.read(rest) {
                Ok(Read::More) => break,
                Ok(Read::Done(response, used)) => {
                    responses.push(response);
                    rest = &rest[used..];
                }
                Err(malformed) => return (responses, End::Malformed(malformed)),
            }
        }
    }
    responses.extend(reader.end());
    (responses, End::Stream)
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Stream,
    Malformed(Malformed),
}

fn read(stream: &[u8]) -> (Vec<Response>, End) {
    read_pieces([stream])
}

fn only(stream: &str) -> Response {
    let (responses, end) = read(stream.as_bytes());
    assert_eq!((responses.len(), end), (1, End::Stream), "{stream:?}");
    responses[0]
}

fn malformed(stream: &str) -> Malformed {
    match read(stream.as_bytes()) {
        (responses, End::Malformed(malformed)) if responses.is_empty() => malformed,
        other => panic!("{stream:.80?} gave {other:?}"),
    }
}

#[test]
fn reads_a_response_with_a_length() {
    let response =
        only("HTTP/1.1 202 Accepted\r\nServer: x\r\ncontent-length:  5 \r\n\r\n\n\r\n\0x");
    assert_eq!(response, Response { status: 202, keep_alive: true });
}

#[test]
fn reads_a_chunked_response_with_trailers() {
    let response = only(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n\
         3\r\n\r\n0\r\nA;why=not\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    assert_eq!(response, Response { status: 200, keep_alive: true });
}

#[test]
fn reads_a_body_that_lasts_until_the_close() {
    let response = only("HTTP/1.1 500 \r\n\r\nanything\r\n");
    assert_eq!(response, Response { status: 500, keep_alive: false });
}

#[test]
fn a_body_that_was_announced_and_did_not_come_is_no_response() {
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345678",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n12",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP",
        "",
    ] {
        assert_eq!(read(cut.as_bytes()), (vec![], End::Stream), "{cut:?}");
    }
}

#[test]
fn reads_over_interim_responses() {
    let response = only(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
         HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(response.status, 202);
}

#[test]
fn reads_pipelined_responses_one_by_one() {
    let stream = "HTTP/1.1 204 No Content\r\n\r\n\
                  HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}\
                  HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (responses, end) = read(stream.as_bytes());
    assert_eq!(end, End::Stream);
    let found: Vec<_> = responses.iter().map(|each| (each.status, each.keep_alive)).collect();
    assert_eq!(found, [(204, true), (429, true), (202, false)]);
}

#[test]
fn the_version_and_the_connection_field_decide_about_reuse() {
    let keep_alive = |version: &str, connection: &str| {
        let head = format!("HTTP/{version} 200 OK\r\n{connection}Content-Length: 0\r\n\r\n");
        only(&head).keep_alive
    };
    assert!(keep_alive("1.1", ""));
    assert!(!keep_alive("1.1", "Connection: x, CLOSE\r\n"));
    assert!(!keep_alive("1.0", ""));
    assert!(keep_alive("1.0", "Connection: Keep-Alive\r\n"));
}

#[test]
fn refuses_what_is_not_a_status_line() {
    for stream in [
        "garbage\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "\r\n",
        "G",
        "HTTP/2 200 OK\r\n",
        "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1 200\r\n",
        "HTTP/1.2 200 OK\r\n",
        "http/1.1 200 OK\r\n",
    ] {
        assert_eq!(malformed(stream), Malformed::StatusLine, "{stream:?}");
    }
}

#[test]
fn refuses_bad_fields_by_their_fault() {
    let with = |fields: &str| malformed(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"));
    assert_eq!(with("no colon"), Malformed::Field);
    assert_eq!(with("Name : x"), Malformed::Field);
    assert_eq!(with(": x"), Malformed::Field);
    assert_eq!(with("A: b\r\n folded"), Malformed::Field);
    assert_eq!(with("A: \x01"), Malformed::ControlCharacter);
    assert_eq!(with("A: b\rc: d"), Malformed::ControlCharacter);
    assert_eq!(with("A: b\nC: d"), Malformed::BareLineFeed);
    for value in ["", "+1", "1 2", "-1", "0x1", "99999999999999999999"] {
        let fields = format!("Content-Length: {value}");
        assert_eq!(with(&fields), Malformed::ContentLength, "{value:?}");
    }
    assert_eq!(with("Content-Length: 1\r\nContent-Length: 2"), Malformed::TwoLengths);
    assert_eq!(with("Content-Length: 1\r\nTransfer-Encoding: chunked"), Malformed::TwoLengths);
    assert_eq!(with("Transfer-Encoding: gzip, chunked"), Malformed::TransferEncoding);
}

#[test]
fn a_token_is_made_of_the_characters_of_the_grammar() {
    let tchar = b"!#$%&'*+-.^_`|~";
    for byte in 0..=u8::MAX {
        let expected = byte.is_ascii_alphanumeric() || tchar.contains(&byte);
        assert_eq!(IS_TOKEN[usize::from(byte)], expected, "{byte:#x}");
    }
}

#[test]
fn refuses_bad_chunks() {
    for chunks in ["\r\n", "g\r\n", "+1\r\n", "1\r\nab\r\n", "1 \r\na\r\n", "1234567890123456\r\n"]
    {
        let stream = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(malformed(&stream), Malformed::Chunk, "{chunks:?}");
    }
}

#[test]
fn refuses_an_upgrade_that_nobody_asked_for() {
    assert_eq!(malformed("HTTP/1.1 101 Switching\r\n\r\n"), Malformed::Upgrade);
}

#[test]
fn bounds_the_line_and_the_head() {
    let endless = format!("HTTP/1.1 200 {}", "x".repeat(LINE_LEN_MAX));
    assert_eq!(malformed(&endless), Malformed::LineTooLong);
    let field = format!("A: {}\r\n", "x".repeat(1_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}", field.repeat(HEAD_LEN_MAX / 1_000 + 1));
    assert_eq!(malformed(&many), Malformed::HeadTooLong);
}

/// Pieces of streams, good and bad, so that their mixtures reach every state.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nabc".to_owned()),
        2 => Just("HTTP/1.1 204 None\r\n\r\n".to_owned()),
        2 => Just("HTTP/1.1 100 Continue\r\n\r\n".to_owned()),
        3 => Just("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5;x\r\nab\r\nc\r\n0\r\nT: 1\r\n\r\n".to_owned()),
        1 => Just("HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\nuntil close".to_owned()),
        1 => Just(format!("HTTP/1.1 200 OK\r\nA: {}\r\n", "x".repeat(LINE_LEN_MAX - 5))),
        1 => "[ -~\r\n]{0,20}",
    ]
}

proptest! {
    #[test]
    fn cuts_do_not_matter(
        fragments in prop::collection::vec(fragment(), 0..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let stream = fragments.concat().into_bytes();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        places.extend([0, stream.len()]);
        places.sort_unstable();
        let pieces = places.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
        prop_assert_eq!(read_pieces(pieces), read(&stream));
    }

    #[test]
    fn byte_by_byte_is_the_same(fragments in prop::collection::vec(fragment(), 0..3)) {
        let stream = fragments.concat().into_bytes();
        prop_assert_eq!(read_pieces(stream.chunks(1)), read(&stream));
    }

    #[test]
    fn no_bytes_make_it_panic(stream in prop::collection::vec(any::<u8>(), 0..400)) {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        read(&stream);
        read(&[head.as_slice(), &stream].concat());
    }
}
