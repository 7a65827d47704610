//! Reads responses from a stream of bytes: HTTP/1.1 (RFC 9112), strictly, as far as a client needs.
//!
//! What always holds: the answer does not depend on how the bytes were cut into pieces on their way.
//! The reader keeps at most one unfinished line; whole lines are read where they lie, bodies are
//! counted and never stored.
//!
//! Strict, because a lenient client would report a broken server as a working one.

use std::mem;

use memchr::memchr;
use thiserror::Error;

/// A line of the head. The limit that our servers set for requests.
const LINE_LEN_MAX: usize = 8 << 10;
/// Status line and fields together.
const HEAD_LEN_MAX: usize = 32 << 10;
/// Hexadecimal digits of a chunk size: 2^60 bytes, far beyond any body.
const CHUNK_SIZE_DIGITS_MAX: usize = 15;
/// What every status line of our protocol begins with.
const VERSION_PREFIX: &[u8] = b"HTTP/1.";

/// A complete response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// 200 to 999. Interim responses (1xx) are read over.
    pub status: u16,
    /// Whether the connection can be used for another request.
    pub keep_alive: bool,
}

/// What a call of [`ResponseReader::read`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// All bytes were taken and the response needs more.
    More,
    /// The response ended after this many of the bytes.
    Done(Response, usize),
}

/// The state between two pieces of the stream.
#[derive(Debug)]
pub struct ResponseReader {
    state: State,
    /// The beginning of a line whose end has not come yet.
    unfinished: Vec<u8>,
    head_len: usize,
    head: Head,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    StatusLine,
    Fields,
    Body { left: u64 },
    BodyUntilClose,
    ChunkSize,
    ChunkData { left: u64 },
    ChunkEnd,
    Trailers,
}

/// What the head says about the body and the connection.
#[derive(Debug, Default)]
struct Head {
    status: u16,
    minor_version: u8,
    content_length: Option<u64>,
    chunked: bool,
    says_close: bool,
    says_keep_alive: bool,
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self {
            state: State::StatusLine,
            unfinished: Vec::new(),
            head_len: 0,
            head: Head::default(),
        }
    }
}

impl ResponseReader {
    /// Reads on to the end of the next response or of the bytes.
    ///
    /// After an error the stream has no meaning any more: the connection must be closed.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Read, Malformed> {
        let mut at = 0;
        while at < bytes.len() {
            let done = match &mut self.state {
                State::Body { left } => {
                    at += skip(left, &bytes[at..]);
                    *left == 0
                }
                State::ChunkData { left } => {
                    at += skip(left, &bytes[at..]);
                    if *left == 0 {
                        self.state = State::ChunkEnd;
                    }
                    false
                }
                State::BodyUntilClose => {
                    at = bytes.len();
                    false
                }
                _ => self.read_line(bytes, &mut at)?,
            };
            if done {
                return Ok(Read::Done(self.finish(), at));
            }
        }
        Ok(Read::More)
    }

    /// The stream has ended. A response whose body lasts until then is complete.
    pub fn end(&mut self) -> Option<Response> {
        (self.state == State::BodyUntilClose).then(|| self.finish())
    }

    fn finish(&mut self) -> Response {
        let head = mem::take(&mut self.head);
        self.head_len = 0;
        let until_close = mem::replace(&mut self.state, State::StatusLine) == State::BodyUntilClose;
        let persists =
            if head.minor_version == 0 { head.says_keep_alive } else { !head.says_close };
        Response { status: head.status, keep_alive: persists && !until_close }
    }

    /// Takes one line, or keeps its beginning. True when it was the last of the response.
    fn read_line(&mut self, bytes: &[u8], at: &mut usize) -> Result<bool, Malformed> {
        let rest = &bytes[*at..];
        let Some(newline) = memchr(b'\n', rest) else {
            *at = bytes.len();
            return self.keep(rest).map(|()| false);
        };
        *at += newline + 1;
        if self.unfinished.is_empty() {
            return self.take_line(&rest[..=newline]);
        }
        self.unfinished.extend_from_slice(&rest[..=newline]);
        let mut line = mem::take(&mut self.unfinished);
        let done = self.take_line(&line);
        line.clear();
        self.unfinished = line;
        done
    }

    fn keep(&mut self, beginning: &[u8]) -> Result<(), Malformed> {
        self.unfinished.extend_from_slice(beginning);
        // Whatever is not HTTP may never send a line feed; it is found out by its first bytes.
        if self.state == State::StatusLine {
            let common = self.unfinished.len().min(VERSION_PREFIX.len());
            if self.unfinished[..common] != VERSION_PREFIX[..common] {
                return Err(Malformed::StatusLine);
            }
        }
        self.check_len(self.unfinished.len())
    }

    fn check_len(&self, line_len: usize) -> Result<(), Malformed> {
        if line_len > LINE_LEN_MAX {
            return Err(Malformed::LineTooLong);
        }
        if self.head_len + line_len > HEAD_LEN_MAX {
            return Err(Malformed::HeadTooLong);
        }
        Ok(())
    }

    /// `line` ends with its line feed. True when it was the last of the response.
    fn take_line(&mut self, line: &[u8]) -> Result<bool, Malformed> {
        if self.state == State::StatusLine && !line.starts_with(VERSION_PREFIX) {
            return Err(Malformed::StatusLine);
        }
        self.check_len(line.len())?;
        let text = line.strip_suffix(b"\r\n").ok_or(Malformed::BareLineFeed)?;
        if !text.iter().all(|byte| is_field_byte(*byte)) {
            return Err(Malformed::ControlCharacter);
        }
        match self.state {
            State::StatusLine => self.take_status_line(text, line.len()),
            State::Fields => self.take_field(text, line.len()),
            State::ChunkSize => self.take_chunk_size(text),
            State::ChunkEnd if text.is_empty() => self.go_on(State::ChunkSize),
            State::ChunkEnd => Err(Malformed::Chunk),
            State::Trailers if text.is_empty() => Ok(true),
            State::Trailers => {
                self.head_len += line.len();
                split_field(text).map(|_| false)
            }
            State::Body { .. } | State::BodyUntilClose | State::ChunkData { .. } => {
                unreachable!("bodies have no lines")
            }
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends the arms of a match of results")]
    fn go_on(&mut self, state: State) -> Result<bool, Malformed> {
        self.state = state;
        Ok(false)
    }

    /// `status-line = HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112, section 4)
    fn take_status_line(&mut self, text: &[u8], line_len: usize) -> Result<bool, Malformed> {
        let rest = &text[VERSION_PREFIX.len()..];
        let [minor @ (b'0' | b'1'), b' ', a, b, c, b' ', ..] = rest else {
            return Err(Malformed::StatusLine);
        };
        if ![a, b, c].into_iter().all(u8::is_ascii_digit) || *a == b'0' {
            return Err(Malformed::StatusLine);
        }
        let digit = |byte: &u8| u16::from(byte - b'0');
        self.head = Head {
            status: digit(a) * 100 + digit(b) * 10 + digit(c),
            minor_version: minor - b'0',
            ..Head::default()
        };
        self.head_len = line_len;
        self.go_on(State::Fields)
    }

    fn take_field(&mut self, text: &[u8], line_len: usize) -> Result<bool, Malformed> {
        if text.is_empty() {
            return self.begin_body();
        }
        self.head_len += line_len;
        let (name, value) = split_field(text)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            self.head.take_content_length(value)?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.head.take_transfer_encoding(value)?;
        } else if name.eq_ignore_ascii_case(b"connection") {
            self.head.take_connection(value);
        }
        Ok(false)
    }

    /// How long the body is (RFC 9112, section 6.3). True when there is none.
    fn begin_body(&mut self) -> Result<bool, Malformed> {
        let head = &self.head;
        if head.chunked && head.content_length.is_some() {
            return Err(Malformed::TwoLengths);
        }
        match head.status {
            101 => return Err(Malformed::Upgrade),
            100..=199 => {
                self.finish();
                return Ok(false);
            }
            204 | 304 => return Ok(true),
            _ => {}
        }
        self.state = match (head.chunked, head.content_length) {
            (true, _) => State::ChunkSize,
            (false, Some(0)) => return Ok(true),
            (false, Some(left)) => State::Body { left },
            (false, None) => State::BodyUntilClose,
        };
        Ok(false)
    }

    /// `chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF` (RFC 9112, section 7.1)
    fn take_chunk_size(&mut self, text: &[u8]) -> Result<bool, Malformed> {
        let size = text.split(|byte| *byte == b';').next().unwrap_or_default();
        if size.len() > CHUNK_SIZE_DIGITS_MAX || !size.iter().all(u8::is_ascii_hexdigit) {
            return Err(Malformed::Chunk);
        }
        let digits = str::from_utf8(size).map_err(|_| Malformed::Chunk)?;
        match u64::from_str_radix(digits, 16).map_err(|_| Malformed::Chunk)? {
            0 => self.go_on(State::Trailers),
            left => self.go_on(State::ChunkData { left }),
        }
    }
}

impl Head {
    fn take_content_length(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Malformed::ContentLength);
        }
        let text = str::from_utf8(value).map_err(|_| Malformed::ContentLength)?;
        let length = text.parse().map_err(|_| Malformed::ContentLength)?;
        match self.content_length.replace(length) {
            Some(earlier) if earlier != length => Err(Malformed::TwoLengths),
            _ => Ok(()),
        }
    }

    /// We asked for no compression, so `chunked` is the only coding that may come.
    fn take_transfer_encoding(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Malformed::TransferEncoding);
        }
        self.chunked = true;
        Ok(())
    }

    fn take_connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.says_close |= option.eq_ignore_ascii_case(b"close");
            self.says_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
}

/// `field-line = field-name ":" OWS field-value OWS` (RFC 9112, section 5)
fn split_field(text: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let colon = memchr(b':', text).ok_or(Malformed::Field)?;
    let (name, value) = (&text[..colon], &text[colon + 1..]);
    if name.is_empty() || !name.iter().all(|byte| IS_TOKEN[usize::from(*byte)]) {
        return Err(Malformed::Field);
    }
    Ok((name, value.trim_ascii()))
}

/// Which bytes are `tchar` (RFC 9110, section 5.6.2).
#[expect(clippy::cast_possible_truncation, reason = "the indices are those of a byte")]
const IS_TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = matches!(
            byte as u8,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'#'..=b'\'' | b'*' | b'+'
                | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        byte += 1;
    }
    table
};

/// `field-vchar`, blank or tab (RFC 9110, section 5.5)
fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Counts down `left` by what is there and returns by how much.
fn skip(left: &mut u64, bytes: &[u8]) -> usize {
    let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= taken as u64;
    taken
}

/// Why the bytes are not a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// It does not begin with `HTTP/1.0` or `HTTP/1.1` and a status.
    #[error("the status line is not HTTP/1.1")]
    StatusLine,
    /// A line ends without a carriage return.
    #[error("a line ends in a bare line feed")]
    BareLineFeed,
    /// A line of the head holds a control character.
    #[error("a line holds a control character")]
    ControlCharacter,
    /// A field without a colon, or with a name that is not a token.
    #[error("a field is not name and value")]
    Field,
    /// A length that is not a plain number.
    #[error("the content length is not a number")]
    ContentLength,
    /// Two lengths that contradict each other.
    #[error("the length of the body is given twice")]
    TwoLengths,
    /// A coding that we did not ask for.
    #[error("the transfer encoding is not chunked")]
    TransferEncoding,
    /// A chunk whose size or end is wrong.
    #[error("a chunk is not framed as one")]
    Chunk,
    /// The server changes the protocol unasked.
    #[error("the server switches protocols unasked")]
    Upgrade,
    /// A line beyond 8 KiB.
    #[error("a line is longer than 8 KiB")]
    LineTooLong,
    /// A head beyond 32 KiB.
    #[error("the head is longer than 32 KiB")]
    HeadTooLong,
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
