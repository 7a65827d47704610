//! Numbers beside the standard library's, bit for bit.

use proptest::prelude::*;

use super::super::error::Reason;
use super::*;

fn parse(text: &str) -> Result<f64, (usize, Reason)> {
    let mut cursor = Cursor::new(text.as_bytes()).unwrap();
    let value = read(&mut cursor).map_err(|refusal| (refusal.offset, refusal.reason))?;
    assert_eq!(cursor.position(), text.len(), "{text}");
    Ok(value)
}

#[track_caller]
fn assert_is_what_the_library_gives(text: &str) {
    let expected: f64 = text.parse().unwrap();
    let found = parse(text);
    if expected.is_finite() {
        assert_eq!(found.map(f64::to_bits), Ok(expected.to_bits()), "{text}");
    } else {
        assert_eq!(found, Err((0, Reason::Syntax(Syntax::Overflow))), "{text}");
    }
}

#[test]
fn hard_numbers_are_exact() {
    for text in [
        "0",
        "-0",
        "-0.0",
        "0e0",
        "0E999999999999",
        "-0e+400",
        "0.000e-5",
        "1",
        "-1",
        "85.5",
        // Both sides of 2^53, of 2^63, of 2^64 and of the digits that fit.
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740994",
        "900719925474099.3",
        "9223372036854775807",
        "9223372036854775808",
        "999999999999999999",
        "9999999999999999999",
        "18446744073709551615",
        "18446744073709551616",
        "123456789012345678901234567890",
        "0.1234567890123456789",
        "0.12345678901234567891",
        // Halfway between two doubles, and a little more (Clinger; Rick Regan).
        "9007199254740991.5",
        "9007199254740992.5",
        "0.500000000000000166533453693773481063544750213623046875",
        "3.518437208883201171875e13",
        "62.5364939768271845828",
        "8.10109172351e-10",
        "1.50000000000000011102230246251565404236316680908203125",
        "1.50000000000000011102230246251565404236316680908203124",
        "1.50000000000000011102230246251565404236316680908203126",
        "7.8459735791271921e65",
        "6.9294956446009195e15",
        "9.5e-7",
        "1e23",
        "8.5E1",
        // The largest, the smallest normal, the largest and the smallest subnormal, and half of it.
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "2.2250738585072014e-308",
        "2.2250738585072011e-308",
        "2.225073858507201e-308",
        "5e-324",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        // Beyond, in both directions.
        "1e-400",
        "1e309",
        "-1e309",
        "1e999999999999999999999",
        "1e-999999999999999999999",
        "0.00000000000000000000000000000000000000001e40",
        "1e+22",
        "1e-22",
        "1e-23",
    ] {
        assert_is_what_the_library_gives(text);
    }
}

#[test]
fn every_power_of_ten_is_exact_in_every_spelling() {
    for exponent in -400..=400 {
        for mantissa in ["1", "9", "1.0", "0.1", "123456789", "9007199254740991", "12.5"] {
            assert_is_what_the_library_gives(&format!("{mantissa}e{exponent}"));
            assert_is_what_the_library_gives(&format!("-{mantissa}E{exponent:+}"));
        }
    }
    for zeros in 0..400 {
        assert_is_what_the_library_gives(&format!("1{}", "0".repeat(zeros)));
        assert_is_what_the_library_gives(&format!("0.{}1", "0".repeat(zeros)));
    }
}

#[test]
fn digits_without_end_take_no_harm() {
    let many = "7".repeat(100_000);
    assert_is_what_the_library_gives(&format!("0.{many}"));
    assert_is_what_the_library_gives(&format!("{many}e-100000"));
    assert_is_what_the_library_gives(&format!("1e-{many}"));
    assert_is_what_the_library_gives(&many);
}

#[test]
fn what_the_grammar_does_not_have_is_refused_at_its_byte() {
    for (text, offset, rule) in [
        ("-", 1, Syntax::End),
        ("-x", 1, Syntax::Digit),
        ("--1", 1, Syntax::Digit),
        ("-+1", 1, Syntax::Digit),
        ("+1", 0, Syntax::Digit),
        (".5", 0, Syntax::Digit),
        ("1.", 2, Syntax::End),
        ("1.x", 2, Syntax::Digit),
        ("1.e5", 2, Syntax::Digit),
        ("1e", 2, Syntax::End),
        ("1e+", 3, Syntax::End),
        ("1e+-1", 3, Syntax::Digit),
    ] {
        let mut cursor = Cursor::new(text.as_bytes()).unwrap();
        let refusal = read(&mut cursor).unwrap_err();
        assert_eq!((refusal.offset, refusal.reason), (offset, rule.into()), "{text}");
    }
    let mut cursor = Cursor::new(b"01").unwrap();
    assert_eq!(read(&mut cursor), Ok(0.0));
    assert_eq!(cursor.rest(), b"1", "a digit behind a zero belongs to no number");
}

#[test]
fn a_whole_number_is_written_as_one() {
    for (text, expected) in [
        ("0", Some(0)),
        ("-0", None),
        ("1758116723123", Some(1_758_116_723_123)),
        ("-5", Some(-5)),
        ("999999999999999999", Some(999_999_999_999_999_999)),
        ("9223372036854775807", None),
        ("18446744073709551617", None),
        ("1.0", None),
        ("1e3", None),
    ] {
        let mut cursor = Cursor::new(text.as_bytes()).unwrap();
        assert_eq!(read_whole(&mut cursor), Ok(expected), "{text}");
    }
}

proptest! {
    // A failing case is printed in full, so no file of past seeds is kept.
    #![proptest_config(ProptestConfig {
        cases: 2_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn every_double_is_read_back_however_it_is_printed(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        for text in [
            format!("{value}"),
            format!("{value:e}"),
            format!("{value:?}"),
            format!("{value:.17e}"),
            format!("{value:.30e}"),
            format!("{value:.3}"),
        ] {
            assert_is_what_the_library_gives(&text);
        }
    }

    #[test]
    fn every_decimal_is_what_the_library_gives(
        text in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?",
    ) {
        assert_is_what_the_library_gives(&text);
    }

    #[test]
    fn the_ends_of_the_fast_path_are_exact(
        mantissa in (1_u64 << 53) - 50..(1 << 53) + 50,
        exponent in -25..=25,
        digits in 0_usize..=16,
    ) {
        assert_is_what_the_library_gives(&format!("{mantissa}e{exponent}"));
        let mut text = mantissa.to_string();
        text.insert(text.len() - digits.min(text.len() - 1), '.');
        assert_is_what_the_library_gives(text.trim_end_matches('.'));
    }
}
