//! Lines as nearly everybody writes them, read with few looks: tables for short words, eight bytes at
//! a time for values.
//!
//! What always holds: a line that is read here would be read by the rules of `craft1_phase1::http` as
//! the same parts. A line that is not, because it is odd, broken or not all there, is `None`, and the
//! rules decide. So nothing is refused here, and no rule stands twice.
//!
//! That a byte below a bound betrays itself by a borrow, for eight bytes at once, is Alan Mycroft's
//! discovery (1987); Sean Anderson collected the family in "Bit Twiddling Hacks".

use craft1_phase1::http::head::trim;
use craft1_phase1::http::limits::METHOD_BYTES_MAX;

use super::name::Name;

const LINE_END: &[u8] = b"\r\n";

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

/// A field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldLine<'a> {
    pub(super) name: Name,
    /// Without the white space around it.
    pub(super) value: &'a [u8],
    /// Its length with its end.
    pub(super) len: usize,
}

/// Reads the field line that `bytes` begins with.
pub(super) fn field_line(bytes: &[u8]) -> Option<FieldLine<'_>> {
    let (name, rest) = bytes.split_at(len_before(bytes, colons_and_controls));
    let [b':', rest @ ..] = rest else { return None };
    let (value, rest) = rest.split_at(len_before(rest, controls));
    let known = Name::of(name);
    // A known name is a token, whoever spells it.
    let is_token =
        known != Name::Other || !name.is_empty() && word_len(name, &TOKEN_BYTES).is_none();
    let len = name.len() + 1 + value.len() + LINE_END.len();
    let is_regular = is_token && rest.starts_with(LINE_END);
    is_regular.then(|| FieldLine { name: known, value: trim(value), len })
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

/// The highest bit of each byte.
const HIGH_BITS: u64 = splat(0x80);

/// How many bytes stand before the first one that `marks` marks: all of them where there is none.
#[inline]
fn len_before(bytes: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
    let mut before = 0;
    for word in words {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            // Little endian: the first byte is the lowest.
            return before + marks.trailing_zeros() as usize / WORD_BYTES;
        }
        before += WORD_BYTES;
    }
    before + rest.iter().position(|byte| marks(splat(*byte)) != 0).unwrap_or(rest.len())
}

/// Marks control characters by their highest bit. The lowest mark is right; those above it may not
/// be, because a subtraction borrows from the byte above.
const fn controls(word: u64) -> u64 {
    let below_blank = word.wrapping_sub(splat(b' ')) & !word;
    (below_blank | zeros(word ^ splat(0x7f))) & HIGH_BITS
}

/// Marks colons as well.
const fn colons_and_controls(word: u64) -> u64 {
    controls(word) | zeros(word ^ splat(b':')) & HIGH_BITS
}

/// Marks zero bytes, and others by the lower bits.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(splat(1)) & !word
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

    /// What each kind of marks is for.
    type Kind = (fn(u64) -> u64, fn(&u8) -> bool);

    const KINDS: [Kind; 2] = [
        (controls, u8::is_ascii_control),
        (colons_and_controls, |byte| *byte == b':' || byte.is_ascii_control()),
    ];

    #[test]
    fn every_byte_is_judged_alone_wherever_it_stands() {
        for (marks, is_wanted) in KINDS {
            for len in 0..20 {
                for at in 0..len {
                    for byte in 0..=u8::MAX {
                        let mut bytes = vec![b'x'; len];
                        bytes[at] = byte;
                        let expected = if is_wanted(&byte) { at } else { len };
                        assert_eq!(len_before(&bytes, marks), expected, "{byte:#x} at {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_first_of_two_is_found_whatever_stands_behind_it() {
        for (marks, is_wanted) in KINDS {
            for first in 0..=u8::MAX {
                for second in 0..=u8::MAX {
                    let bytes = [b'x', first, second, b'x', b'x', b'x', b'x', b'x', b'\r'];
                    let expected = bytes.iter().position(is_wanted).unwrap();
                    assert_eq!(len_before(&bytes, marks), expected, "{first:#x} {second:#x}");
                }
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
        let line = field_line(b"A: b:c \r\n\r\n");
        assert_eq!(line, Some(FieldLine { name: Name::Other, value: b"b:c", len: 9 }));
        let line = field_line(b"hOST:\r\n");
        assert_eq!(line, Some(FieldLine { name: Name::Host, value: b"", len: 7 }));
        for odd in
            ["A : b\r\n", "A: b\tc\r\n", ": b\r\n", "A: b\n", "A: b\r", "A: b", "A", "\r\n", ""]
        {
            assert_eq!(field_line(odd.as_bytes()), None, "{odd:?}");
        }
    }
}
