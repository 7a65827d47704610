//! Lab tests: a request is read in whatever pieces it comes, and nothing of it is read twice.
//!
//! Each test feeds a reader without a socket and says what was given to it. `split.rs` does the same
//! with thousands of mutants; here is one case a rule, small enough to follow by hand.

use craft1_phase1::http::{Limits, Progress, Refusal, Request, RequestReader, Status};

const HEAD: &str = "POST /metrics HTTP/1.1\r\nHost: t\r\n";
const BODY: &str = r#"{"name":"m","value":1}"#;

fn with_length() -> String {
    format!("{HEAD}Content-Length: {}\r\n\r\n{BODY}", BODY.len())
}

fn with_chunks() -> String {
    let (first, rest) = BODY.split_at(5);
    format!(
        "{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n",
        rest.len()
    )
}

fn reader() -> RequestReader {
    RequestReader::new(Limits::default())
}

/// Gives `text` to the reader, and shows it where the reader refuses.
#[track_caller]
fn read(reader: &mut RequestReader, text: &str) -> Progress {
    reader.read(text.as_bytes()).unwrap_or_else(|refusal| panic!("{text:?} is refused: {refusal}"))
}

/// Gives the pieces one after the other, what was left of them in front of the next, and returns
/// the request and what lies behind it.
#[track_caller]
fn read_pieces<'t>(pieces: impl IntoIterator<Item = &'t str>) -> (Request, String) {
    let (mut reader, mut unread, mut given) = (reader(), String::new(), Vec::new());
    for piece in pieces {
        unread.push_str(piece);
        given.push(piece);
        let progress = reader.read(unread.as_bytes()).unwrap_or_else(|refusal| {
            panic!("{unread:?} is refused: {refusal}; it was given {given:?}")
        });
        assert!(
            progress.consumed <= unread.len(),
            "{} bytes of {unread:?} are used up, given {given:?}",
            progress.consumed
        );
        unread.drain(..progress.consumed);
        if let Status::Complete(request) = progress.status {
            return (request, unread);
        }
    }
    panic!("no request came of {given:?}; {unread:?} was never used up");
}

/// A text in pieces of so many bytes.
fn pieces(text: &str, len: usize) -> Vec<&str> {
    text.as_bytes().chunks(len).map(|piece| str::from_utf8(piece).unwrap()).collect()
}

#[test]
fn a_request_in_one_piece_is_complete_at_once() {
    for text in [with_length(), with_chunks()] {
        let progress = read(&mut reader(), &text);
        let Status::Complete(request) = progress.status else {
            panic!("more is wanted behind the whole of {text:?}")
        };
        assert_eq!(progress.consumed, text.len(), "of {text:?}");
        assert_eq!(String::from_utf8_lossy(&request.body), BODY, "from {text:?}");
    }
}

#[test]
fn a_request_in_pieces_of_any_size_is_the_same_request() {
    for text in [with_length(), with_chunks()] {
        let (whole, _) = read_pieces([&*text]);
        for len in 1..text.len() {
            let (request, behind) = read_pieces(pieces(&text, len));
            assert_eq!(request, whole, "{text:?} in pieces of {len} bytes");
            assert_eq!(behind, "", "{text:?} in pieces of {len} bytes");
        }
    }
}

#[test]
fn half_a_line_is_not_used_up_and_not_refused() {
    let mut reader = reader();
    let line = "POST /metrics HTTP/1.1\r\n";
    let half = "Host: exam";
    let first = read(&mut reader, &format!("{line}{half}"));
    assert_eq!((first.consumed, first.status), (line.len(), Status::NeedMore), "{half:?} stays");
    // The same bytes again, with nothing new behind them.
    let again = read(&mut reader, half);
    assert_eq!((again.consumed, again.status), (0, Status::NeedMore), "{half:?} still stays");
}

#[test]
fn a_part_of_a_body_is_used_up_and_kept() {
    let mut reader = reader();
    let head = format!("{HEAD}Content-Length: 10\r\n\r\n");
    let first = read(&mut reader, &format!("{head}01234"));
    let expected = (head.len() + 5, Status::NeedMore);
    assert_eq!((first.consumed, first.status), expected, "half a body needs no buffer outside");
    let rest = read(&mut reader, "56789");
    let Status::Complete(request) = rest.status else { panic!("all ten bytes have come") };
    assert_eq!(String::from_utf8_lossy(&request.body), "0123456789");
}

#[test]
fn a_request_without_a_body_needs_no_byte_behind_its_head() {
    for text in ["GET / HTTP/1.1\r\nHost: t\r\n\r\n", &format!("{HEAD}Content-Length: 0\r\n\r\n")] {
        let progress = read(&mut reader(), text);
        assert!(
            matches!(&progress.status, Status::Complete(request) if request.body.is_empty()),
            "{progress:?} of {text:?}"
        );
    }
}

#[test]
fn what_lies_behind_a_request_is_left_for_the_next_one() {
    for text in [with_length(), with_chunks()] {
        let both = format!("{text}GET /health HTTP/1.1\r\n");
        let (_, behind) = read_pieces([&*both]);
        assert_eq!(behind, "GET /health HTTP/1.1\r\n", "behind {text:?}");
    }
}

#[test]
fn what_no_byte_can_mend_is_refused_without_waiting_for_more() {
    for (text, rule) in [
        ("GET / HTTP/1.1\r\nHost : ", Refusal::FieldName),
        ("GET / http", Refusal::Version),
        ("GET / HTTP/1.1\r\n ", Refusal::Folded),
    ] {
        let refusal = reader().read(text.as_bytes()).expect_err(text);
        assert_eq!(refusal, rule, "{text:?}");
    }
}
