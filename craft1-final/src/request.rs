//! A request, read where it lies: in the connection's own buffer, without copying and without
//! allocating.
//!
//! What always holds: the verdict is the one of `craft1_phase1::http::RequestReader`, whose rules
//! these are, however the bytes arrive. `tests/differential_http.rs` holds the one against the other.
//! What is lent lies in the buffer, and the next request begins behind `consumed`.
//!
//! | file | what |
//! |---|---|
//! | `request/head.rs` | request line and fields, as places in the buffer |
//! | `request/regular.rs` | the lines that nearly everybody sends, read with few looks |
//! | `request/name.rs` | the fields that mean something here |
//! | `request/persistence.rs` | whether the connection stays open (RFC 9112, section 9.3) |
//!
//! A body in chunks is put together in place: each piece of content moves to the end of the one
//! before it, over the line that stood between them.

mod head;
mod name;
mod persistence;
mod regular;

use std::mem;

use craft1_phase1::http::chunked::{Chunk, Chunks};
use craft1_phase1::http::cursor::{Cursor, Stop};
use craft1_phase1::http::head::{Repeated, Version};
use craft1_phase1::http::{Framing, Limits, Refusal};
use craft1_phase1::service::Call;
use craft1_phase4::familiar::{Familiar, Recognised, Span};

pub use persistence::Persistence;

use head::{Fields, Head};

/// A request, complete and well formed, lent from the buffer.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What the routes need to know; or which field was given twice that can have one value. Such a
    /// request is answered with 400, and the connection goes on: where it ends is known.
    pub call: Result<Call<'a>, Repeated>,
    /// The value of Authorization.
    pub authorization: Option<&'a [u8]>,
    /// Whether the answer goes without its body (RFC 9110, section 9.3.2).
    pub is_head: bool,
    /// What the client wants to become of the connection.
    pub persistence: Persistence,
}

/// What the bytes amount to.
#[derive(Debug, Clone, Copy)]
pub enum Parsed<'a> {
    /// A request.
    Complete {
        /// It.
        request: Request<'a>,
        /// Its length, in bytes. Behind them the next request may have begun.
        consumed: usize,
    },
    /// Everything so far is well formed, and something is missing.
    NeedMore {
        /// How many bytes of the buffer count: at the next call it begins with these, and has more
        /// behind them. All of them, but for a body in chunks, which loses its framing.
        kept: usize,
        /// What is missing.
        missing: Missing,
    },
}

/// What is missing of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// All of it. The empty line that may stand before a request is no beginning.
    All,
    /// The rest of the head.
    Head,
    /// The body, or the rest of it.
    Body {
        /// How many bytes will come at least.
        bytes_min: usize,
        /// Whether the client waits for [`CONTINUE`](craft1_phase1::http::response::CONTINUE) before it sends them
        /// (RFC 9110, section 10.1.1). This is said once.
        is_awaited: bool,
    },
}

/// Reads the requests of one connection, one after the other.
///
/// ```
/// use craft1_final::request::{Missing, Parsed, Reader};
/// use craft1_phase1::http::Limits;
///
/// let limits = Limits::default();
/// let mut reader = Reader::default();
/// let mut buffer = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /met".to_vec();
/// let Parsed::Complete { request, consumed } = reader.read(&mut buffer, &limits)? else {
///     panic!("it is complete")
/// };
/// assert_eq!((request.call?.path, consumed), ("/health", 33));
/// // The next one is on its way.
/// let next = reader.read(&mut buffer[33..], &limits)?;
/// assert!(matches!(next, Parsed::NeedMore { kept: 8, missing: Missing::Head }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Reader {
    familiar: Familiar,
    stage: Stage,
    /// Everything before it has been read.
    position: usize,
    head: Head,
    /// The content of the body so far.
    body: Span,
    /// Whether the caller knows that the body is what is missing.
    is_in_body: bool,
}

/// Which part of the request comes next.
#[derive(Debug, Clone, Copy, Default)]
enum Stage {
    /// A head that is known, or the forgiven empty line.
    #[default]
    Start,
    Method,
    Target,
    Fields(Fields),
    Sized {
        body_len: usize,
    },
    Chunked(Chunks),
    End,
}

impl Reader {
    /// Goes on where the last call stopped. `unread` begins with the bytes that were kept then, and
    /// has behind them what has arrived since. After a complete request it begins with the next one.
    ///
    /// # Errors
    /// The first rule that the bytes break. The reader is of no use after that, and the connection
    /// neither: where the request ends is not known any more.
    pub fn read<'a>(
        &mut self,
        unread: &'a mut [u8],
        limits: &Limits,
    ) -> Result<Parsed<'a>, Refusal> {
        if let Stage::Start = self.stage
            && let Some(Recognised { framing, len, resized }) =
                self.familiar.recognise(unread, limits)
        {
            if let Some((span, len)) = resized {
                self.head.resize(span, len);
            }
            self.enter_body(len, framing);
        }
        let consumed = loop {
            if let Some(end) = self.end(unread) {
                break end;
            }
            match self.step(unread, limits) {
                Ok(()) => {}
                Err(Stop::NeedMore) => return Ok(self.need_more(unread)),
                Err(Stop::Refused(refusal)) => return Err(refusal),
            }
        };
        (self.stage, self.position) = (Stage::Start, 0);
        Ok(Parsed::Complete { request: self.head.request(unread, self.body), consumed })
    }

    /// Whether the answer goes without its body, a refusal too (RFC 9110, section 9.3.2).
    pub fn is_head(&self) -> bool {
        !matches!(self.stage, Stage::Start) && self.head.is_bodiless
    }

    /// Where the request ends, if it ends here.
    fn end(&mut self, unread: &[u8]) -> Option<usize> {
        match self.stage {
            Stage::Sized { body_len } if body_len <= unread.len() - self.position => {
                self.body.end = self.body.start + body_len;
                Some(self.body.end)
            }
            Stage::End => Some(self.position),
            _ => None,
        }
    }

    /// Reads a part of the head or of the body, or stops without a trace where it is not all there.
    ///
    /// Not inlined, so that a request whose head is known does not pay for its registers.
    #[inline(never)]
    fn step(&mut self, unread: &mut [u8], limits: &Limits) -> Result<(), Stop> {
        let (head, position) = (&mut self.head, self.position);
        let mut cursor = Cursor::new(&unread[position..]);
        match &mut self.stage {
            Stage::Start => {
                let first = cursor.peek()?;
                self.familiar.forget();
                *head = Head::default();
                // RFC 9112, section 2.2: an empty line behind the last body is forgiven.
                if first == b'\r' {
                    cursor.line_end(Refusal::LineEnd)?;
                }
                self.stage = Stage::Method;
            }
            Stage::Method => {
                if let Some(len) = head.read_regular_line(position, unread, limits) {
                    self.stage = Stage::Fields(Fields::new(Version::Http11));
                    self.position += len;
                    return Ok(());
                }
                head.read_method(&mut cursor, unread)?;
                self.stage = Stage::Target;
            }
            Stage::Target => {
                let version = head.read_target(&mut cursor, unread, limits)?;
                self.stage = Stage::Fields(Fields::new(version));
            }
            Stage::Fields(fields) => {
                let regular_len = fields.read_regular(head, position, unread, limits)?;
                self.position += regular_len;
                cursor = Cursor::new(&unread[self.position..]);
                if let Some(framing) = fields.read_line(head, &mut cursor, unread, limits)? {
                    let (head_len, digits) = (self.position + cursor.position(), fields.digits);
                    self.familiar.remember(&unread[..head_len], framing, digits, limits);
                    self.enter_body(head_len, framing);
                    return Ok(());
                }
            }
            Stage::Chunked(chunks) => match chunks.step(&mut cursor, limits)? {
                Chunk::Framing => {}
                Chunk::Content(piece) => {
                    let piece = Span::of(piece, unread);
                    unread.copy_within(piece.start..piece.end, self.body.end);
                    self.body.end += piece.len();
                    self.position = piece.end;
                    return Ok(());
                }
                Chunk::End => self.stage = Stage::End,
            },
            // More of it has to come, or there is no more of it.
            Stage::Sized { .. } | Stage::End => return Err(Stop::NeedMore),
        }
        self.position += cursor.position();
        Ok(())
    }

    fn enter_body(&mut self, head_len: usize, framing: Framing) {
        self.position = head_len;
        self.body = Span::of_nothing_at(head_len);
        self.is_in_body = false;
        self.stage = match framing {
            Framing::None => Stage::End,
            Framing::Length(body_len) => Stage::Sized { body_len },
            Framing::Chunked => Stage::Chunked(Chunks::default()),
        };
    }

    fn need_more(&mut self, unread: &mut [u8]) -> Parsed<'static> {
        let mut kept = unread.len();
        // Said once: whoever asks again has been told.
        let is_awaited = !mem::replace(&mut self.is_in_body, self.stage.is_body())
            && self.head.expects_continue
            && kept == self.body.start;
        let missing = match self.stage {
            Stage::Start => Missing::All,
            Stage::Method if kept == self.position => Missing::All,
            Stage::Method | Stage::Target | Stage::Fields(_) | Stage::End => Missing::Head,
            Stage::Sized { body_len } => {
                let bytes_min = self.position + body_len - kept;
                Missing::Body { bytes_min, is_awaited }
            }
            Stage::Chunked(_) => {
                unread.copy_within(self.position.., self.body.end);
                kept -= self.position - self.body.end;
                self.position = self.body.end;
                Missing::Body { bytes_min: 1, is_awaited }
            }
        };
        Parsed::NeedMore { kept, missing }
    }
}

impl Stage {
    fn is_body(&self) -> bool {
        matches!(self, Self::Sized { .. } | Self::Chunked(_))
    }
}

#[cfg(test)]
mod tests;
