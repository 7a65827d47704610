//! The head of the last request, which is likely to come again: a client says the same of itself each
//! time, and only the length of the body changes.
//!
//! What always holds: what is recognised need not be read. A head means what its bytes mean under the
//! same limits, so the same bytes mean the same. The digits of Content-Length may be others. Then only
//! the length of the body differs, as long as it is within its limit, and so do the places of what
//! lies behind the digits.

use craft1_phase1::http::{Framing, Limits};

/// A longer head is not remembered, so that a connection that waits holds little memory.
const HEAD_BYTES_MAX: usize = 1024;

/// Most digits of a length that is recognised. No register is too small for them, and a body that
/// needs more is not one of metrics.
const DIGITS_MAX: usize = 9;

/// A place among bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Of its first byte.
    pub start: usize,
    /// Behind its last byte.
    pub end: usize,
}

impl Span {
    /// Where `part` lies in `whole`.
    pub fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = part.as_ptr().addr() - whole.as_ptr().addr();
        Self { start, end: start + part.len() }
    }

    /// An empty one.
    pub fn of_nothing_at(position: usize) -> Self {
        Self { start: position, end: position }
    }

    /// The same one, told from `distance` bytes further to the left.
    #[must_use]
    pub fn behind(self, distance: usize) -> Self {
        Self { start: self.start + distance, end: self.end + distance }
    }

    /// How many bytes lie in it.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// What lies there.
    pub fn lend(self, whole: &[u8]) -> &[u8] {
        &whole[self.start..self.end]
    }
}

/// The bytes of a head, and what they said about the body. The rest of their meaning lies with the
/// reader, which keeps it as long as they are remembered.
#[derive(Debug, Default)]
pub struct Familiar {
    bytes: Vec<u8>,
    memory: Option<Memory>,
}

#[derive(Debug, Clone, Copy)]
struct Memory {
    limits: Limits,
    framing: Framing,
    /// The digits of Content-Length; nothing, behind the last byte, where there is none.
    digits: Span,
}

/// A head that was not read, because it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    /// Where the body ends.
    pub framing: Framing,
    /// The length of the head, in bytes.
    pub len: usize,
    /// Which bytes became how many, where it is not the same number.
    pub resized: Option<(Span, usize)>,
}

impl Familiar {
    /// Another head is being read.
    pub fn forget(&mut self) {
        self.memory = None;
    }

    /// Remembers a head that was read under these limits.
    pub fn remember(
        &mut self,
        bytes: &[u8],
        framing: Framing,
        digits: Option<Span>,
        limits: &Limits,
    ) {
        // With more digits it must still be within the limits, whichever line they count for.
        let bytes_max = HEAD_BYTES_MAX.min(limits.line_bytes).min(limits.head_bytes);
        if bytes.len() + DIGITS_MAX <= bytes_max {
            self.bytes.clear();
            self.bytes.extend_from_slice(bytes);
            let digits = digits.unwrap_or(Span::of_nothing_at(bytes.len()));
            self.memory = Some(Memory { limits: *limits, framing, digits });
        }
    }

    /// Whether `unread` begins with the head that is remembered, which from now on has the digits
    /// that stand there.
    pub fn recognise(&mut self, unread: &[u8], limits: &Limits) -> Option<Recognised> {
        let Memory { limits: known_limits, framing, digits } = self.memory.as_mut()?;
        let (before, behind) = (&self.bytes[..digits.start], &self.bytes[digits.end..]);
        let rest = unread.strip_prefix(before)?;
        if limits != known_limits {
            return None;
        }
        if digits.len() == 0 {
            let (framing, len) = (*framing, before.len());
            return Some(Recognised { framing, len, resized: None });
        }
        let (body_len, digits_len) = leading_number(rest)?;
        if body_len > limits.body_bytes || !rest[digits_len..].starts_with(behind) {
            return None;
        }
        let (framing, len) = (Framing::Length(body_len), before.len() + digits_len + behind.len());
        let mut resized = None;
        if digits_len != digits.len() {
            resized = Some((*digits, digits_len));
            self.bytes.clear();
            self.bytes.extend_from_slice(&unread[..len]);
            digits.end = digits.start + digits_len;
        }
        Some(Recognised { framing, len, resized })
    }
}

/// The number that `bytes` begin with, and how many digits it has: at least one, and at most
/// [`DIGITS_MAX`], though more may follow.
fn leading_number(bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut number, mut len) = (0, 0);
    for byte in bytes.iter().take(DIGITS_MAX) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number * 10 + usize::from(digit);
        len += 1;
    }
    (len > 0).then_some((number, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"POST / HTTP/1.1\r\nContent-Length: 12\r\nA: b\r\n\r\n";
    const DIGITS: Span = Span { start: 33, end: 35 };

    fn familiar(limits: &Limits) -> Familiar {
        let mut familiar = Familiar::default();
        familiar.remember(HEAD, Framing::Length(12), Some(DIGITS), limits);
        familiar
    }

    fn with_length(length: &str) -> Vec<u8> {
        let head = str::from_utf8(HEAD).unwrap();
        head.replace("12", length).into_bytes()
    }

    #[test]
    fn only_the_digits_may_be_others() {
        let limits = Limits::default();
        for (length, body_len) in [("12", 12), ("99", 99), ("1", 1), ("000000007", 7), ("8", 8)] {
            let bytes = with_length(length);
            let recognised = familiar(&limits).recognise(&bytes, &limits).unwrap();
            let resized = (length.len() != 2).then_some((DIGITS, length.len()));
            let (framing, len) = (Framing::Length(body_len), bytes.len());
            assert_eq!(recognised, Recognised { framing, len, resized }, "{length}");
        }
        for other in
            ["", "x", "-1", "1x", " 12", "12 ", "0000000007", "1048577", "99999999999999999999"]
        {
            let bytes = with_length(other);
            assert_eq!(familiar(&limits).recognise(&bytes, &limits), None, "{other:?}");
        }
        for at in (0..HEAD.len()).filter(|at| !(DIGITS.start..DIGITS.end).contains(at)) {
            let mut bytes = HEAD.to_vec();
            bytes[at] ^= 0x20;
            assert_eq!(familiar(&limits).recognise(&bytes, &limits), None, "another byte at {at}");
            assert_eq!(familiar(&limits).recognise(&HEAD[..at], &limits), None, "{at} bytes of it");
        }
    }

    #[test]
    fn new_digits_take_the_place_of_the_old_ones() {
        let (limits, mut known) = (Limits::default(), familiar(&Limits::default()));
        for length in ["12", "345", "6", "6", "78", "12"] {
            let recognised = known.recognise(&with_length(length), &limits).unwrap();
            assert_eq!(recognised.framing, Framing::Length(length.parse().unwrap()));
        }
    }

    #[test]
    fn a_head_near_a_limit_is_not_remembered() {
        let just_right = HEAD.len() + DIGITS_MAX;
        for (bytes_max, is_known) in [(just_right, true), (just_right - 1, false)] {
            for limits in [
                Limits { line_bytes: bytes_max, ..Limits::default() },
                Limits { head_bytes: bytes_max, ..Limits::default() },
            ] {
                let recognised = familiar(&limits).recognise(HEAD, &limits);
                assert_eq!(recognised.is_some(), is_known, "{limits:?}");
            }
        }
        let limits = Limits::default();
        let mut known = Familiar::default();
        let long = [&HEAD[..HEAD.len() - 2], &[b'a'; HEAD_BYTES_MAX]].concat();
        known.remember(&long, Framing::Length(12), Some(DIGITS), &limits);
        assert_eq!(known.recognise(&long, &limits), None);
    }

    #[test]
    fn what_is_forgotten_is_not_known() {
        let (limits, mut known) = (Limits::default(), familiar(&Limits::default()));
        known.forget();
        assert_eq!(known.recognise(HEAD, &limits), None);
    }
}
