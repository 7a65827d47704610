//! A place in the body.
//!
//! What always holds: it stands between two characters of the body, or at one of its ends, and the
//! body is UTF-8. That is checked once for all of it, so a piece of it is text without another look.
//!
//! What lies ahead is a `str` that gets shorter. Taking a prefix from it looks at its length and its
//! content in one step, so there is no index that could go wrong, and none to be checked.
//!
//! A cursor is at its best in registers, where a step costs next to nothing. It can stay there only
//! as long as nobody takes its address. So the steps of the ordinary path are inlined, always, and
//! whatever else there is works on a copy ([`Cursor::aside`]).

#![expect(clippy::inline_always, reason = "a call takes the cursor out of its registers")]

use super::error::{Checked, Reason, Syntax, refuse};

/// A place in the body. A copy of it is a bookmark.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
    body_len: usize,
}

/// What can stand around other values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Array,
    Object,
}

impl<'a> Cursor<'a> {
    /// Starts before the first byte of `body`.
    pub(super) fn new(body: &'a [u8]) -> Checked<Self> {
        match str::from_utf8(body) {
            Ok(rest) => Ok(Self { rest, body_len: body.len() }),
            Err(error) => refuse(error.valid_up_to(), Syntax::Utf8),
        }
    }

    /// How many bytes are behind it.
    #[inline(always)]
    pub(super) fn position(&self) -> usize {
        self.body_len - self.rest.len()
    }

    /// The bytes ahead.
    #[inline(always)]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest.as_bytes()
    }

    /// The next byte.
    #[inline(always)]
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    /// Takes the next `len` bytes, which must be there and be whole characters.
    #[inline(always)]
    pub(super) fn take_text(&mut self, len: usize) -> &'a str {
        // ANCHOR: take_text
        let (text, rest) = self.rest.split_at(len);
        self.rest = rest;
        text
        // ANCHOR_END: take_text
    }

    /// Takes this text if it is next.
    #[inline(always)]
    pub(super) fn take(&mut self, expected: &str) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes this text if it is next but for white space.
    #[inline(always)]
    pub(super) fn take_token(&mut self, expected: &str) -> bool {
        // Most bodies have none, so it is not looked for before it is in the way.
        self.take(expected) || {
            self.skip_whitespace();
            self.take(expected)
        }
    }

    /// Takes white space (RFC 8259, section 2).
    #[inline(always)]
    pub(super) fn skip_whitespace(&mut self) {
        if let [..=b' ', ..] = self.rest() {
            // Mostly it is one space.
            self.take(" ");
            if let [..=b' ', ..] = self.rest() {
                self.rest = behind_whitespace(self.rest);
            }
        }
    }

    /// The next byte that is not white space.
    #[inline(always)]
    pub(super) fn peek_token(&mut self) -> Option<u8> {
        self.skip_whitespace();
        self.peek()
    }

    /// Takes the closing bracket if it is next.
    #[inline(always)]
    pub(super) fn take_end(&mut self, container: Container) -> bool {
        self.take_token(match container {
            Container::Array => "]",
            Container::Object => "}",
        })
    }

    /// Takes what is behind an element: a comma, or the closing bracket. Says whether it is the
    /// bracket.
    #[inline(always)]
    pub(super) fn take_comma_or_end(&mut self, container: Container) -> Checked<bool> {
        if self.take(",") {
            return Ok(false);
        }
        if self.take_end(container) {
            return Ok(true);
        }
        // Only now white space can have been in front of the comma.
        if self.take(",") {
            return Ok(false);
        }
        self.refuse(match container {
            Container::Array => Syntax::InArray,
            Container::Object => Syntax::InObject,
        })
    }

    /// Takes the colon behind a key.
    #[inline(always)]
    pub(super) fn take_colon(&mut self) -> Checked<()> {
        if self.take_token(":") { Ok(()) } else { self.refuse(Syntax::Colon) }
    }

    /// Checks that nothing but white space is left.
    pub(super) fn end(mut self) -> Checked<()> {
        match self.peek_token() {
            None => Ok(()),
            Some(_) => self.refuse(Syntax::Trailing),
        }
    }

    /// Takes a step that is too large or too rare to be inlined, on a copy.
    #[inline(always)]
    pub(super) fn aside<T>(&mut self, step: impl FnOnce(&mut Self) -> Checked<T>) -> Checked<T> {
        let mut copy = *self;
        let result = step(&mut copy);
        *self = copy;
        result
    }

    /// Refuses what is next, or, where nothing is, that nothing is.
    #[cold]
    pub(super) fn refuse<T>(self, reason: impl Into<Reason>) -> Checked<T> {
        if self.rest.is_empty() {
            return refuse(self.position(), Syntax::End);
        }
        refuse(self.position(), reason)
    }
}

#[cold]
fn behind_whitespace(text: &str) -> &str {
    text.trim_start_matches([' ', '\n', '\r', '\t'])
}
