//! Values that nobody asked for: checked as JSON, to the last byte, and left behind.
//!
//! What always holds: nothing recurses, so a body of opening brackets costs neither stack nor time;
//! it is refused at the first bracket that is too deep. And nothing is allocated: which containers
//! are open is a bit each in one `u128`.

use super::cursor::{Container, Cursor};
use super::error::{Checked, Syntax};
use super::{number, string};

/// Most arrays and objects around a value, the body's own object included. As many as `serde_json`
/// allows, so that all phases take the same bodies.
pub(super) const DEPTH_MAX: u32 = 127;

const _: () = assert!(DEPTH_MAX <= u128::BITS, "a level needs a bit");

/// Skips a value that stands inside of `outside` containers.
pub(super) fn value(cursor: &mut Cursor<'_>, outside: u32) -> Checked<()> {
    let mut nest = Nest { outside, depth: outside, objects: 0 };
    loop {
        if begin(cursor, &mut nest)? {
            continue;
        }
        // A value has ended, and with it perhaps what it stands in.
        loop {
            let Some(container) = nest.innermost() else { return Ok(()) };
            if !cursor.take_comma_or_end(container)? {
                key(cursor, container)?;
                break;
            }
            nest.close();
        }
    }
}

/// Skips a scalar or an empty container, or enters a container and says so.
fn begin(cursor: &mut Cursor<'_>, nest: &mut Nest) -> Checked<bool> {
    match cursor.peek_token() {
        Some(b'{') => return enter(cursor, nest, Container::Object),
        Some(b'[') => return enter(cursor, nest, Container::Array),
        Some(b'"') => {
            cursor.take_text(1);
            string::skip(cursor)?;
        }
        _ if number::begins(cursor) => number::skip(cursor)?,
        _ if cursor.take("true") || cursor.take("false") || cursor.take("null") => {}
        _ => return cursor.refuse(Syntax::Value),
    }
    Ok(false)
}

fn enter(cursor: &mut Cursor<'_>, nest: &mut Nest, container: Container) -> Checked<bool> {
    if !nest.open(container) {
        return cursor.refuse(Syntax::Depth);
    }
    cursor.take_text(1);
    if cursor.take_end(container) {
        nest.close();
        return Ok(false);
    }
    key(cursor, container)?;
    Ok(true)
}

/// In an object, a key stands before each value.
fn key(cursor: &mut Cursor<'_>, container: Container) -> Checked<()> {
    match container {
        Container::Array => Ok(()),
        Container::Object => string::skip_key(cursor),
    }
}

/// The containers that are open.
#[derive(Debug)]
struct Nest {
    /// How many of them are not ours to close.
    outside: u32,
    /// How many there are.
    depth: u32,
    /// Whether each of ours is an object: the innermost is the lowest bit.
    objects: u128,
}

impl Nest {
    /// Opens one more, or says that it would be too many.
    fn open(&mut self, container: Container) -> bool {
        if self.depth == DEPTH_MAX {
            return false;
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(container == Container::Object);
        true
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    fn innermost(&self) -> Option<Container> {
        let is_object = self.objects & 1 == 1;
        let innermost = if is_object { Container::Object } else { Container::Array };
        (self.depth > self.outside).then_some(innermost)
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Reason;
    use super::*;

    fn skip(body: &str, outside: u32) -> Result<usize, (usize, Reason)> {
        let mut cursor = Cursor::new(body.as_bytes()).unwrap();
        value(&mut cursor, outside).map_err(|refusal| (refusal.offset, refusal.reason))?;
        Ok(cursor.position())
    }

    #[test]
    fn a_value_ends_where_it_ends() {
        for body in [
            "null",
            "true",
            "false",
            "0",
            "-1.5e3",
            "\"\"",
            "\"a\\\"]}\"",
            "[]",
            "{}",
            "[ ]",
            "{ }",
            "[1]",
            "[[],{}]",
            "{\"a\":1}",
            " \t\r\n[ 1 , { \"a\" : [ null ] , \"\\u0061\" : {} } ]",
            "[[[[[[]]]],{\"a\":{\"b\":[{}]}}]]",
        ] {
            for behind in ["", " ", ",", "]", "}", "x"] {
                assert_eq!(skip(&format!("{body}{behind}"), 1), Ok(body.len()), "{body}{behind}");
            }
        }
    }

    #[test]
    fn what_is_no_json_is_refused_at_its_byte() {
        for (body, offset, rule) in [
            ("", 0, Syntax::End),
            (" ", 1, Syntax::End),
            ("x", 0, Syntax::Value),
            ("nul", 0, Syntax::Value),
            ("True", 0, Syntax::Value),
            ("+1", 0, Syntax::Value),
            ("'a'", 0, Syntax::Value),
            ("]", 0, Syntax::Value),
            ("[", 1, Syntax::End),
            ("[,", 1, Syntax::Value),
            ("[1,]", 3, Syntax::Value),
            ("[1 2]", 3, Syntax::InArray),
            ("[1}", 2, Syntax::InArray),
            ("[01]", 2, Syntax::InArray),
            ("[1e999]", 1, Syntax::Overflow),
            ("{", 1, Syntax::End),
            ("{1:1}", 1, Syntax::Key),
            ("{\"a\"}", 4, Syntax::Colon),
            ("{\"a\":}", 5, Syntax::Value),
            ("{\"a\":1]", 6, Syntax::InObject),
            ("{\"a\":1,}", 7, Syntax::Key),
            ("{\"a\":1 \"b\":2}", 7, Syntax::InObject),
            ("{\"a\":[1}", 7, Syntax::InArray),
            ("[{\"a\":1]]", 7, Syntax::InObject),
            ("[\"\\ud800\"]", 2, Syntax::Surrogate),
            ("{\"\\ud800\":1}", 2, Syntax::Surrogate),
        ] {
            assert_eq!(skip(body, 1), Err((offset, rule.into())), "{body}");
        }
    }

    #[test]
    fn there_are_127_levels_and_no_more() {
        for outside in [0, 1, 3] {
            let levels = (DEPTH_MAX - outside) as usize;
            for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
                let count = levels / open.matches(['[', '{']).count();
                let nested = |count| format!("{}1{}", open.repeat(count), close.repeat(count));
                assert!(skip(&nested(count), outside).is_ok(), "{open}");
                let (_, reason) = skip(&nested(count + 1), outside).unwrap_err();
                assert_eq!(reason, Reason::Syntax(Syntax::Depth), "{open}");
            }
        }
    }

    #[test]
    fn a_million_opening_brackets_are_refused_at_the_first_that_is_too_deep() {
        let refused = Err((126, Reason::Syntax(Syntax::Depth)));
        assert_eq!(skip(&"[".repeat(1_000_000), 1), refused);
    }

    #[test]
    fn levels_that_are_closed_do_not_count() {
        let wide = format!("[{}]", vec!["[[{\"a\":[]}]]"; 10_000].join(","));
        assert_eq!(skip(&wide, 1), Ok(wide.len()));
    }
}
