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
    match read_plain(cursor) {
        Some(text) => Ok(Cow::Borrowed(text)),
        None => cursor.aside(read_escaped).map(Cow::Owned),
    }
}

/// Takes the rest of a string up to its closing quote, or nothing if there is something else first.
#[inline(always)]
pub(super) fn read_plain<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    let before = *cursor;
    let text = cursor.take_text(plain_len(cursor.rest()));
    if cursor.take("\"") {
        return Some(text);
    }
    *cursor = before;
    None
}

/// Reads the rest of a string into a copy.
#[cold]
pub(super) fn read_escaped(cursor: &mut Cursor<'_>) -> Checked<String> {
    let mut end = *cursor;
    skip(&mut end)?;
    // An escape is never shorter than what it stands for, so one allocation is enough.
    let mut text = String::with_capacity(end.position() - cursor.position());
    decode(cursor, |piece| text.push_str(piece))?;
    Ok(text)
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
}

/// Takes an escape, from its backslash on.
fn escape(cursor: &mut Cursor<'_>) -> Checked<char> {
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
}

/// Takes the digits of `\u`, and a second escape where the first is one half of a pair.
///
/// JSON's escapes are UTF-16 (RFC 2781): what lies beyond U+FFFF is a high surrogate with the upper
/// ten bits and a low one with the lower ten.
fn code_point(cursor: &mut Cursor<'_>, start: usize) -> Checked<char> {
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
}

fn code_unit(cursor: &mut Cursor<'_>) -> Checked<u32> {
    let mut unit = 0;
    for _ in 0..4 {
        let Some(digit) = cursor.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
            return cursor.refuse(Syntax::Hexadecimal);
        };
        unit = unit << 4 | digit;
        cursor.take_text(1);
    }
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::super::error::Reason;
    use super::*;

    /// Reads what stands behind an opening quote, and says how far that went.
    fn read_all(body: &str) -> Result<(Cow<'_, str>, usize), (usize, Reason)> {
        let mut cursor = Cursor::new(body.as_bytes()).unwrap();
        let mut skipping = cursor;
        let text = read(&mut cursor);
        let skipped = skip(&mut skipping);
        assert_eq!(text.as_ref().err(), skipped.as_ref().err(), "{body}");
        assert!(text.is_err() || cursor.position() == skipping.position(), "{body}");
        let text = text.map_err(|refusal| (refusal.offset, refusal.reason))?;
        Ok((text, cursor.position()))
    }

    #[test]
    fn text_without_escapes_is_lent() {
        for (body, expected) in [
            ("\"", ""),
            ("cpu\"", "cpu"),
            ("cpu_usage_total\" more", "cpu_usage_total"),
            ("é世😀\u{7f}\u{80}/\"", "é世😀\u{7f}\u{80}/"),
        ] {
            let (text, position) = read_all(body).unwrap();
            assert!(matches!(text, Cow::Borrowed(_)), "{body}");
            assert_eq!((&*text, position), (expected, expected.len() + 1));
        }
    }

    #[test]
    fn an_escape_forces_a_copy() {
        for (body, expected) in [
            (r#"\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r#"a\u0000\u001F\u00e9\uFFFFz""#, "a\0\u{1f}é\u{ffff}z"),
            (r#"\ud83d\ude00\uD800\uDC00\udbff\udfff""#, "😀\u{10000}\u{10ffff}"),
            (r#"eight bytes before\u0021""#, "eight bytes before!"),
        ] {
            let (text, position) = read_all(body).unwrap();
            assert!(matches!(text, Cow::Owned(_)), "{body}");
            assert_eq!((&*text, position), (expected, body.len()));
        }
    }

    #[test]
    fn what_the_grammar_does_not_have_is_refused_at_its_byte() {
        for (body, offset, rule) in [
            ("", 0, Syntax::End),
            ("cpu", 3, Syntax::End),
            ("a\nb\"", 1, Syntax::Control),
            ("a\0b\"", 1, Syntax::Control),
            ("a\\", 2, Syntax::End),
            ("a\\x41\"", 1, Syntax::Escape),
            ("a\\U0041\"", 1, Syntax::Escape),
            ("a\\é\"", 1, Syntax::Escape),
            ("\\u", 2, Syntax::End),
            ("\\u00", 4, Syntax::End),
            ("\\u00g1\"", 4, Syntax::Hexadecimal),
            ("\\u+041\"", 2, Syntax::Hexadecimal),
            ("\\u 041\"", 2, Syntax::Hexadecimal),
            ("ab\\ud800\"", 2, Syntax::Surrogate),
            ("ab\\udc00\"", 2, Syntax::Surrogate),
            ("ab\\ud800x\"", 2, Syntax::Surrogate),
            ("ab\\ud800\\n\"", 2, Syntax::Surrogate),
            ("ab\\ud800\\ud800\"", 2, Syntax::Surrogate),
            ("ab\\ud800\\u0041\"", 2, Syntax::Surrogate),
            ("ab\\ud800\\u00\"", 12, Syntax::Hexadecimal),
            ("ab\\udc00\\ud800\"", 2, Syntax::Surrogate),
        ] {
            assert_eq!(read_all(body).unwrap_err(), (offset, Reason::Syntax(rule)), "{body:?}");
        }
    }

    #[test]
    fn every_code_point_can_be_escaped() {
        for character in '\0'..=char::MAX {
            let units = character
                .encode_utf16(&mut [0; 2])
                .iter()
                .fold(String::new(), |text, unit| text + &format!("\\u{unit:04x}"));
            let body = units + "\"";
            let mut cursor = Cursor::new(body.as_bytes()).unwrap();
            assert_eq!(read(&mut cursor).unwrap(), character.encode_utf8(&mut [0; 4]) as &str);
        }
    }
}
