//! Bodies, taken and refused, each refusal with its byte.

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
    assert_eq!((first.value.to_bits(), first.kind), ((-0.0_f64).to_bits(), MetricKind::Counter));
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
        (r#"{"metrics":[{"name":"a","value":1}],"metrics":[]}"#, "metrics: key is repeated", 36),
        (
            r#"{"metrics":[{"name":"a","value":1,"v\u0061lue":1}]}"#,
            "metrics[0].value: key is repeated",
            34,
        ),
        (
            r#"{"metrics":[{"name":"a","value":1,"type":"gauge","type":"counter"}]}"#,
            "metrics[0].type: key is repeated",
            49,
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
        (
            "{\"name\":\"m\",\"value\":1}\n{\"name\":\"m\",\"value\":2}",
            "expected nothing behind the object",
            23,
        ),
        (r#"{"name":"m","value":1,}"#, "expected a key in quotes", 22),
        (r#"{"name" "m","value":1}"#, "expected `:`", 8),
        (r#"{"metrics":[{"name":"m","value":1},]}"#, "metrics[1]: expected a JSON object", 35),
        (r#"{"metrics":[{"name":"m","value":1e999}]}"#, "number beyond the range of a double", 32),
    ]);
    for (body, offset) in [
        (&b"{\"name\":\"\xff\",\"value\":1}"[..], 9),
        (b"{\"name\":\"m\",\"value\":1}\xff", 22),
        (b"{\"name\":\"m\",\"value\":1,\"x\":\"\xed\xa0\x80\"}", 27),
    ] {
        let refused = parse(body).unwrap_err();
        assert_eq!((&*refused.detail, refused.offset), ("not UTF-8", Some(offset)));
    }
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
        (r#"{"type":1,"type":1,"metrics":[{"name":"m","value":1}]}"#, "type: key is repeated", 10),
    ]);
}

#[test]
fn a_hundred_thousand_brackets_are_refused_at_the_first_that_is_too_deep() {
    let brackets = "[".repeat(100_000);
    for (before, outside) in [(r#"{"x":"#, 1), (r#"{"tags":"#, 1), (r#"{"metrics":[{"x":"#, 3)] {
        let offset = before.len() + 127 - outside;
        let body = format!("{before}{brackets}");
        assert_refused(&[(&body, "nested deeper than 127 levels", offset)]);
    }
}
