//! The adversarial profile: each metric is valid and leaves the fast path of a parser somewhere.

use std::fmt::Write as _;

use rand::{RngExt, rngs::ChaCha8Rng};

/// The limits of the wire contract, all of them used to the full.
const NAME_LEN_MAX: usize = 255;
const TAGS_MAX: usize = 32;
/// Deep enough for recursion to show, within what common parsers allow (`serde_json`: 128).
const NESTING: usize = 24;

/// Numbers at the edges of a double, and long ways to write short ones.
const NUMBERS: [&str; 12] = [
    "0",
    "-0.0",
    "5e-324",
    "2.2250738585072014e-308",
    "1.7976931348623157e308",
    "-1.7976931348623157E+308",
    "9007199254740993",
    "123456789012345678901234567890",
    "0.1000000000000000055511151231257827021181583404541015625",
    "1e-400",
    "100000000000000000000000000000000000000000e-38",
    "8.5E1",
];

pub(super) fn write_metric(random: &mut ChaCha8Rng, out: &mut Vec<u8>) {
    let number = NUMBERS[random.random_range(0..NUMBERS.len())];
    let metric = match random.random_range(0..8_u32) {
        0 => escaped_name(number),
        1 => longest_name(random, number),
        2 => most_tags(random, number),
        3 => unknown_fields(number),
        4 => white_space(number),
        5 => escaped_keys(number),
        6 => name_last(random),
        _ => wide_characters(number),
    };
    out.extend_from_slice(metric.as_bytes());
}

fn escaped_name(number: &str) -> String {
    format!(
        r#"{{"name":"disk\/used \"\\root\\\" \u00e9\u4e16\ud83d\ude00","value":{number},"tags":{{"p\u0061th":"C:\\\\Program Files\\\/x"}}}}"#
    )
}

fn longest_name(random: &mut ChaCha8Rng, number: &str) -> String {
    let name: String = (0..NAME_LEN_MAX).map(|_| random.random_range('a'..='z')).collect();
    format!(r#"{{"name":"{name}","value":{number},"type":"gauge"}}"#)
}

fn most_tags(random: &mut ChaCha8Rng, number: &str) -> String {
    let mut tags = String::new();
    for index in 0..TAGS_MAX {
        let comma = if index == 0 { "" } else { "," };
        let value: u32 = random.random();
        write!(tags, r#"{comma}"key_{index:02}":"{value:08x}""#).expect("a string takes all text");
    }
    format!(r#"{{"tags":{{{tags}}},"type":"counter","value":{number},"name":"many_tags"}}"#)
}

/// Unknown fields are checked as JSON and skipped, so what stands in them must be read to its end.
fn unknown_fields(number: &str) -> String {
    let (open, close) = ("[{\"k\":".repeat(NESTING / 2), "}]".repeat(NESTING / 2));
    format!(
        r#"{{"extra":{open}[1,-2.5e3,true,false,null,"\"}}]\\"]{close},"name":"nested","nam":1,"names":[],"value":{number},"metric":{{"name":1}}}}"#
    )
}

fn white_space(number: &str) -> String {
    format!(
        "\r\n\t {{ \t\"name\"\n:\r\n \"blank_space\" ,\n\t\"value\"  :\t{number}\r\n,\"timestamp\"\n: 1758116723123 }}\n\n\t "
    )
}

/// `"n\u0061me"` is the key `name`: a parser that compares raw bytes does not find it.
fn escaped_keys(number: &str) -> String {
    format!(
        r#"{{"n\u0061me":"escaped_keys","\u0076alue":{number},"t\u0061gs":{{}},"typ\u0065":"histogram"}}"#
    )
}

/// The fields that a parser wants first come last, behind a time stamp with an offset.
fn name_last(random: &mut ChaCha8Rng) -> String {
    let digits: String = (0..200).map(|_| random.random_range('0'..='9')).collect();
    format!(
        r#"{{"timestamp":"2025-09-17T15:45:23.123456789+02:00","tags":{{"k":"v"}},"value":-0.{digits},"name":"n"}}"#
    )
}

fn wide_characters(number: &str) -> String {
    format!(
        r#"{{"name":"температура_процессора_温度_🌡️🔥","value":{number},"tags":{{"région":"中国-北京","emoji":"👩‍💻"}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn reaches_every_limit_and_every_number() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut longest_name = 0;
        let mut most_tags = 0;
        let mut everything = Vec::new();
        for _ in 0..2_000 {
            let start = everything.len();
            write_metric(&mut random, &mut everything);
            let metric: serde_json::Value = serde_json::from_slice(&everything[start..]).unwrap();
            longest_name = longest_name.max(metric["name"].as_str().unwrap().len());
            most_tags = most_tags.max(metric["tags"].as_object().map_or(0, serde_json::Map::len));
        }
        assert_eq!((longest_name, most_tags), (NAME_LEN_MAX, TAGS_MAX));
        let text = String::from_utf8(everything).unwrap();
        for number in NUMBERS {
            assert!(text.contains(number), "{number} never came");
        }
    }
}
