//! Text in every spelling, and what is none.

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
        (r#"eight bytes before\u0021""#, "eight bytes before!"),
    ] {
        let (text, position) = read_all(body).unwrap();
        assert!(matches!(text, Cow::Owned(_)), "{body}");
        assert_eq!((&*text, position), (expected, body.len()));
    }
}

#[test]
fn two_escapes_can_be_one_character() {
    for (body, expected) in [
        (r#"\ud83d\ude00""#, "😀"),
        (r#"\uD800\uDC00 \udbff\udfff""#, "\u{10000} \u{10ffff}"),
        (r#"\ud7ff\ue000""#, "\u{d7ff}\u{e000}"),
    ] {
        assert_eq!(read_all(body).unwrap(), (expected.into(), body.len()));
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
        ("a\\'\"", 1, Syntax::Escape),
        ("a\\é\"", 1, Syntax::Escape),
        ("\\u", 2, Syntax::End),
        ("\\u00", 4, Syntax::End),
        ("\\u00g1\"", 4, Syntax::Hexadecimal),
        ("\\u+041\"", 2, Syntax::Hexadecimal),
        ("\\u 041\"", 2, Syntax::Hexadecimal),
    ] {
        assert_eq!(read_all(body).unwrap_err(), (offset, rule.into()), "{body:?}");
    }
}

#[test]
fn half_a_pair_is_refused_where_it_begins() {
    for (body, offset, rule) in [
        ("ab\\ud800\"", 2, Syntax::Surrogate),
        ("ab\\udc00\"", 2, Syntax::Surrogate),
        ("ab\\ud800x\"", 2, Syntax::Surrogate),
        ("ab\\ud800\\n\"", 2, Syntax::Surrogate),
        ("ab\\ud800\\ud800\"", 2, Syntax::Surrogate),
        ("ab\\ud800\\u0041\"", 2, Syntax::Surrogate),
        ("ab\\ud800\\u00\"", 12, Syntax::Hexadecimal),
        ("ab\\udc00\\ud800\"", 2, Syntax::Surrogate),
        ("ab\\udc00\\udc00\"", 2, Syntax::Surrogate),
        ("ab\\udc00\\u00\"", 2, Syntax::Surrogate),
    ] {
        assert_eq!(read_all(body).unwrap_err(), (offset, rule.into()), "{body:?}");
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
