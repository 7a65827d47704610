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
        if index == 0 {
            // The metrics of a batch are much alike: the first says how many more there may be.
            builder = BatchBuilder::with_capacity(1 + cursor.rest().len() / item.len());
        }
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
mod tests {
    use std::borrow::Cow;

    use metrics_model::{Metric, MetricKind};

    use super::*;

    #[track_caller]
    fn assert_refused(rows: &[(&str, &str, usize)]) {
        for (body, detail, offset) in rows {
            let expected = BadBody { detail: (*detail).into(), offset: Some(*offset) };
            assert_eq!(parse(body.as_bytes()), Err(expected), "{body}");
        }
    }

    #[test]
    fn takes_every_field() {
        let body = r#"{"metrics":[{"name":"a","value":-0.0,"timestamp":1758116723123,"type":"counter",
                       "tags":{"b":"1","a":"2"},"more":{"x":[1,{"x":1,"x":2}]}},{"name":"b","value":2}]}"#;
        let batch = parse(body.as_bytes()).unwrap();
        let [first, second] = batch.as_slice() else { panic!("{batch:?}") };
        assert_eq!(
            (first.value.to_bits(), first.kind),
            ((-0.0_f64).to_bits(), MetricKind::Counter)
        );
        assert_eq!(first.timestamp.unwrap().to_string(), "2025-09-17T13:45:23.123Z");
        assert_eq!(first.tags.iter().collect::<Vec<_>>(), [("b", "1"), ("a", "2")]);
        assert_eq!(*second, Metric::new("b", 2.0));
    }

    #[test]
    fn fields_come_in_any_order_and_spelling() {
        for body in [
            r#"{"name":"m","value":1.5,"type":"gauge","tags":{"k":"v"}}"#,
            r#"{"tags":{"k":"v"},"value":15e-1,"name":"m"}"#,
            " { \"value\" : 1.5 ,\r\n\t\"tags\" : { \"k\" : \"v\" } , \"name\" : \"m\" } ",
            r#"{"n\u0061me":"\u006d","v\u0061lue":1.5,"\u0074ags":{"\u006b":"\u0076"}}"#,
        ] {
            let batch = parse(body.as_bytes()).unwrap();
            let [metric] = batch.as_slice() else { panic!("{batch:?}") };
            assert_eq!((&*metric.name, metric.value), ("m", 1.5), "{body}");
            assert_eq!(metric.tags.iter().collect::<Vec<_>>(), [("k", "v")], "{body}");
        }
    }

    #[test]
    fn white_space_is_four_characters_and_stands_between_all_tokens() {
        // An underscore wherever there may be some.
        let tokens = r#"_{_"metrics"_:_[_{_"name"_:_"m"_,_"value"_:_1_,_"tags"_:_{_"k"_:_"v"_}_,
            "x"_:_[_1_,_{_"y"_:_{_}_}_]_}_]_}_"#;
        for between in (0..=0x20).map(char::from).chain(['\u{7f}', '\u{a0}', '\u{feff}']) {
            let is_space = matches!(between, ' ' | '\t' | '\n' | '\r');
            for space in [format!("{between}"), format!(" {between}"), format!("\n{between} ")] {
                let body = tokens.replace('_', &space);
                assert_eq!(parse(body.as_bytes()).is_ok(), is_space, "{body:?}");
            }
        }
    }

    #[test]
    fn text_is_lent_from_the_body() {
        let body = br#"{"metrics":[{"name":"cpu","value":1},{"name":"\u0063pu","value":1}]}"#;
        let batch = parse(body).unwrap();
        let [plain, escaped] = batch.as_slice() else { panic!("{batch:?}") };
        assert!(matches!(plain.name, Cow::Borrowed("cpu")));
        assert!(matches!(&escaped.name, Cow::Owned(name) if name == "cpu"));
    }

    #[test]
    fn a_refusal_names_the_item_the_field_and_the_byte() {
        assert_refused(&[
            ("[]", "expected a JSON object", 0),
            (" null", "expected a JSON object", 1),
            ("{}", "name: expected a string", 0),
            (r#" {"value":1}"#, "name: expected a string", 1),
            (r#"{"name":"a"}"#, "value: expected a number", 0),
            (r#"{"name":1,"value":1}"#, "name: expected a string", 8),
            (r#"{"name": "","value":1}"#, "name: empty", 9),
            (r#"{"name":"a","value":null}"#, "value: expected a number", 20),
            (
                r#"{"name":"a","value":1,"timestamp":1.5}"#,
                "timestamp: expected Unix milliseconds or RFC 3339 text",
                34,
            ),
            (
                r#"{"name":"a","value":1,"timestamp":"x"}"#,
                "timestamp: not an RFC 3339 date and time",
                34,
            ),
            (r#"{"name":"a","value":1,"type":true}"#, "type: expected a string", 29),
            (r#"{"name":"a","value":1,"tags":[]}"#, "tags: expected an object", 29),
            (r#"{"name":"a","value":1,"tags":{"k":1}}"#, "tags: expected strings", 34),
            (r#"{"name":"a","value":1,"tags":{"":"x"}}"#, "tags: key empty", 30),
            (r#"{"metrics":{}}"#, "metrics: expected an array", 11),
            (r#"{"metrics":[]}"#, "metrics: empty", 11),
            (r#"{"metrics":[1]}"#, "metrics[0]: expected a JSON object", 12),
            (
                r#"{"metrics":[{"name":"a","value":1},["b",2]]}"#,
                "metrics[1]: expected a JSON object",
                35,
            ),
            (
                r#"{"metrics":[{"name":"a","value":1},{"name":"a","value":"1"}]}"#,
                "metrics[1].value: expected a number",
                55,
            ),
            (
                r#"{"metrics":[{"name":"a","value":1},{"name":"a"}]}"#,
                "metrics[1].value: expected a number",
                35,
            ),
            (
                r#"{"metrics":[{"name":"a","value":1,"type":"summary"}]}"#,
                "metrics[0].type: not one of gauge, counter, histogram",
                41,
            ),
            (
                r#"{"metrics":[{"value":1,"name":"a\n"}]}"#,
                "metrics[0].name: contains control character U+000A",
                30,
            ),
            (r#"{"name":"a","value":1,"metrics":[]}"#, "a metric and a batch in the same body", 22),
            (
                r#"{"metrics":[{"name":"a","value":1}],"value":1}"#,
                "a metric and a batch in the same body",
                36,
            ),
        ]);
    }

    #[test]
    fn a_known_key_given_twice_is_refused_wherever_it_stands() {
        assert_refused(&[
            (r#"{"name":"a","value":1,"name":"a"}"#, "name: key is repeated", 22),
            (
                r#"{"metrics":[{"name":"a","value":1}],"metrics":[]}"#,
                "metrics: key is repeated",
                36,
            ),
            (
                r#"{"metrics":[{"name":"a","value":1,"v\u0061lue":1}]}"#,
                "metrics[0].value: key is repeated",
                34,
            ),
            (
                r#"{"metrics":[{"name":"a","value":1,"tags":{"k":"1","k":"1"}}]}"#,
                r#"metrics[0].tags: key "k" is repeated"#,
                50,
            ),
            (r#"{"name":"a","value":1,"tags":{},"tags":{}}"#, "tags: key is repeated", 32),
            (
                r#"{"name":"a","value":1,"tags":{"k":"1","\u006b":"1"}}"#,
                r#"tags: key "k" is repeated"#,
                38,
            ),
        ]);
    }

    #[test]
    fn bad_syntax_is_told_with_its_byte() {
        assert_refused(&[
            (r#"{"name":"m","value":1x}"#, "expected `,` or `}`", 21),
            ("{\n\"name\": \"m\",\n\"value\": 01}", "expected `,` or `}`", 25),
            ("{\"name\":\"a\nb\",\"value\":1}", "control character in a string", 10),
            (r#"{"name":"m","value":1"#, "the body ends in the middle", 21),
            ("", "the body ends in the middle", 0),
            (r#"{"name":"m","value":1} x"#, "expected nothing behind the object", 23),
            (r#"{"name":"m","value":1,}"#, "expected a key in quotes", 22),
            (r#"{"name" "m","value":1}"#, "expected `:`", 8),
            (r#"{"metrics":[{"name":"m","value":1},]}"#, "metrics[1]: expected a JSON object", 35),
            (
                r#"{"metrics":[{"name":"m","value":1e999}]}"#,
                "number beyond the range of a double",
                32,
            ),
        ]);
        let refused = parse(b"{\"name\":\"\xff\",\"value\":1}").unwrap_err();
        assert_eq!((&*refused.detail, refused.offset), ("not UTF-8", Some(9)));
    }

    #[test]
    fn the_1001st_item_is_refused_where_it_begins() {
        let item = r#"{"name":"m","value":1}"#;
        let list = |count| format!(r#"{{"metrics":[{}]}}"#, vec![item; count].join(","));
        assert_eq!(parse(list(1_000).as_bytes()).unwrap().len(), 1_000);
        let offset = 12 + 1_000 * (item.len() + 1);
        assert_refused(&[(&list(1_001), "metrics: more than 1000 items", offset)]);
    }

    /// As in phase 1, where the tree is whole before anybody asks whether there is a list.
    #[test]
    fn optional_fields_beside_a_list_only_have_to_be_json() {
        let metric = r#""metrics":[{"name":"m","value":1}]"#;
        for field in [
            r#""timestamp":"yesterday""#,
            r#""timestamp":{"a":[1.5]}"#,
            r#""type":7"#,
            r#""tags":{"a":{"b":1,"b":2},"":"x"}"#,
            r#""tags":[{"a":1,"a":2}]"#,
        ] {
            for body in [format!("{{{field},{metric}}}"), format!("{{{metric},{field}}}")] {
                assert_eq!(parse(body.as_bytes()).unwrap().len(), 1, "{body}");
            }
            let alone = format!(r#"{{"name":"m","value":1,{field}}}"#);
            assert!(parse(alone.as_bytes()).is_err(), "{alone}");
        }
        assert_refused(&[
            (r#"{"type":tru,"metrics":[{"name":"m","value":1}]}"#, "expected a value", 8),
            (
                r#"{"tags":{"a":1,"a":2},"metrics":[{"name":"m","value":1}]}"#,
                r#"tags: key "a" is repeated"#,
                15,
            ),
            (
                r#"{"type":1,"type":1,"metrics":[{"name":"m","value":1}]}"#,
                "type: key is repeated",
                10,
            ),
        ]);
    }

    #[test]
    fn a_hundred_thousand_brackets_are_refused_at_the_first_that_is_too_deep() {
        let brackets = "[".repeat(100_000);
        for (before, depth) in [
            (r#"{"x":"#, BODY_DEPTH),
            (r#"{"tags":"#, BODY_DEPTH),
            (r#"{"metrics":[{"x":"#, ITEM_DEPTH),
        ] {
            let offset = before.len() + (skip::DEPTH_MAX - depth) as usize;
            let body = format!("{before}{brackets}");
            assert_refused(&[(&body, "nested deeper than 127 levels", offset)]);
        }
    }
}
