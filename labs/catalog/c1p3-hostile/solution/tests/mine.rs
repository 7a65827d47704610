//! Tests of the reader that find every mutant.

use craft1_phase3::json;
use metrics_model::{Batch, Metric};

/// The metrics of a body, or nothing where it is refused.
fn taken(body: &(impl AsRef<[u8]> + ?Sized)) -> Option<Vec<Metric<'_>>> {
    json::parse(body.as_ref()).ok().map(Batch::into_metrics)
}

/// Whether a metric with this field beside name and value is taken.
fn is_taken_with(field: &str) -> bool {
    taken(&format!(r#"{{"name":"m","value":1,{field}}}"#)).is_some()
}

/// What a number becomes, as the value of a metric.
fn value_of(number: &str) -> f64 {
    let body = format!(r#"{{"name":"m","value":{number}}}"#);
    taken(&body).expect("a good number")[0].value
}

/// What a text becomes, as the name of a metric.
fn name_of(text: &str) -> Option<String> {
    let body = format!(r#"{{"name":"{text}","value":1}}"#);
    taken(&body).map(|metrics| metrics[0].name.clone().into_owned())
}

#[test]
fn a_plain_metric_is_taken_as_it_was_sent() {
    let metrics = taken(r#"{"name":"cpu_usage","value":85.5}"#);
    assert_eq!(metrics, Some(vec![Metric::new("cpu_usage", 85.5)]));
}

#[test]
fn there_are_127_levels_alone_and_in_a_list() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let nested = |levels| format!("{}1{}", open.repeat(levels), close.repeat(levels));
        let alone = |levels| format!(r#"{{"name":"m","value":1,"x":{}}}"#, nested(levels));
        let listed = |levels| format!(r#"{{"metrics":[{}]}}"#, alone(levels));
        assert!(taken(&alone(126)).is_some());
        assert!(taken(&alone(127)).is_none());
        assert!(taken(&listed(124)).is_some());
        assert!(taken(&listed(125)).is_none());
    }
}

#[test]
fn a_backslash_has_nine_escapes_behind_it() {
    for byte in b' '..=b'~' {
        let is_escape = br#""\/bfnrt"#.contains(&byte);
        let field = format!(r#""x":"\{}""#, char::from(byte));
        assert_eq!(is_taken_with(&field), is_escape, "{field}");
    }
    assert!(is_taken_with(r#""x":"\u00e9""#));
}

#[test]
fn half_a_pair_is_refused() {
    for half in [r"\ud83d", r"\ude00", r"\ud83d\ud83d", r"\ud83dx", r"\ude00\ud83d"] {
        assert_eq!(name_of(half), None, "{half}");
    }
}

#[test]
fn a_pair_is_its_character() {
    assert_eq!(name_of(r"\ud83d\ude00").as_deref(), Some("😀"));
    assert_eq!(name_of(r"\udbff\udfff").as_deref(), Some("\u{10ffff}"));
}

#[test]
fn no_control_character_stands_raw_in_a_string() {
    for control in (0..0x20).map(char::from) {
        for behind in ["", "and a little more"] {
            assert!(!is_taken_with(&format!(r#""x":"{control}{behind}""#)), "{control:?}");
        }
    }
}

#[test]
fn zero_keeps_its_sign() {
    for (number, expected) in [("-0", -0.0_f64), ("-0.0", -0.0), ("0", 0.0), ("-0e5", -0.0)] {
        assert_eq!(value_of(number).to_bits(), expected.to_bits(), "{number}");
    }
}

#[test]
fn a_number_is_the_double_that_is_nearest() {
    for digits in 0..1_000 {
        let number = format!("0.12345678901234{digits:03}");
        let expected: f64 = number.parse().expect("a number");
        assert_eq!(value_of(&number).to_bits(), expected.to_bits(), "{number}");
    }
}

#[test]
fn a_timestamp_is_a_whole_number_that_fits() {
    assert!(is_taken_with(r#""timestamp":1758116723123"#));
    // 2^64 + 1, which is 1 where it wraps.
    assert!(!is_taken_with(r#""timestamp":18446744073709551617"#));
}

#[test]
fn bytes_that_are_no_text_are_refused_wherever_they_stand() {
    let body = br#"{"name":"m","value":1,"x":"y"}"#;
    for at in 0..=body.len() {
        let mut broken = body.to_vec();
        broken.insert(at, 0xFF);
        assert!(taken(&broken).is_none(), "at {at}");
    }
}

#[test]
fn nothing_stands_behind_the_object() {
    let body = r#"{"name":"m","value":1}"#;
    for behind in ["x", "}", ",", "\0", body] {
        assert!(taken(&format!("{body}\n{behind}")).is_none(), "{behind:?}");
    }
}

#[test]
fn a_known_key_comes_once_alone_and_in_a_list() {
    for field in
        [r#""name":"m""#, r#""value":1"#, r#""timestamp":1"#, r#""type":"gauge""#, r#""tags":{}"#]
    {
        let twice = format!(r#"{{"name":"m","value":1,{field},{field}}}"#);
        assert!(taken(&twice).is_none(), "{field}");
        assert!(taken(&format!(r#"{{"metrics":[{twice}]}}"#)).is_none(), "{field}");
    }
}
