//! HTTP/1.1 without sockets: bytes to a request, a response to bytes.
//!
//! What always holds: nothing here does I/O or reads a clock, and how the bytes arrive does not
//! change what they mean. Every verdict depends on the bytes before it and on nothing else, so a
//! request in one piece, in pieces or byte by byte gives the same request or the same refusal.
//!
//! The rules are those of RFC 9110 (what HTTP means) and RFC 9112 (how HTTP/1.1 is written), by
//! Fielding, Nottingham and Reschke, 2022, read strictly: what two readers could understand
//! differently is refused. Behind a proxy that difference is an attack called request smuggling
//! (Linhart, Klein, Heled and Orrin, 2005). That "need more bytes" is a status and not an error is
//! an idea of httparse by Sean `McArthur`.
//!
//! | file | what it reads or writes | RFC 9112 |
//! |---|---|---|
//! | [`limits`] | the bound on everything a client can send | 3, 5.4 |
//! | [`refusal`] | why a request is refused, and with which status | |
//! | [`cursor`] | one byte after the other, or "need more" | 2.2 |
//! | [`head`] | request line and fields | 3, 5 |
//! | [`target`] | the four forms of a target, and Host | 3.2 |
//! | [`framing`] | where the body ends | 6 |
//! | [`chunked`] | a body in chunks | 7.1 |
//! | [`response`] | status line, fields, body | 4 |

pub mod chunked;
pub mod cursor;
pub mod framing;
pub mod head;
pub mod limits;
pub mod refusal;
pub mod response;
pub mod target;

use std::mem;

pub use framing::Framing;
pub use head::{Head, Version};
pub use limits::Limits;
pub use refusal::Refusal;
pub use response::Response;

use chunked::Chunked;
use cursor::{Cursor, Stop};
use head::HeadReader;

/// A request, complete and well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Request line and fields.
    pub head: Head,
    /// The body without its framing; empty where there is none.
    pub body: Vec<u8>,
}

/// How far the reader came with the bytes that it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How many bytes it has used up. The caller keeps the others and gives them again, with more
    /// behind them.
    pub consumed: usize,
    /// What they amount to.
    pub status: Status,
}

/// Whether there is a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Not yet: everything so far is well formed, and something is missing.
    NeedMore,
    /// Here it is. Bytes that were not consumed belong to what comes after it.
    Complete(Request),
}

/// Reads one request, in as many pieces as it comes.
///
/// ```
/// use craft1_phase1::http::{Limits, RequestReader, Status};
///
/// let mut reader = RequestReader::new(Limits::default());
/// let first = reader.read(b"GET /health HTTP/1.1\r\nHo")?;
/// // The request line is used up. "Ho" is given again, once its line goes on.
/// assert_eq!((first.consumed, first.status), (22, Status::NeedMore));
/// let then = reader.read(b"Host: localhost\r\n\r\n")?;
/// let Status::Complete(request) = then.status else { panic!("it is complete") };
/// assert_eq!(request.head.path, "/health");
/// # Ok::<(), craft1_phase1::http::Refusal>(())
/// ```
#[derive(Debug)]
pub struct RequestReader {
    limits: Limits,
    stage: Stage,
}

/// Which part of the request comes next.
#[derive(Debug)]
enum Stage {
    Head(HeadReader),
    Body(Head, Body),
    Finished,
}

/// A body on its way.
#[derive(Debug)]
enum Body {
    Sized { left: usize, bytes: Vec<u8> },
    Chunked(Chunked),
}

impl RequestReader {
    /// Starts before the first byte.
    pub fn new(limits: Limits) -> Self {
        Self { limits, stage: Stage::Head(HeadReader::default()) }
    }

    // ANCHOR: partial_reads
    /// Goes on where the last call stopped. `bytes` are those that were not consumed then, and
    /// what has arrived since.
    ///
    /// # Errors
    /// The first rule that the bytes break. The reader is of no use after that: where the request
    /// ends is not known any more.
    ///
    /// # Panics
    /// When called again after [`Status::Complete`]: the next request needs a reader of its own.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Progress, Refusal> {
        // ANCHOR: read
        let mut consumed = 0;
        loop {
            let mut cursor = Cursor::new(&bytes[consumed..]);
            match self.step(&mut cursor) {
                Ok(Status::NeedMore) => consumed += cursor.position(),
                Ok(status) => {
                    return Ok(Progress { consumed: consumed + cursor.position(), status });
                }
                Err(Stop::NeedMore) => return Ok(Progress { consumed, status: Status::NeedMore }),
                Err(Stop::Refused(refusal)) => return Err(refusal),
            }
        }
        // ANCHOR_END: read
    }

    /// Reads a part of the head or of the body, or stops without a trace where it is not all there.
    fn step(&mut self, cursor: &mut Cursor<'_>) -> Result<Status, Stop> {
        // ANCHOR: step
        match &mut self.stage {
            Stage::Head(reader) => {
                if let Some(head) = reader.step(cursor, &self.limits)? {
                    self.stage = Stage::after(head);
                }
            }
            Stage::Body(_, Body::Sized { left: 0, .. }) => return Ok(self.finish()),
            Stage::Body(_, Body::Sized { left, bytes }) => {
                let piece = cursor.take_up_to(*left)?;
                bytes.extend_from_slice(piece);
                *left -= piece.len();
            }
            Stage::Body(_, Body::Chunked(chunked)) => {
                if chunked.step(cursor, &self.limits)?.is_some() {
                    return Ok(self.finish());
                }
            }
            Stage::Finished => unreachable!("read again after the end of the request"),
        }
        Ok(Status::NeedMore)
        // ANCHOR_END: step
    }
    // ANCHOR_END: partial_reads

    fn finish(&mut self) -> Status {
        let Stage::Body(head, body) = mem::replace(&mut self.stage, Stage::Finished) else {
            unreachable!("only a body comes to its end")
        };
        let body = match body {
            Body::Sized { bytes, .. } => bytes,
            Body::Chunked(chunked) => chunked.into_body(),
        };
        Status::Complete(Request { head, body })
    }

    /// Whether the head is complete and the body is what is missing.
    pub fn is_in_body(&self) -> bool {
        matches!(self.stage, Stage::Body(..))
    }

    /// Whether the client waits for a word before it sends its body.
    ///
    /// RFC 9110, section 10.1.1: to `Expect: 100-continue` a server answers 100 or a final status.
    /// Who has begun to send does not wait for it any more.
    pub fn is_awaited(&self) -> bool {
        match &self.stage {
            Stage::Body(head, body) => head.expects_continue && !body.has_begun(),
            Stage::Head(_) | Stage::Finished => false,
        }
    }

    /// Whether the answer, a refusal too, goes without its body (RFC 9110, section 9.3.2).
    pub fn is_head(&self) -> bool {
        match &self.stage {
            Stage::Head(reader) => reader.is_head(),
            Stage::Body(head, _) => head.is_head(),
            Stage::Finished => false,
        }
    }
}

impl Body {
    fn has_begun(&self) -> bool {
        match self {
            Self::Sized { bytes, .. } => !bytes.is_empty(),
            Self::Chunked(chunked) => chunked.has_begun(),
        }
    }
}

impl Stage {
    fn after(head: Head) -> Self {
        let body = match head.framing {
            Framing::None => Body::Sized { left: 0, bytes: Vec::new() },
            // Not reserved at once: a client that announces a megabyte has not sent it yet.
            Framing::Length(body_len) => Body::Sized { left: body_len, bytes: Vec::new() },
            Framing::Chunked => Body::Chunked(Chunked::default()),
        };
        Self::Body(head, body)
    }
}
