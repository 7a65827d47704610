//! Strings (RFC 8259, section 7).
//!
//! What always holds: a string without an escape is lent from the body; one with an escape is
//! copied once, decoded. Either way every byte of it is checked: no raw control character, no
//! unknown escape, no half of a surrogate pair.

#![expect(clippy::inline_always, reason = "a call takes the cursor out of its registers")]

use std::borrow::Cow;

use super::cursor::Cursor;
use super::error::{Checked, Syntax, refuse};
use crate::word::plain_len;

/// Reads a string whose opening quote was just taken.
#[inline(always)]
pub(super) fn read<'a>(cursor: &mut Cursor<'a>) -> Checked<Cow<'a, str>> {
    // ANCHOR: read
    match read_plain(cursor) {
        Some(text) => Ok(Cow::Borrowed(text)),
        None => cursor.aside(read_escaped).map(Cow::Owned),
    }
    // ANCHOR_END: read
}

/// Takes the rest of a string up to its closing quote, or nothing if there is something else first.
#[inline(always)]
pub(super) fn read_plain<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    // ANCHOR: read_plain
    let before = *cursor;
    let text = cursor.take_text(plain_len(cursor.rest()));
    if cursor.take("\"") {
        return Some(text);
    }
    *cursor = before;
    None
    // ANCHOR_END: read_plain
}

/// Reads the rest of a string into a copy.
#[cold]
pub(super) fn read_escaped(cursor: &mut Cursor<'_>) -> Checked<String> {
    // ANCHOR: read_escaped
    let mut end = *cursor;
    skip(&mut end)?;
    // An escape is never shorter than what it stands for, so one allocation is enough.
    let mut text = String::with_capacity(end.position() - cursor.position());
    decode(cursor, |piece| text.push_str(piece))?;
    Ok(text)
    // ANCHOR_END: read_escaped
}

/// Reads a key and the colon behind it.
#[inline(always)]
pub(super) fn read_key<'a>(cursor: &mut Cursor<'a>) -> Checked<Cow<'a, str>> {
    open_key(cursor)?;
    let key = read(cursor)?;
    cursor.take_colon()?;
    Ok(key)
}

/// Reads a key and the colon behind it, and forgets it.
pub(super) fn skip_key(cursor: &mut Cursor<'_>) -> Checked<()> {
    open_key(cursor)?;
    skip(cursor)?;
    cursor.take_colon()
}

/// Reads a string whose opening quote was just taken, and forgets it.
pub(super) fn skip(cursor: &mut Cursor<'_>) -> Checked<()> {
    decode(cursor, |_| ())
}

/// Takes the opening quote of a key.
#[inline(always)]
pub(super) fn open_key(cursor: &mut Cursor<'_>) -> Checked<()> {
    if cursor.take_token("\"") { Ok(()) } else { cursor.refuse(Syntax::Key) }
}

/// Gives the string to `sink`, piece by piece, up to its closing quote.
fn decode(cursor: &mut Cursor<'_>, mut sink: impl FnMut(&str)) -> Checked<()> {
    // ANCHOR: decode
    loop {
        sink(cursor.take_text(plain_len(cursor.rest())));
        match cursor.peek() {
            Some(b'"') => {
                cursor.take_text(1);
                return Ok(());
            }
            Some(b'\\') => sink(escape(cursor)?.encode_utf8(&mut [0; 4])),
            _ => return cursor.refuse(Syntax::Control),
        }
    }
    // ANCHOR_END: decode
}

/// Takes an escape, from its backslash on.
fn escape(cursor: &mut Cursor<'_>) -> Checked<char> {
    // ANCHOR: escape
    let start = cursor.position();
    cursor.take_text(1);
    let character = match cursor.peek() {
        Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            cursor.take_text(1);
            return code_point(cursor, start);
        }
        Some(_) => return refuse(start, Syntax::Escape),
        None => return cursor.refuse(Syntax::Escape),
    };
    cursor.take_text(1);
    Ok(character)
    // ANCHOR_END: escape
}

/// Takes the digits of `\u`, and a second escape where the first is one half of a pair.
///
/// JSON's escapes are UTF-16 (RFC 2781): what lies beyond U+FFFF is a high surrogate with the upper
/// ten bits and a low one with the lower ten.
fn code_point(cursor: &mut Cursor<'_>, start: usize) -> Checked<char> {
    // ANCHOR: code_point
    let first = code_unit(cursor)?;
    let scalar = match first {
        0xD800..0xDC00 if cursor.take("\\u") => match code_unit(cursor)? {
            second @ 0xDC00..0xE000 => 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00),
            _ => return refuse(start, Syntax::Surrogate),
        },
        _ => first,
    };
    // The only scalars that are no characters are surrogates on their own.
    char::from_u32(scalar).map_or_else(|| refuse(start, Syntax::Surrogate), Ok)
    // ANCHOR_END: code_point
}

/// Takes four digits: a unit of UTF-16.
fn code_unit(cursor: &mut Cursor<'_>) -> Checked<u32> {
    // ANCHOR: code_unit
    let mut unit = 0;
    for _ in 0..4 {
        let Some(digit) = cursor.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
            return cursor.refuse(Syntax::Hexadecimal);
        };
        unit = unit << 4 | digit;
        cursor.take_text(1);
    }
    Ok(unit)
    // ANCHOR_END: code_unit
}

#[cfg(test)]
#[path = "string_tests.rs"]
mod tests;
