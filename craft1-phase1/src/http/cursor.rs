//! One byte after the other, or "need more".
//!
//! What always holds: a function that reads through a cursor looks at bytes from left to right and
//! refuses at the first one that cannot be. Running out of bytes is no verdict. So reading a
//! beginning gives either what the whole would give, or [`Stop::NeedMore`].

use super::refusal::Refusal;

/// Why reading stops before the end of what was to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The bytes end here, and they are well formed so far.
    NeedMore,
    /// They are not.
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A place in the bytes that have arrived.
#[derive(Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the first of them.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// How many bytes lie behind it.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The next byte, left where it is.
    pub fn peek(&self) -> Result<u8, Stop> {
        self.bytes.get(self.position).copied().ok_or(Stop::NeedMore)
    }

    /// Passes one byte, which `is_good` must hold for.
    pub fn pass(&mut self, is_good: impl Fn(u8) -> bool, otherwise: Refusal) -> Result<u8, Stop> {
        let byte = self.peek()?;
        if !is_good(byte) {
            return Err(otherwise.into());
        }
        self.position += 1;
        Ok(byte)
    }

    /// Takes every byte that `belongs`, up to the first that does not, at most `bytes_max` of them.
    pub fn take_while(
        &mut self,
        belongs: impl Fn(u8) -> bool,
        bytes_max: usize,
        too_long: Refusal,
    ) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.position..];
        let len = rest.iter().position(|byte| !belongs(*byte));
        if len.unwrap_or(rest.len()) > bytes_max {
            return Err(too_long.into());
        }
        let len = len.ok_or(Stop::NeedMore)?;
        self.position += len;
        Ok(&rest[..len])
    }

    /// Takes what is there, one byte at least and `bytes_max` at most.
    pub fn take_up_to(&mut self, bytes_max: usize) -> Result<&'a [u8], Stop> {
        self.peek()?;
        let rest = &self.bytes[self.position..];
        let piece = &rest[..rest.len().min(bytes_max)];
        self.position += piece.len();
        Ok(piece)
    }

    /// Passes CR LF. RFC 9112, section 2.2, lets a server take a bare LF; a proxy in front of it
    /// may not, and then the two see different lines.
    pub fn line_end(&mut self, otherwise: Refusal) -> Result<(), Stop> {
        self.pass(|byte| byte == b'\r', otherwise)?;
        self.pass(|byte| byte == b'\n', otherwise)?;
        Ok(())
    }
}

/// RFC 9110, section 5.6.2: a token is made of these, the printable characters of ASCII but the
/// delimiters.
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110, section 5.6.3: optional white space is blanks and tabs.
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// RFC 9110, section 5.5: what a value is made of. Bytes from 0x80 on are opaque, and every control
/// character but the tab is out, so that a value cannot end a line anywhere.
pub fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}
