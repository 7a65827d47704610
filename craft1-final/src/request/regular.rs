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

#[cfg(test)]
mod tests {
    use craft1_phase1::http::cursor::{Cursor, is_token_byte};
    use craft1_phase1::http::head::read_target;
    use craft1_phase1::http::{Limits, target};

    use super::*;

    #[test]
    fn a_control_character_is_found_wherever_it_stands() {
        for len in 0..20 {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'x'; len];
                    bytes[at] = byte;
                    let expected = if byte.is_ascii_control() { at } else { len };
                    assert_eq!(plain_len(&bytes), expected, "{byte:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn the_first_of_two_is_found_whatever_stands_behind_it() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let bytes = [b'x', first, second, b'x', b'x', b'x', b'x', b'x', b'\r'];
                let expected = bytes.iter().position(u8::is_ascii_control).unwrap();
                assert_eq!(plain_len(&bytes), expected, "{first:#x} {second:#x}");
            }
        }
    }

    #[test]
    fn the_tables_hold_no_byte_that_the_rules_refuse() {
        for byte in 0..=u8::MAX {
            let index = usize::from(byte);
            assert_eq!(TOKEN_BYTES[index], is_token_byte(byte), "{byte:#x}");
            let line = [b"/", &[byte], VERSION].concat();
            let target = read_target(&mut Cursor::new(&line), b"GET", &Limits::default());
            assert!(!PATH_BYTES[index] || target.is_ok(), "{byte:#x}");
            assert!(!HOST_BYTES[index] || target::is_host(&[byte]), "{byte:#x}");
        }
    }

    #[test]
    fn a_regular_host_is_a_host() {
        for host in ["", "localhost", "127.0.0.1:8080", "a:"] {
            assert!(is_host(host.as_bytes()) && target::is_host(host.as_bytes()), "{host}");
        }
        for other in ["[::1]", "a:b", "a:1:2", "a b", "a%41"] {
            assert!(!is_host(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn an_odd_line_is_left_to_the_rules() {
        let line = request_line(b"PUT /a-b/c.d HTTP/1.1\r\nH");
        assert_eq!(line, Some(RequestLine { method: b"PUT", path: b"/a-b/c.d", len: 23 }));
        for odd in [
            "GET /a?b HTTP/1.1\r\n",
            "GET * HTTP/1.1\r\n",
            "GET a HTTP/1.1\r\n",
            "CONNECT /a HTTP/1.1\r\n",
            "GET /a HTTP/1.0\r\n",
            "GET /a HTTP/1.1\n",
            "GET  /a HTTP/1.1\r\n",
            " /a HTTP/1.1\r\n",
            "ABCDEFGHIJKLMNOPQ /a HTTP/1.1\r\n",
            "GET /a HTTP/1.1\r",
            "GET",
            "",
        ] {
            assert_eq!(request_line(odd.as_bytes()), None, "{odd:?}");
        }
        let (line, len) = field_line(b"A: b c \r\n\r\n").unwrap();
        assert_eq!((line, len), (FieldLine { name: b"A", value: b"b c" }, 7));
        for odd in
            ["A : b\r\n", "A: b\tc\r\n", ": b\r\n", "A: b\n", "A: b\r", "A: b", "A", "\r\n", ""]
        {
            assert_eq!(field_line(odd.as_bytes()), None, "{odd:?}");
        }
    }
}
