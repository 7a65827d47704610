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
#[path = "skip_tests.rs"]
mod tests;
