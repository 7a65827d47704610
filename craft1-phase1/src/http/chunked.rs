//! A body in chunks (RFC 9112, section 7.1): a size, that many bytes, and again, until a size of
//! zero; then trailers, which are fields that come late.
//!
//! What always holds: the content never grows beyond its limit, and the line before a chunk has one
//! too. Extensions are checked and dropped, for nobody here knows one (section 7.1.1). Trailers are
//! checked and dropped: none of ours is defined to be merged into the head (RFC 9110, section 6.5).

use super::cursor::{Cursor, Stop, is_blank, is_token_byte, is_value_byte};
use super::head::Section;
use super::limits::{CHUNK_LINE_BYTES_MAX, Limits};
use super::refusal::Refusal;

/// A chunked body on its way, and what has come of it.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    chunks: Chunks,
    body: Vec<u8>,
}

impl Chunked {
    /// Reads one line or one piece of content. `Some` at the end of the body.
    pub(super) fn step(
        &mut self,
        cursor: &mut Cursor<'_>,
        limits: &Limits,
    ) -> Result<Option<()>, Stop> {
        match self.chunks.step(cursor, limits)? {
            Chunk::Framing => Ok(None),
            Chunk::Content(piece) => {
                self.body.extend_from_slice(piece);
                Ok(None)
            }
            Chunk::End => Ok(Some(())),
        }
    }

    /// As [`Chunks::has_begun`].
    pub(super) fn has_begun(&self) -> bool {
        self.chunks.has_begun()
    }

    /// The content without its framing.
    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
    }
}

/// The way through a chunked body. The content is lent piece by piece, and kept by the caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chunks {
    next: Next,
    content_len: usize,
    trailers: Section,
}

/// One step on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk<'a> {
    /// A line around the content.
    Framing,
    /// The next of the content.
    Content(&'a [u8]),
    /// Behind the last trailer.
    End,
}

/// What comes next.
#[derive(Debug, Clone, Copy, Default)]
enum Next {
    #[default]
    Size,
    Content {
        left: usize,
    },
    ContentEnd,
    Trailer,
}

impl Chunks {
    /// Reads one line or one piece of content.
    pub fn step<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        limits: &Limits,
    ) -> Result<Chunk<'a>, Stop> {
        self.next = match self.next {
            Next::Size => match chunk_line(cursor, limits.body_bytes - self.content_len)? {
                0 => Next::Trailer,
                size => Next::Content { left: size },
            },
            Next::Content { left } => {
                let piece = cursor.take_up_to(left)?;
                self.content_len += piece.len();
                self.next = match left - piece.len() {
                    0 => Next::ContentEnd,
                    left => Next::Content { left },
                };
                return Ok(Chunk::Content(piece));
            }
            Next::ContentEnd => {
                cursor.line_end(Refusal::ChunkEnd)?;
                Next::Size
            }
            Next::Trailer => match self.trailers.field_line(cursor, limits)? {
                Some(_) => Next::Trailer,
                None => return Ok(Chunk::End),
            },
        };
        Ok(Chunk::Framing)
    }

    /// How much content has come.
    pub fn content_len(&self) -> usize {
        self.content_len
    }

    /// Whether the first chunk has been announced.
    pub fn has_begun(&self) -> bool {
        !matches!(self.next, Next::Size) || self.content_len > 0
    }
}

/// The size of the next chunk, at most `bytes_max`.
fn chunk_line(cursor: &mut Cursor<'_>, bytes_max: usize) -> Result<usize, Stop> {
    let is_digit = |byte: u8| byte.is_ascii_hexdigit();
    let digits = cursor.take_while(is_digit, CHUNK_LINE_BYTES_MAX, Refusal::ChunkLineTooLong)?;
    if digits.is_empty() {
        return Err(Refusal::ChunkSize.into());
    }
    let digit = |sum: usize, digit: &u8| {
        let value = char::from(*digit).to_digit(16).unwrap_or_default();
        sum.saturating_mul(16).saturating_add(value as usize)
    };
    let size = digits.iter().fold(0, digit);
    if size > bytes_max {
        return Err(Refusal::BodyTooLong.into());
    }
    let mut delimiter = after_blanks(cursor, Refusal::ChunkSize)?;
    while delimiter == b';' {
        delimiter = extension(cursor)?;
        if cursor.position() > CHUNK_LINE_BYTES_MAX {
            return Err(Refusal::ChunkLineTooLong.into());
        }
    }
    cursor.line_end(Refusal::ChunkSize)?;
    Ok(size)
}

/// Section 7.1.1: `;`, a token, and perhaps `=` and a token or a quoted string. There may be white
/// space around the delimiters. Returns the byte behind it, which it leaves.
fn extension(cursor: &mut Cursor<'_>) -> Result<u8, Stop> {
    cursor.pass(|byte| byte == b';', Refusal::ChunkExtension)?;
    skip_blanks(cursor)?;
    token(cursor)?;
    let delimiter = after_blanks(cursor, Refusal::ChunkExtension)?;
    if delimiter != b'=' {
        return Ok(delimiter);
    }
    cursor.pass(|byte| byte == b'=', Refusal::ChunkExtension)?;
    skip_blanks(cursor)?;
    match cursor.peek()? {
        b'"' => quoted_string(cursor)?,
        _ => token(cursor)?,
    }
    after_blanks(cursor, Refusal::ChunkExtension)
}

/// The next byte behind white space, left where it is. White space that nothing follows is refused.
fn after_blanks(cursor: &mut Cursor<'_>, otherwise: Refusal) -> Result<u8, Stop> {
    let blanks_len = skip_blanks(cursor)?;
    match cursor.peek()? {
        delimiter @ (b';' | b'=') => Ok(delimiter),
        _ if blanks_len > 0 => Err(otherwise.into()),
        byte => Ok(byte),
    }
}

fn skip_blanks(cursor: &mut Cursor<'_>) -> Result<usize, Stop> {
    let blanks = cursor.take_while(is_blank, CHUNK_LINE_BYTES_MAX, Refusal::ChunkLineTooLong)?;
    Ok(blanks.len())
}

fn token(cursor: &mut Cursor<'_>) -> Result<(), Stop> {
    let token =
        cursor.take_while(is_token_byte, CHUNK_LINE_BYTES_MAX, Refusal::ChunkLineTooLong)?;
    if token.is_empty() { Err(Refusal::ChunkExtension.into()) } else { Ok(()) }
}

/// RFC 9110, section 5.6.4: a backslash takes the meaning from the byte behind it.
fn quoted_string(cursor: &mut Cursor<'_>) -> Result<(), Stop> {
    cursor.pass(|byte| byte == b'"', Refusal::ChunkExtension)?;
    let mut is_escaped = false;
    loop {
        if cursor.position() > CHUNK_LINE_BYTES_MAX {
            return Err(Refusal::ChunkLineTooLong.into());
        }
        let byte = cursor.pass(is_value_byte, Refusal::ChunkExtension)?;
        if byte == b'"' && !is_escaped {
            return Ok(());
        }
        is_escaped = byte == b'\\' && !is_escaped;
    }
}
