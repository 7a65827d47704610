//! The head of the last request, which is likely to come again: a client says the same of itself each
//! time, and only the length of the body changes.
//!
//! What always holds: what is recognised need not be read. A head means what its bytes mean under the
//! same limits, so the same bytes mean the same. The digits of Content-Length may be others. Then only
//! the length of the body differs, as long as it is within its limit, and so do the places of what
//! lies behind the digits.

use craft1_phase1::http::{Framing, Limits};

use super::head::Span;

/// A longer head is not remembered, so that a connection that waits holds little memory.
const HEAD_BYTES_MAX: usize = 1024;

/// Most digits of a length that is recognised. No register is too small for them, and a body that
/// needs more is not one of metrics.
const DIGITS_MAX: usize = 9;

/// The bytes of a head, and what they said about the body. The rest of their meaning lies with the
/// reader, which keeps it as long as they are remembered.
#[derive(Debug, Default)]
pub(super) struct Familiar {
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
pub(super) struct Recognised {
    /// Where the body ends.
    pub(super) framing: Framing,
    /// The length of the head, in bytes.
    pub(super) len: usize,
    /// Which bytes became how many, where it is not the same number.
    pub(super) resized: Option<(Span, usize)>,
}

impl Familiar {
    /// Another head is being read.
    pub(super) fn forget(&mut self) {
        self.memory = None;
    }

    /// Remembers a head that was read under these limits.
    pub(super) fn remember(
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
    pub(super) fn recognise(&mut self, unread: &[u8], limits: &Limits) -> Option<Recognised> {
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
    let is_digit = |byte: &&u8| byte.is_ascii_digit();
    let digits_len = bytes.iter().take(DIGITS_MAX).take_while(is_digit).count();
    let digits = &bytes[..digits_len];
    let number = digits.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    (digits_len > 0).then_some((number, digits_len))
}
