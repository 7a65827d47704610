//! One metric, field by field.
//!
//! What always holds: a field is read once, in whatever order they come, and what is wrong with it
//! is told with the byte where its value begins. A key is what its text says once it is unescaped,
//! so `"n\u0061me"` is `name` as well.
//!
//! Nearly always, though, `name` and `value` are spelled in one way, and every metric has them. So
//! that spelling is tried first, by comparing a few bytes at once, before anybody looks for the end
//! of a key.

#![expect(clippy::inline_always, reason = "a call takes the cursor out of its registers")]

use std::borrow::Cow;

use metrics_model::{InvalidMetric, Metric, MetricKind, Tags, Timestamp};

use super::cursor::{Container, Cursor};
use super::error::{Checked, Reason, refuse};
use super::{number, skip, string};

const NAME_EXPECTED: &str = "name: expected a string";
const VALUE_EXPECTED: &str = "value: expected a number";

/// A metric whose fields are still to come.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// What has come of it. Of no use before it [is complete](Draft::check_complete).
    pub(super) metric: Metric<'a>,
    /// Where the name's value stands. What is wrong with it is found last, by the batch.
    pub(super) name_offset: usize,
    /// Which fields have come, a bit each.
    seen: u8,
}

impl<'a> Draft<'a> {
    /// Starts without a field.
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { metric: Metric::new("", 0.0), name_offset: 0, seen: 0 }
    }

    /// Reads a metric whose opening brace was just taken, with `depth` containers around its values.
    #[inline(always)]
    pub(super) fn read(&mut self, cursor: &mut Cursor<'a>, depth: u32) -> Checked<()> {
        let start = cursor.position() - 1;
        let mut is_over = cursor.take_end(Container::Object);
        while !is_over {
            if !self.read_usual(cursor)? {
                cursor.aside(|cursor| self.read_member(cursor, depth))?;
            }
            is_over = cursor.take_comma_or_end(Container::Object)?;
        }
        self.check_complete(start)
    }

    /// Reads a name or a value that has not come yet and is spelled as usual, or says that it is
    /// something else. Nothing is taken then.
    #[inline(always)]
    pub(super) fn read_usual(&mut self, cursor: &mut Cursor<'a>) -> Checked<bool> {
        cursor.skip_whitespace();
        if !self.has(Field::Name) && cursor.take(r#""name":"#) {
            self.seen |= Field::Name.bit();
            self.read_name(cursor)?;
        } else if !self.has(Field::Value) && cursor.take(r#""value":"#) {
            self.seen |= Field::Value.bit();
            self.read_value(cursor)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Reads any member, in any spelling.
    fn read_member(&mut self, cursor: &mut Cursor<'a>, depth: u32) -> Checked<()> {
        let start = cursor.position();
        match Key::read(cursor)? {
            Key::Of(field) if self.has(field) => refuse(start, Reason::Repeated(field.name())),
            Key::Of(field) => self.read_field(field, cursor),
            // `metrics` inside of a metric is a key like any other that nobody asks for.
            Key::List | Key::Unknown => skip::value(cursor, depth),
        }
    }

    /// Whether a field has come, good or bad.
    #[inline(always)]
    pub(super) fn has(&self, field: Field) -> bool {
        self.seen & field.bit() != 0
    }

    /// Reads the value of a field.
    pub(super) fn read_field(&mut self, field: Field, cursor: &mut Cursor<'a>) -> Checked<()> {
        self.seen |= field.bit();
        cursor.skip_whitespace();
        match field {
            Field::Name => self.read_name(cursor)?,
            Field::Value => self.read_value(cursor)?,
            Field::Timestamp => self.metric.timestamp = Some(timestamp(cursor)?),
            Field::Kind => self.metric.kind = kind(cursor)?,
            Field::Tags => self.metric.tags = tags(cursor)?,
        }
        Ok(())
    }

    #[inline(always)]
    fn read_name(&mut self, cursor: &mut Cursor<'a>) -> Checked<()> {
        if !cursor.take_token("\"") {
            return cursor.refuse(Reason::Shape(NAME_EXPECTED));
        }
        self.name_offset = cursor.position() - 1;
        self.metric.name = match string::read_plain(cursor) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(cursor.aside(string::read_escaped)?),
        };
        Ok(())
    }

    #[inline(always)]
    fn read_value(&mut self, cursor: &mut Cursor<'a>) -> Checked<()> {
        if !number::begins(cursor) {
            cursor.skip_whitespace();
            if !number::begins(cursor) {
                return cursor.refuse(Reason::Shape(VALUE_EXPECTED));
            }
        }
        self.metric.value = number::read(cursor)?;
        Ok(())
    }

    /// Checks that nothing is missing. `start` is where the metric's object begins.
    #[inline(always)]
    pub(super) fn check_complete(&self, start: usize) -> Checked<()> {
        if self.has(Field::Name) && self.has(Field::Value) {
            return Ok(());
        }
        let missing = if self.has(Field::Name) { VALUE_EXPECTED } else { NAME_EXPECTED };
        refuse(start, Reason::Shape(missing))
    }
}

/// A field of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    Value,
    Timestamp,
    Kind,
    Tags,
}

impl Field {
    /// Its name on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Value => "value",
            Self::Timestamp => "timestamp",
            Self::Kind => "type",
            Self::Tags => "tags",
        }
    }

    /// Its place in a set of fields.
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Of(Field),
    /// `metrics`, which only the body's own object knows.
    List,
    /// Something that nobody asks for.
    Unknown,
}

impl Key {
    /// Reads a key and the colon behind it.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Checked<Self> {
        if cursor.take(r#""tags":"#) {
            return Ok(Self::Of(Field::Tags));
        }
        if cursor.take(r#""type":"#) {
            return Ok(Self::Of(Field::Kind));
        }
        let key = string::read_key(cursor)?;
        Ok(match &*key {
            "name" => Self::Of(Field::Name),
            "value" => Self::Of(Field::Value),
            "timestamp" => Self::Of(Field::Timestamp),
            "type" => Self::Of(Field::Kind),
            "tags" => Self::Of(Field::Tags),
            "metrics" => Self::List,
            _ => Self::Unknown,
        })
    }
}

#[inline(always)]
fn text<'a>(cursor: &mut Cursor<'a>, expected: &'static str) -> Checked<Cow<'a, str>> {
    if cursor.take_token("\"") {
        string::read(cursor)
    } else {
        cursor.refuse(Reason::Shape(expected))
    }
}

fn timestamp(cursor: &mut Cursor<'_>) -> Checked<Timestamp> {
    const EXPECTED: &str = "timestamp: expected Unix milliseconds or RFC 3339 text";
    let start = cursor.position();
    let timestamp = if number::begins(cursor) {
        match number::read_whole(cursor)? {
            Some(unix_ms) => Timestamp::from_unix_ms(unix_ms),
            None => return refuse(start, Reason::Shape(EXPECTED)),
        }
    } else {
        Timestamp::parse_rfc3339(&text(cursor, EXPECTED)?)
    };
    timestamp.or_else(|reason| refuse(start, InvalidMetric::from(reason)))
}

fn kind(cursor: &mut Cursor<'_>) -> Checked<MetricKind> {
    let start = cursor.position();
    let name = text(cursor, "type: expected a string")?;
    MetricKind::from_wire_name(&name).or_else(|reason| refuse(start, InvalidMetric::from(reason)))
}

fn tags<'a>(outer: &mut Cursor<'a>) -> Checked<Tags<'a>> {
    // A copy of our own stays in registers.
    let mut cursor = *outer;
    if !cursor.take("{") {
        return cursor.refuse(Reason::Shape("tags: expected an object"));
    }
    let mut tags = Tags::new();
    let mut is_over = cursor.take_end(Container::Object);
    while !is_over {
        string::open_key(&mut cursor)?;
        let start = cursor.position() - 1;
        let key = string::read(&mut cursor)?;
        cursor.take_colon()?;
        let value = text(&mut cursor, "tags: expected strings")?;
        // A repeated key is found here as well.
        tags.push(key, value).or_else(|reason| refuse(start, InvalidMetric::from(reason)))?;
        is_over = cursor.take_comma_or_end(Container::Object)?;
    }
    *outer = cursor;
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 5] =
        [Field::Name, Field::Value, Field::Timestamp, Field::Kind, Field::Tags];

    fn read(body: &str) -> Key {
        let mut cursor = Cursor::new(body.as_bytes()).unwrap();
        let key = Key::read(&mut cursor).unwrap();
        assert_eq!(cursor.rest(), b" 1", "{body}");
        key
    }

    #[test]
    fn a_key_is_known_in_every_spelling() {
        let fields = FIELDS.map(|field| (field.name(), Key::Of(field)));
        for (name, key) in fields.into_iter().chain([("metrics", Key::List)]) {
            assert_eq!(read(&format!("\"{name}\": 1")), key);
            assert_eq!(read(&format!("\n \"{name}\"\t: 1")), key);
            let escaped = name.replace('e', "\\u0065").replace('a', "\\u0061");
            assert_eq!(read(&format!("\"{escaped}\": 1")), key);
        }
    }

    #[test]
    fn a_key_that_is_nearly_one_is_none() {
        for key in ["", "nam", "names", "Name", "name ", " name", "values", "ty", "types", "metric"]
        {
            assert_eq!(read(&format!("\"{key}\": 1")), Key::Unknown, "{key}");
        }
    }

    #[test]
    fn every_field_has_a_bit_of_its_own() {
        let all = FIELDS.iter().fold(0, |set, field| set | field.bit());
        assert_eq!(all.count_ones() as usize, FIELDS.len());
    }
}
