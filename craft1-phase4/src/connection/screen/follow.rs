//! Where requests begin and end, by the rules of phase 1.
//!
//! What always holds: following keeps nothing of a request and allocates nothing, and the verdict is
//! that of phase 1's reader, however the bytes arrive; where hyper has a rule that phase 1 has not,
//! it is a rule here, too. What may go on to hyper ends with a whole head or inside a body, and
//! hyper refuses nothing of it. Both matter because hyper collects the answers to pipelined requests
//! until it has read everything: it would not send one of them while it waits for the rest of a
//! head, and would lose them all at a request that it cannot read.

use craft1_phase1::http::chunked::{Chunk, Chunks};
use craft1_phase1::http::cursor::{Cursor, Stop};
use craft1_phase1::http::head::{FieldRules, Section, Version, read_method, read_target, trim};
use craft1_phase1::http::{Framing, Limits, Refusal};
use hyper::Uri;

use crate::familiar::{Familiar, Span};

/// Longest trailers, in bytes: what hyper takes of them at most, two line ends less. Beyond it: 431.
const TRAILER_BYTES_MAX: usize = 16 * 1024 - 4;

/// Follows the requests of a connection, one behind the other.
#[derive(Debug)]
pub(super) struct Follower {
    limits: Limits,
    stage: Stage,
    familiar: Familiar,
    /// Of the request that is on its way, as far as it is known.
    is_head: bool,
    is_last: bool,
}

/// Which part of a request comes next.
#[derive(Debug)]
enum Stage {
    /// The first one, or the empty line that is forgiven before it.
    Start,
    /// The request line, behind that empty line.
    Line,
    Fields(Version, Section, FieldRules),
    Sized(usize),
    Chunked(Chunks),
}

impl Stage {
    /// The one that comes behind a head.
    fn behind(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Sized(0),
            Framing::Length(body_len) => Self::Sized(body_len),
            Framing::Chunked => Self::Chunked(Chunks::default()),
        }
    }
}

/// What some bytes amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sight {
    /// As far as the rules have read. What is behind it is not all there.
    pub(super) read: usize,
    /// As much of it may go on.
    pub(super) released: usize,
    /// Requests whose heads are among that.
    pub(super) heads: usize,
    /// Whether a head or a request has come to its end.
    pub(super) has_advanced: bool,
    /// Why nothing goes on behind it, where that is so.
    pub(super) end: Option<End>,
}

/// Why no more requests are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The request is the last on its connection: its client says so (RFC 9112, section 9.6), or
    /// speaks HTTP/1.0.
    Last,
    /// A rule is broken.
    Refused {
        /// Which.
        refusal: Refusal,
        /// Whether the head of the request went on in an earlier piece.
        is_known: bool,
    },
}

/// What a step has come to.
enum Mark {
    Within,
    /// The digits of Content-Length are read, and here they stand.
    Digits(Span),
    HeadEnd(Framing),
    RequestEnd,
}

impl Follower {
    pub(super) fn new(limits: Limits) -> Self {
        let (stage, familiar) = (Stage::Start, Familiar::default());
        Self { limits, stage, familiar, is_head: false, is_last: false }
    }

    /// Follows `bytes`, of which `read` were read before: those that were not released then, and
    /// what has come since. What hyper would not understand as we do is written over in place.
    pub(super) fn follow(&mut self, bytes: &mut [u8], read: usize) -> Sight {
        let mut sight = Sight { read, released: 0, heads: 0, has_advanced: false, end: None };
        // Where the request begins, unless it began in an earlier piece.
        let mut start = (!self.is_in_body()).then_some(0);
        let mut digits = None;
        while sight.end.is_none() {
            if let Some(len) = self.pass_familiar_head(&bytes[sight.read..]) {
                sight.read += len;
                sight.heads += 1;
                sight.has_advanced = true;
            }
            match self.step(&mut bytes[sight.read..]) {
                Ok((len, mark)) => {
                    let from = sight.read;
                    sight.read += len;
                    sight.has_advanced |= matches!(mark, Mark::HeadEnd(_) | Mark::RequestEnd);
                    match mark {
                        Mark::Within => {}
                        Mark::Digits(place) => {
                            digits = start.map(|start| place.behind(from - start));
                        }
                        Mark::HeadEnd(framing) => {
                            sight.heads += 1;
                            if let Some(start) = start {
                                let head = &bytes[start..sight.read];
                                self.remember(head, framing, digits.take());
                            }
                        }
                        Mark::RequestEnd => {
                            start = Some(sight.read);
                            sight.end = self.is_last.then_some(End::Last);
                            self.is_head = false;
                        }
                    }
                }
                Err(Stop::NeedMore) => break,
                Err(Stop::Refused(refusal)) => {
                    sight.heads -= usize::from(start.is_some() && self.is_in_body());
                    sight.end = Some(End::Refused { refusal, is_known: start.is_none() });
                    sight.released = start.unwrap_or(0);
                    return sight;
                }
            }
        }
        sight.released = if self.is_in_body() { sight.read } else { start.unwrap_or(0) };
        sight
    }

    /// Whether nothing of the next request has come. The forgiven empty line is nothing.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.stage, Stage::Start | Stage::Line)
    }

    /// Whether a head is complete and its body is what is missing.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self.stage, Stage::Sized(..) | Stage::Chunked(_))
    }

    /// Whether the request is a HEAD request, as far as that is known.
    pub(super) fn is_head(&self) -> bool {
        self.is_head
    }

    /// A head that is as the one before is followed already. Returns its length.
    fn pass_familiar_head(&mut self, bytes: &[u8]) -> Option<usize> {
        let Stage::Start = self.stage else { return None };
        let known = self.familiar.recognise(bytes, &self.limits)?;
        self.stage = Stage::behind(known.framing);
        Some(known.len)
    }

    /// Remembers a head that has just come to its end, unless it says more than where its body ends.
    /// One that says that it is the last does not come again.
    fn remember(&mut self, head: &[u8], framing: Framing, digits: Option<Span>) {
        if !self.is_head {
            self.familiar.remember(head, framing, digits, &self.limits);
        }
    }

    /// Reads a line or a piece of the body, or stops without a trace where it is not all there.
    fn step(&mut self, bytes: &mut [u8]) -> Result<(usize, Mark), Stop> {
        let mut cursor = Cursor::new(bytes);
        match &mut self.stage {
            Stage::Start if cursor.peek()? == b'\r' => {
                cursor.line_end(Refusal::LineEnd)?;
                self.stage = Stage::Line;
                Ok((cursor.position(), Mark::Within))
            }
            Stage::Start | Stage::Line => self.request_line(bytes),
            Stage::Fields(..) => self.field(bytes),
            Stage::Sized(0) => {
                self.stage = Stage::Start;
                Ok((0, Mark::RequestEnd))
            }
            Stage::Sized(left) => {
                let len = cursor.take_up_to(*left)?.len();
                *left -= len;
                Ok((len, Mark::Within))
            }
            Stage::Chunked(_) => self.chunk(bytes),
        }
    }

    /// hyper answers HTTP/1.0 with HTTP/1.0 and does not know 1.2, so it is shown 1.1 in any case
    /// (RFC 9110, section 2.5).
    fn request_line(&mut self, bytes: &mut [u8]) -> Result<(usize, Mark), Stop> {
        let mut cursor = Cursor::new(bytes);
        let method = read_method(&mut cursor)?;
        self.is_head = method == b"HEAD";
        let (_, version) = read_target(&mut cursor, method, &self.limits)?;
        let (target, len) = (method.len() + 1, cursor.position());
        let target_end = len - b" HTTP/1.1\r\n".len();
        if !is_read_by_hyper(&bytes[target..target_end]) {
            return Err(Refusal::Target.into());
        }
        bytes[len - b"1\r\n".len()] = b'1';
        self.is_last = version == Version::Http10;
        self.stage = Stage::Fields(version, Section::default(), FieldRules::default());
        Ok((len, Mark::Within))
    }

    fn field(&mut self, bytes: &mut [u8]) -> Result<(usize, Mark), Stop> {
        let Stage::Fields(version, section, rules) = &mut self.stage else {
            unreachable!("fields stand behind a request line")
        };
        let mut cursor = Cursor::new(bytes);
        let Some(line) = section.field_line(&mut cursor, &self.limits)? else {
            let framing = rules.finish(*version)?;
            self.stage = Stage::behind(framing);
            return Ok((cursor.position(), Mark::HeadEnd(framing)));
        };
        let len = cursor.position();
        rules.take(line, *version, &self.limits)?;
        if line.is("Transfer-Encoding") && !line.value.eq_ignore_ascii_case(b"chunked") {
            // Empty elements of a list, which hyper takes for another coding.
            return Err(Refusal::ChunkedNotLast.into());
        }
        let is_length = line.is("Content-Length");
        let mark = if is_length { Mark::Digits(Span::of(line.value, bytes)) } else { Mark::Within };
        self.is_last |= line.is("Connection") && has_close(line.value);
        if *version == Version::Http10 && line.is("Expect") {
            // RFC 9110, section 10.1.1: it is ignored. Under another name hyper ignores it, too.
            bytes[0] = b'-';
        }
        Ok((len, mark))
    }

    fn chunk(&mut self, bytes: &mut [u8]) -> Result<(usize, Mark), Stop> {
        let Stage::Chunked(chunks) = &mut self.stage else {
            unreachable!("chunks stand behind a head")
        };
        let limits =
            Limits { head_bytes: self.limits.head_bytes.min(TRAILER_BYTES_MAX), ..self.limits };
        let mut cursor = Cursor::new(bytes);
        let chunk = chunks.step(&mut cursor, &limits)?;
        let len = cursor.position();
        match chunk {
            Chunk::Content(_) => {}
            Chunk::Framing => blank_extensions(&mut bytes[..len]),
            Chunk::End => {
                self.stage = Stage::Start;
                return Ok((len, Mark::RequestEnd));
            }
        }
        Ok((len, Mark::Within))
    }
}

/// Extensions are for nobody here, and of white space hyper takes any amount. What it does to a
/// trailer is nothing to anybody, either.
fn blank_extensions(line: &mut [u8]) {
    let start = line.iter().position(|byte| *byte == b';').unwrap_or(line.len());
    let end = line.len().saturating_sub(b"\r\n".len()).max(start);
    line[start..end].fill(b' ');
}

/// RFC 9110, section 7.6.1: a list of words whose case does not count.
fn has_close(options: &[u8]) -> bool {
    options.split(|byte| *byte == b',').any(|option| trim(option).eq_ignore_ascii_case(b"close"))
}

/// hyper takes every path that phase 1 takes, and is stricter about the host in a URI.
fn is_read_by_hyper(target: &[u8]) -> bool {
    target.starts_with(b"/") || Uri::try_from(target).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;

    /// What has gone on, how many heads that were, and how it ended.
    type Passed = (Vec<u8>, usize, Option<End>);

    /// Follows the bytes as they come, and holds back what may not go on.
    fn follow<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Passed {
        let mut follower = Follower::new(Limits::default());
        let (mut held, mut read, mut passed, mut heads) = (Vec::new(), 0, Vec::new(), 0);
        for piece in pieces {
            held.extend_from_slice(piece);
            let sight = follower.follow(&mut held, read);
            passed.extend(held.drain(..sight.released));
            heads += sight.heads;
            if sight.end.is_some() {
                return (passed, heads, sight.end);
            }
            read = sight.read - sight.released;
        }
        (passed, heads, None)
    }

    fn whole(bytes: &str) -> Passed {
        follow([bytes.as_bytes()])
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn half_a_head_stays_and_half_a_body_goes_on() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
        let text = format!("{GET}{head}hello{GET}");
        for len in 0..text.len() {
            let (begun, second) = (GET.len(), GET.len() + head.len());
            let expected = match len {
                _ if len < begun => 0,
                _ if len < second => begun,
                _ => len.min(second + 5),
            };
            assert_eq!(whole(&text[..len]).0.len(), expected, "of {len} bytes");
        }
    }

    #[test]
    fn hyper_sees_no_version_but_1_1_and_no_expectation_in_1_0() {
        let expect = "Host: a\r\nExpect: 100-continue\r\n\r\n";
        for (version, seen) in [
            ("1.0", format!("GET / HTTP/1.1\r\n{}", expect.replace("Expect", "-xpect"))),
            ("1.1", format!("GET / HTTP/1.1\r\n{expect}")),
            ("1.7", format!("GET / HTTP/1.1\r\n{expect}")),
        ] {
            let (passed, heads, end) = whole(&format!("GET / HTTP/{version}\r\n{expect}"));
            assert_eq!((String::from_utf8(passed).unwrap(), heads), (seen, 1));
            assert_eq!(end, (version == "1.0").then_some(End::Last));
        }
    }

    #[test]
    fn extensions_of_chunks_do_not_go_on() {
        let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (passed, ..) = whole(&format!("{head}2;a=b\r\n;;\r\n0 ; c\r\nX: y;z\r\n\r\n"));
        let expected = format!("{head}2    \r\n;;\r\n0    \r\nX: y  \r\n\r\n");
        assert_eq!(String::from_utf8(passed).unwrap(), expected);
    }

    #[test]
    fn a_broken_request_is_known_where_its_head_has_gone_on() {
        let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let broken = |is_known| Some(End::Refused { refusal: Refusal::ChunkSize, is_known });
        let text = [GET, head].concat();
        assert_eq!(whole(&format!("{text}x")), (GET.into(), 1, broken(false)));
        let in_two = follow([text.as_bytes(), b"x"]);
        assert_eq!(in_two, (text.into(), 2, broken(true)));
    }

    #[test]
    fn a_head_that_comes_again_is_passed_unless_it_says_more_than_where_its_body_ends() {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ";
        for (first, second, is_familiar) in [
            (GET, GET, true),
            (&*format!("{post}5\r\n\r\nhello"), &*format!("{post}12\r\n\r\n"), true),
            (GET, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n", false),
            ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", false),
            ("GET / HTTP/1.7\r\nHost: a\r\n\r\n", "GET / HTTP/1.7\r\nHost: a\r\n\r\n", false),
        ] {
            let mut follower = Follower::new(Limits::default());
            follower.follow(&mut first.as_bytes().to_vec(), 0);
            let passed = follower.pass_familiar_head(second.as_bytes());
            assert_eq!(passed, is_familiar.then_some(second.len()), "{first}{second}");
        }
    }

    fn request() -> impl Strategy<Value = String> {
        select(&[
            GET,
            "\r\nHEAD /a HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello, world",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nY: z\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.0\r\nExpect: x\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab",
        ][..])
        .prop_map(String::from)
    }

    proptest! {
        // A failing case is printed in full, so no file of past seeds is kept.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn how_the_bytes_arrive_does_not_change_what_goes_on(
            requests in vec(request(), 1..6),
            cuts in vec(any::<Index>(), 0..8),
        ) {
            let text = requests.concat();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]);
            let (in_pieces, bytewise) = (follow(pieces), follow(text.as_bytes().chunks(1)));
            let (passed, _, end) = whole(&text);
            for other in [in_pieces, bytewise] {
                prop_assert!(other.0.starts_with(&passed), "{:?}", other);
                // Of a request that breaks in its body, what came before has gone on.
                let is_more = matches!(other.2, Some(End::Refused { is_known: true, .. }));
                prop_assert!(other.0 == passed || is_more, "{:?}", other);
                let rule = |end| match end {
                    Some(End::Refused { refusal, .. }) => Some(Some(refusal)),
                    Some(End::Last) => Some(None),
                    None => None,
                };
                prop_assert_eq!(rule(other.2), rule(end));
            }
        }
    }
}
