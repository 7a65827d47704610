//! A body in chunks, and its trailers (RFC 9112, section 7.1).

use super::{METRIC, METRIC_LEN, Refusal, assert_answered, assert_refused, post_chunks};

/// One chunk that begins with this line, and the end.
fn with_line(line: &str) -> String {
    post_chunks(&format!("{line}\r\n{METRIC}\r\n0\r\n\r\n"))
}

/// One chunk, then the last one with these trailers.
fn with_trailers(lines: &str) -> String {
    post_chunks(&format!("{METRIC_LEN:x}\r\n{METRIC}\r\n0\r\n{lines}\r\n"))
}

/// RFC 9112, section 7.1: a recipient must be able to read chunks.
#[test]
fn puts_chunks_together() {
    let chunks: Vec<_> = METRIC.chars().map(|it| format!("1\r\n{it}\r\n")).collect();
    assert_answered(post_chunks(&(chunks.concat() + "0\r\n\r\n")), 202);
}

/// RFC 9112, section 7.1: a size is written in hexadecimal digits of either case.
#[test]
fn reads_sizes_in_either_case() {
    for line in ["1e", "1E", "0000000000000001e"] {
        let padded = format!("{METRIC:30}");
        let request = post_chunks(&format!("{line}\r\n{padded}\r\n0\r\n\r\n"));
        assert_answered(request, 202);
    }
}

/// RFC 9112, section 7.1: and in nothing else.
#[test]
fn refuses_sizes_that_are_not_hexadecimal_digits() {
    for line in ["", "x", "0x16", "+16", "-16", " 16", "16 ", "1 6", "16,"] {
        assert_refused(with_line(line), 400, Refusal::ChunkSize);
    }
}

/// RFC 9112, section 7.1: a recipient anticipates sizes beyond its integers. The first of these is
/// 2 to the power of 64 plus 22.
#[test]
fn refuses_sizes_beyond_any_integer() {
    assert_refused(with_line("10000000000000016"), 413, Refusal::BodyTooLong);
    assert_refused(with_line(&"f".repeat(200)), 413, Refusal::BodyTooLong);
}

/// RFC 9110, section 15.5.14: a body that becomes longer than the limit gets 413.
#[test]
fn refuses_chunks_beyond_the_limit_together() {
    let padding = " ".repeat(0x10_0000 - METRIC_LEN);
    let most = format!("100000\r\n{METRIC}{padding}\r\n");
    assert_answered(post_chunks(&format!("{most}0\r\n\r\n")), 202);
    assert_refused(post_chunks(&format!("{most}1\r\n \r\n")), 413, Refusal::BodyTooLong);
}

/// RFC 9112, section 7.1: CR LF follows the content of a chunk.
#[test]
fn refuses_a_chunk_that_is_longer_than_its_size() {
    assert_refused(with_line("15"), 400, Refusal::ChunkEnd);
}

/// RFC 9112, section 7.1: LF alone does not end the line of a size, and not the content either.
#[test]
fn refuses_a_bare_line_feed_in_the_framing() {
    assert_refused(with_line("16\n"), 400, Refusal::ChunkSize);
    assert_refused(with_line("16;a\n"), 400, Refusal::ChunkSize);
    assert_refused(post_chunks(&format!("16\r\n{METRIC}\n0\r\n\r\n")), 400, Refusal::ChunkEnd);
}

/// RFC 9112, section 7.1.1: extensions that are not known are ignored.
#[test]
fn ignores_extensions() {
    assert_answered(with_line(r#"16;flag;name=value;quoted="a;b=\"c\"""#), 202);
}

/// RFC 9112, section 7.1.1: there may be white space around their delimiters.
#[test]
fn takes_white_space_around_the_delimiters_of_an_extension() {
    assert_answered(with_line("16 ; name\t= value"), 202);
}

/// RFC 9112, section 7.1.1: but they have a grammar.
#[test]
fn refuses_extensions_that_are_malformed() {
    for line in ["16;", "16;=value", "16;name=", "16;a b", "16;a=\"b", "16;a=\"\u{1}\""] {
        assert_refused(with_line(line), 400, Refusal::ChunkExtension);
    }
}

/// RFC 9112, section 7.1.1: a server limits the length of extensions.
#[test]
fn refuses_extensions_without_end() {
    assert_answered(with_line(&format!("16{}", ";a".repeat(100))), 202);
    let endless = with_line(&format!("16{}", ";a".repeat(200)));
    assert_refused(endless, 400, Refusal::ChunkLineTooLong);
}

/// RFC 9112, section 7.1.2: trailers that are not defined to be merged are dropped.
#[test]
fn drops_trailers() {
    assert_answered(with_trailers("X-Checksum: 1\r\nX-Other: 2\r\n"), 202);
}

/// RFC 9110, section 6.5.1: framing, routing and content are not changed by a trailer.
#[test]
fn a_trailer_changes_nothing() {
    let fields = "Content-Length: 1\r\nHost: a b\r\nContent-Encoding: gzip\r\nExpect: luck\r\n";
    assert_answered(with_trailers(fields), 202);
}

/// RFC 9112, section 7.1.2: trailers are fields and follow their grammar.
#[test]
fn refuses_malformed_trailers() {
    assert_refused(with_trailers("X-A : a\r\n"), 400, Refusal::FieldName);
    assert_refused(with_trailers("X-A: a\r\n b\r\n"), 400, Refusal::Folded);
    assert_refused(with_trailers("X-A: a\n"), 400, Refusal::LineEnd);
}

/// RFC 6585, section 5: trailers have the limits of fields.
#[test]
fn refuses_more_trailers_than_fields_may_be() {
    assert_answered(with_trailers(&"X-A: a\r\n".repeat(100)), 202);
    assert_refused(with_trailers(&"X-A: a\r\n".repeat(101)), 431, Refusal::TooManyFields);
    let long = format!("X-A: {}\r\n", "a".repeat(8_000)).repeat(5);
    assert_refused(with_trailers(&long), 431, Refusal::FieldsTooLong);
}
