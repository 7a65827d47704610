//! Where a body ends (RFC 9112, section 6).
//!
//! What always holds: a request has one length, known before its body. Two answers to this question
//! are how requests are smuggled: a proxy reads one length, the server another, and what lies
//! between the two is a request that only one of them has checked.

use super::head::{Version, trim};
use super::limits::Limits;
use super::refusal::Refusal;

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none, and nothing says so (section 6.3, item 7).
    None,
    /// It has this many bytes, at most the limit (section 6.2).
    Length(usize),
    /// It comes in chunks, and the last one says so (section 7.1).
    Chunked,
}

/// What the fields have said so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FramingFields {
    decided: Option<Framing>,
}

// ANCHOR: framing
impl FramingFields {
    /// Sections 6.2 and 6.3: a row of digits, once. A list of equal lengths may be taken as one or
    /// refused, and we refuse it. A number beyond any integer is a body beyond the limit.
    pub(super) fn content_length(&mut self, value: &[u8], limits: &Limits) -> Result<(), Refusal> {
        // ANCHOR: content_length
        match self.decided {
            Some(Framing::Chunked) => return Err(Refusal::LengthAndCoding),
            Some(_) => return Err(Refusal::ContentLengthRepeated),
            None if value.is_empty() || !value.iter().all(u8::is_ascii_digit) => {
                return Err(Refusal::ContentLength);
            }
            None => {}
        }
        let digit = |sum: usize, digit: &u8| {
            sum.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
        };
        let body_len = value.iter().fold(0, digit);
        if body_len > limits.body_bytes {
            return Err(Refusal::BodyTooLong);
        }
        self.decided = Some(Framing::Length(body_len));
        Ok(())
        // ANCHOR_END: content_length
    }

    /// Sections 6.1 and 6.3: chunked, once and last, not beside a length, not in HTTP/1.0.
    pub(super) fn transfer_encoding(
        &mut self,
        value: &[u8],
        version: Version,
    ) -> Result<(), Refusal> {
        // ANCHOR: transfer_encoding
        if let Some(Framing::Length(_)) = self.decided {
            return Err(Refusal::LengthAndCoding);
        }
        if version == Version::Http10 {
            return Err(Refusal::CodingInHttp10);
        }
        // RFC 9110, section 5.6.1: an empty element of a list counts for nothing.
        let codings = value.split(|byte| *byte == b',').map(trim);
        for coding in codings.filter(|coding| !coding.is_empty()) {
            match self.decided {
                Some(_) => return Err(Refusal::ChunkedNotLast),
                None if coding.eq_ignore_ascii_case(b"chunked") => {
                    self.decided = Some(Framing::Chunked);
                }
                None => return Err(Refusal::CodingUnknown),
            }
        }
        self.decided.map(drop).ok_or(Refusal::ChunkedNotLast)
        // ANCHOR_END: transfer_encoding
    }

    /// The verdict, once every field has been seen.
    pub(super) fn framing(self) -> Framing {
        self.decided.unwrap_or(Framing::None)
    }
}
// ANCHOR_END: framing
