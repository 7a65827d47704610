//! Lines as nearly everybody writes them, read with few looks: tables for short words, eight bytes at
//! a time for values.
//!
//! What always holds: a line that is read here would be read by the rules of `craft1_phase1::http` as
//! the same parts. A line that is not, because it is odd, broken or not all there, is `None`, and the
//! rules decide. So nothing is refused here, and no rule stands twice.
//!
//! That a byte below a bound betrays itself by a borrow, for eight bytes at once, is Alan Mycroft's
//! discovery (1987); Sean Anderson collected the family in "Bit Twiddling Hacks".

use craft1_phase1::http::head::{FieldLine, trim};
use craft1_phase1::http::limits::METHOD_BYTES_MAX;

/// How the usual request line ends.
const VERSION: &[u8] = b" HTTP/1.1\r\n";

/// For every byte, whether it belongs.
type Table = [bool; 256];

/// RFC 9110, section 5.6.2.
const TOKEN_BYTES: Table = table_of(b"!#$%&'*+-.^_`|~");

/// What a path is made of that needs no second look.
const PATH_BYTES: Table = table_of(b"/-._~");

/// What most hosts are made of.
const HOST_BYTES: Table = table_of(b"-.");

/// Letters, digits and `others`.
const fn table_of(others: &[u8]) -> Table {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < u8::MAX {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut index = 0;
    while index < others.len() {
        table[others[index] as usize] = true;
        index += 1;
    }
    table
}

/// A request line of HTTP/1.1 with a plain path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a [u8],
    pub(super) path: &'a [u8],
    /// Its length with its end.
    pub(super) len: usize,
}

/// Reads the request line that `bytes` begins with.
pub(super) fn request_line(bytes: &[u8]) -> Option<RequestLine<'_>> {
    let (method, rest) = bytes.split_at(word_len(bytes, &TOKEN_BYTES)?);
    let [b' ', rest @ ..] = rest else { return None };
    let (path, rest) = rest.split_at(word_len(rest, &PATH_BYTES)?);
    // CONNECT wants something else than a path.
    let is_regular = (1..=METHOD_BYTES_MAX).contains(&method.len())
        && method != b"CONNECT"
        && path.first() == Some(&b'/')
        && rest.starts_with(VERSION);
    let len = method.len() + 1 + path.len() + VERSION.len();
    is_regular.then_some(RequestLine { method, path, len })
}

/// Reads the field line that `bytes` begins with, and its length without its end.
pub(super) fn field_line(bytes: &[u8]) -> Option<(FieldLine<'_>, usize)> {
    let (name, rest) = bytes.split_at(word_len(bytes, &TOKEN_BYTES)?);
    let [b':', rest @ ..] = rest else { return None };
    let (value, rest) = rest.split_at(plain_len(rest));
    if name.is_empty() || !rest.starts_with(b"\r\n") {
        return None;
    }
    let len = name.len() + 1 + value.len();
    Some((FieldLine { name, value: trim(value) }, len))
}

/// Whether it is a name or an address of IPv4, with or without a port.
pub(super) fn is_host(text: &[u8]) -> bool {
    let name_len = text.iter().take_while(|byte| HOST_BYTES[usize::from(**byte)]).count();
    match &text[name_len..] {
        [] => true,
        [b':', port @ ..] => port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// How many bytes of the table stand before the first other one, if there is one.
fn word_len(bytes: &[u8], table: &Table) -> Option<usize> {
    bytes.iter().position(|byte| !table[usize::from(*byte)])
}

/// How many bytes a word has.
const WORD_BYTES: usize = 8;

/// How many bytes stand before the first control character, the tab included: all of them where
/// there is none.
fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
    let mut before = 0;
    for word in words {
        let controls = controls(u64::from_le_bytes(*word));
        if controls != 0 {
            // Little endian: the first byte is the lowest.
            return before + controls.trailing_zeros() as usize / WORD_BYTES;
        }
        before += WORD_BYTES;
    }
    before + rest.iter().position(u8::is_ascii_control).unwrap_or(rest.len())
}

/// Marks control characters by their highest bit. The lowest mark is right; those above it may not
/// be, because a subtraction borrows from the byte above.
const fn controls(word: u64) -> u64 {
    let deletes = word ^ splat(0x7f);
    let (below_blank, zero) = (word.wrapping_sub(splat(b' ')), deletes.wrapping_sub(splat(1)));
    (below_blank & !word | zero & !deletes) & splat(0x80)
}

/// The same byte, eight times.
const fn splat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD_BYTES])
}
