//! A body of JSON to a batch of metrics: one pass over the bytes, straight to the values.
//!
//! What always holds: a body is taken whole or refused whole, and a refusal names the byte, the item
//! and the field. Every byte is checked, also in fields that nobody asked for. Nothing recurses, and
//! nothing is allocated for a metric beyond its tags, except where an escape forces a copy.
//!
//! A general parser must be ready for any document and hand over each piece of it. Here the shape is
//! known, and the code has the same shape: [`parse`] reads the body, `list` its items, `Draft` the
//! fields of one. Four ideas make it quick, and none of them checks less:
//!
//! 1. UTF-8 is checked once, for the whole body, and pieces of it are lent (`cursor.rs`).
//! 2. The ends of strings are looked for in eight bytes at a time (`word.rs`).
//! 3. The usual spelling of a key is recognised with its colon, before it is read (`metric.rs`).
//! 4. Short decimals become doubles by one division, exactly (`number.rs`).
//!
//! The verdicts are those of phase 1's file of this name, and so are the messages about fields. Every
//! one of them has a byte now, because who reads in place knows where.

#![expect(clippy::inline_always, reason = "a call takes the cursor out of its registers")]

mod cursor;
mod error;
mod metric;
mod number;
mod skip;
mod string;

use std::collections::BTreeSet;
use std::ops::Range;

use craft1_phase1::service::BadBody;
use metrics_model::{Batch, BatchBuilder, InvalidBatch, InvalidMetric, InvalidTags};

use cursor::{Container, Cursor};
use error::{Checked, Reason, Refusal, refuse};
use metric::{Draft, Field, Key};

/// How many containers stand around the values of the body's own object: itself.
const BODY_DEPTH: u32 = 1;

/// And around those of an item: the body, the list, and the item.
const ITEM_DEPTH: u32 = 3;

/// Whoever means the one could lose the other.
const METRIC_AND_BATCH: Reason = Reason::Shape("a metric and a batch in the same body");

/// Reads the body of `POST /metrics`. What has no escape is lent from it.
///
/// ```
/// let batch = craft1_phase3::json::parse(br#"{"name":"cpu_usage","value":85.5}"#)?;
/// assert_eq!(batch.as_slice()[0].name, "cpu_usage");
///
/// let refused = craft1_phase3::json::parse(br#"{"name":"cpu_usage","value":"85.5"}"#).unwrap_err();
/// assert_eq!(refused.to_string(), "value: expected a number");
/// assert_eq!(refused.offset, Some(28));
/// # Ok::<(), craft1_phase1::service::BadBody>(())
/// ```
pub fn parse(body: &[u8]) -> Result<Batch<'_>, BadBody> {
    Ok(read(body)?)
}

fn read(body: &[u8]) -> Checked<Batch<'_>> {
    let mut cursor = Cursor::new(body)?;
    cursor.skip_whitespace();
    let start = cursor.position();
    if !cursor.take("{") {
        return cursor.refuse(Reason::Shape("expected a JSON object"));
    }
    let mut envelope = Envelope { alone: Draft::new(), list: None, misfit: None };
    let mut is_over = cursor.take_end(Container::Object);
    while !is_over {
        envelope.read_member(&mut cursor)?;
        is_over = cursor.take_comma_or_end(Container::Object)?;
    }
    cursor.end()?;
    envelope.finish(start)
}

/// The body's own object: a metric, or a list of them. Which of the two shows only as it is read.
struct Envelope<'a> {
    alone: Draft<'a>,
    list: Option<Batch<'a>>,
    /// What is wrong with an optional field. It matters only if there is no list.
    misfit: Option<Box<Refusal>>,
}

impl<'a> Envelope<'a> {
    fn read_member(&mut self, cursor: &mut Cursor<'a>) -> Checked<()> {
        if self.list.is_none() && self.alone.read_usual(cursor)? {
            return Ok(());
        }
        let start = cursor.position();
        let is_metric = self.alone.has(Field::Name) || self.alone.has(Field::Value);
        match Key::read(cursor)? {
            Key::List if self.list.is_some() => refuse(start, Reason::Repeated("metrics")),
            Key::List if is_metric => refuse(start, METRIC_AND_BATCH),
            Key::List => {
                self.list = Some(cursor.aside(list)?);
                Ok(())
            }
            Key::Of(field) if self.alone.has(field) => {
                refuse(start, Reason::Repeated(field.name()))
            }
            Key::Of(Field::Name | Field::Value) if self.list.is_some() => {
                refuse(start, METRIC_AND_BATCH)
            }
            Key::Of(field @ (Field::Name | Field::Value)) => self.alone.read_field(field, cursor),
            Key::Of(field) => self.read_optional(field, cursor),
            Key::Unknown => skip::value(cursor, BODY_DEPTH),
        }
    }

    /// Beside a list, nobody asks for these fields, and then they only have to be JSON.
    fn read_optional(&mut self, field: Field, cursor: &mut Cursor<'a>) -> Checked<()> {
        let before = *cursor;
        if let Err(misfit) = self.alone.read_field(field, cursor) {
            *cursor = before;
            match field {
                Field::Tags => skip_tags(cursor)?,
                _ => skip::value(cursor, BODY_DEPTH)?,
            }
            self.misfit.get_or_insert(misfit);
        }
        Ok(())
    }

    fn finish(self, start: usize) -> Checked<Batch<'a>> {
        if let Some(batch) = self.list {
            return Ok(batch);
        }
        if let Some(misfit) = self.misfit {
            return Err(misfit);
        }
        self.alone.check_complete(start)?;
        let Draft { metric, name_offset, .. } = self.alone;
        Batch::single(metric).or_else(|reason| refuse(name_offset, reason))
    }
}

fn list<'a>(outer: &mut Cursor<'a>) -> Checked<Batch<'a>> {
    // A copy of our own stays in registers.
    let mut cursor = *outer;
    cursor.skip_whitespace();
    let start = cursor.position();
    if !cursor.take("[") {
        return cursor.refuse(Reason::Shape("metrics: expected an array"));
    }
    let mut builder = BatchBuilder::new();
    let mut is_over = cursor.take_end(Container::Array);
    while !is_over {
        let mut draft = Draft::new();
        let index = builder.next_index();
        let item = read_item(&mut draft, &mut cursor, index)?;
        // ANCHOR: room
        if index == 0 {
            // The metrics of a batch are much alike: the first says how many more there may be.
            builder = BatchBuilder::with_capacity(1 + cursor.rest().len() / item.len());
        }
        // ANCHOR_END: room
        builder = match builder.push(draft.metric) {
            Ok(builder) => builder,
            Err(reason @ InvalidBatch::TooMany) => return refuse(item.start, reason),
            Err(reason) => return refuse(draft.name_offset, reason),
        };
        is_over = cursor.take_comma_or_end(Container::Array)?;
    }
    *outer = cursor;
    builder.finish().or_else(|reason| refuse(start, reason))
}

/// Reads an item of the list into `draft`, and says where it stands.
#[inline(always)]
fn read_item<'a>(
    draft: &mut Draft<'a>,
    cursor: &mut Cursor<'a>,
    index: usize,
) -> Checked<Range<usize>> {
    cursor.skip_whitespace();
    let start = cursor.position();
    if !cursor.take("{") {
        return cursor.refuse(Reason::NotAnObject(index));
    }
    match draft.read(cursor, ITEM_DEPTH) {
        Ok(()) => Ok(start..cursor.position()),
        Err(refusal) => Err(Box::new(refusal.in_item(index))),
    }
}

/// Skips tags that are not those of a metric. A repeated key is refused in them, too: whether there
/// is a list, and so whose tags they are, may show only behind them.
#[cold]
fn skip_tags(cursor: &mut Cursor<'_>) -> Checked<()> {
    cursor.skip_whitespace();
    if !cursor.take("{") {
        return skip::value(cursor, BODY_DEPTH);
    }
    let mut keys = BTreeSet::new();
    let mut is_over = cursor.take_end(Container::Object);
    while !is_over {
        cursor.skip_whitespace();
        let start = cursor.position();
        let key = string::read_key(cursor)?;
        if keys.contains(&key) {
            let key = key.into_owned();
            return refuse(start, InvalidMetric::from(InvalidTags::RepeatedKey { key }));
        }
        keys.insert(key);
        skip::value(cursor, BODY_DEPTH + 1)?;
        is_over = cursor.take_comma_or_end(Container::Object)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
