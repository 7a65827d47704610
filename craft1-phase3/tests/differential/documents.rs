//! Bodies from the grammar and the schema: metrics in all spellings, whatever JSON in fields that
//! nobody asks for, and both of them with something wrong.
//!
//! About half of them are good, and a mistake is rare enough that most bad ones have only one. The
//! strategies are boxed: their nested types would outgrow the stack of a test.

use proptest::collection::vec;
use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A body: good, odd or damaged.
pub(crate) fn document() -> BoxedStrategy<Vec<u8>> {
    let list = (member(), vec(metric(), 0..4), member()).prop_map(|(before, items, after)| {
        let list = format!(r#""metrics":[{}]"#, items.join(","));
        object([before, Some(list), after].into_iter().flatten())
    });
    let body = prop_oneof![10 => metric(), 10 => list, 1 => json()];
    (body, weighted(0.3, damage()))
        .prop_map(|(body, damage)| match damage {
            Some(damage) => damage.inflict(body.into_bytes()),
            None => body.into_bytes(),
        })
        .boxed()
}

/// A metric: name and value, and perhaps other fields around them.
fn metric() -> BoxedStrategy<String> {
    let name = (key("name"), name()).prop_map(|(key, name)| format!("{key}:{name}"));
    let value = (key("value"), number()).prop_map(|(key, value)| format!("{key}:{value}"));
    let required = (weighted(0.99, name), weighted(0.99, value));
    let metric = (member(), required, member(), any::<bool>()).prop_map(
        |(one, (name, value), other, is_turned)| {
            let (first, second) = if is_turned { (value, name) } else { (name, value) };
            object([one, first, other, second].into_iter().flatten())
        },
    );
    metric.boxed()
}

fn object(members: impl IntoIterator<Item = String>) -> String {
    format!("{{{}}}", members.into_iter().collect::<Vec<_>>().join(","))
}

/// Perhaps an optional field, or one that nobody knows. Rarely it has the wrong type.
fn member() -> BoxedStrategy<Option<String>> {
    let timestamp = prop_oneof![
        20 => (0..1_i64 << 47).prop_map(|unix_ms| unix_ms.to_string()),
        20 => Just(r#""2025-09-17T15:45:23.123+02:00""#.to_owned()),
        1 => json(),
    ];
    let kind = prop_oneof![
        20 => r#""(gauge|counter|histogram)""#,
        5 => Just(r#""\u0067auge""#.to_owned()),
        1 => json(),
    ];
    let pair = (name(), text()).prop_map(|(key, value)| format!("{key}:{value}"));
    let tags = prop_oneof![20 => vec(pair, 0..5).prop_map(object), 1 => json()];
    let member = prop_oneof![
        (key("timestamp"), timestamp).prop_map(|(key, value)| format!("{key}:{value}")),
        (key("type"), kind).prop_map(|(key, value)| format!("{key}:{value}")),
        (key("tags"), tags).prop_map(|(key, value)| format!("{key}:{value}")),
        (text(), space(), json()).prop_map(|(key, space, value)| format!("{key}{space}:{value}")),
    ];
    weighted(0.4, member).boxed()
}

/// A key as it is usually spelled, or with an escape, or with white space around.
fn key(name: &'static str) -> BoxedStrategy<String> {
    let escaped = any::<Index>().prop_map(move |at| {
        let (before, from) = name.split_at(at.index(name.len()));
        let (escaped, behind) = from.split_at(1);
        format!("\"{before}\\u{:04x}{behind}\"", escaped.as_bytes()[0])
    });
    let spaced =
        (space(), space()).prop_map(move |(before, behind)| format!("{before}\"{name}\"{behind}"));
    prop_oneof![6 => Just(format!("\"{name}\"")), 1 => escaped, 1 => spaced].boxed()
}

fn space() -> BoxedStrategy<&'static str> {
    prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\n\t"), 1 => Just("\r\n  ")].boxed()
}

/// Text in quotes that can be a name, with few exceptions.
fn name() -> BoxedStrategy<String> {
    let piece = prop_oneof![
        40 => "[a-z_]{1,9}".boxed(),
        10 => r#"\\["\\/]|\\u00[2-6][0-9a-f]|\\u(4e16|d83d\\ude00|DBFF\\uDFFF)"#.boxed(),
        10 => select(&["é", "世", "😀", "\u{a0}", "\u{10ffff}", "/", "'"][..])
            .prop_map(str::to_owned).boxed(),
        2 => Just("x".repeat(120)).boxed(),
        1 => text().prop_map(|text| text.trim_matches('"').to_owned()).boxed(),
    ];
    vec(piece, 1..4).prop_map(|pieces| format!("\"{}\"", pieces.concat())).boxed()
}

/// Any text in quotes. Rarely an escape is none, or half of a pair.
fn text() -> BoxedStrategy<String> {
    let piece = prop_oneof![
        40 => "[a-z_]{1,9}".boxed(),
        10 => r#"\\["\\/bfnrt]|\\u[0-9a-cA-CefEF][0-7][0-9a-f]{2}"#.boxed(),
        10 => any::<char>().prop_map(plain).boxed(),
        1 => r"\\(x|u[0-9a-fA-F]{0,4}|ud[89a-f][0-9a-f]{2}(\\ud[89a-f][0-9a-f]{2})?)".boxed(),
    ];
    vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat())).boxed()
}

/// The character itself, where it may stand in a string.
fn plain(character: char) -> String {
    let is_special = matches!(character, '"' | '\\' | '\0'..' ');
    String::from(if is_special { '_' } else { character })
}

fn number() -> BoxedStrategy<String> {
    prop_oneof![
        4 => r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?",
        2 => r"-?(0|[1-9][0-9]{0,21})(\.[0-9]{1,21})?([eE][+-]?[0-9]{1,2})?",
        1 => r"-?[0-9]{1,3}[eE][+-]?[0-9]{1,3}",
        1 => (POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO)
            .prop_map(|value| format!("{value:e}")),
    ]
    .boxed()
}

/// Any JSON, nested a little.
fn json() -> BoxedStrategy<String> {
    let literal = select(&["null", "true", "false"][..]).prop_map(str::to_owned);
    let leaf = prop_oneof![literal, number(), text()];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let pair = (text(), inner.clone()).prop_map(|(key, value)| format!("{key}:{value}"));
        let array = (space(), vec(inner, 0..4))
            .prop_map(|(space, items)| format!("[{space}{}]", items.join(",")));
        prop_oneof![array, vec(pair, 0..4).prop_map(object)]
    })
    .boxed()
}

/// A change that JSON rarely survives.
#[derive(Debug, Clone)]
enum Damage {
    Cut(Index),
    Remove(Index),
    Insert(Index, u8),
    Double(Index, Index),
}

fn damage() -> BoxedStrategy<Damage> {
    let byte = select(&b"{}[]:,\"\\0-.eE+ \n\x00\x1f\x7f\xc3\xff"[..]);
    prop_oneof![
        any::<Index>().prop_map(Damage::Cut),
        any::<Index>().prop_map(Damage::Remove),
        (any::<Index>(), byte).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Damage::Double(one, other)),
    ]
    .boxed()
}

impl Damage {
    /// Inflicts it on a body that is not empty.
    fn inflict(self, mut body: Vec<u8>) -> Vec<u8> {
        let len = body.len();
        match self {
            Self::Cut(at) => body.truncate(at.index(len)),
            Self::Remove(at) => drop(body.remove(at.index(len))),
            Self::Insert(at, byte) => body.insert(at.index(len), byte),
            Self::Double(one, other) => {
                let (one, other) = (one.index(len), other.index(len));
                let copy = body[one.min(other)..one.max(other)].to_vec();
                body.splice(one..one, copy);
            }
        }
        body
    }
}
