//! A double as a JSON number.
//!
//! What always holds: reading the number gives the double back, bit for bit, and there is no
//! shorter number that does. None has more than 24 bytes.
//!
//! Nearly every measured value is a whole number or a short decimal. Those are written here; the
//! others by the standard library, which finds the shortest digits (Florian Loitsch, "Printing
//! Floating-Point Numbers Quickly and Accurately with Integers", 2010).

use std::io::Write as _;
use std::ops::Range;

/// What is written without an exponent: beyond these there would be rows of zeros.
const PLAIN: Range<f64> = 1e-5..1e16;

/// A short decimal has at most six decimals: it is a whole number of millionths.
const SCALE: u64 = 1_000_000;
const SCALE_F64: f64 = 1e6;

/// Two different decimals of up to 15 digits are never the same double, so one that is the right
/// double is the shortest.
const SHORT_MAX: u64 = 1_000_000_000_000_000;

/// Most digits of a `u64`.
const DIGITS_MAX: usize = 20;

/// Appends `value`, which is finite.
#[inline]
pub(super) fn put(line: &mut Vec<u8>, value: f64) {
    if value.is_sign_negative() {
        line.push(b'-');
    }
    let magnitude = value.abs();
    if magnitude == 0.0 {
        line.extend_from_slice(b"0.0");
    } else if !PLAIN.contains(&magnitude) {
        put_by_library(line, format_args!("{magnitude:e}"));
    } else if let Some(short) = short_decimal(magnitude) {
        put_whole(line, short / SCALE);
        put_decimals(line, short % SCALE);
    } else if let Some(whole) = whole(magnitude) {
        put_whole(line, whole);
        line.extend_from_slice(b".0");
    } else {
        put_by_library(line, format_args!("{magnitude}"));
    }
}

/// The number of millionths that `magnitude` is, if a short decimal is exactly this double: the
/// division is rounded once, so its result is the double nearest to the decimal (Clinger, 1990).
#[inline]
fn short_decimal(magnitude: f64) -> Option<u64> {
    let millionths = truncate(magnitude * SCALE_F64 + 0.5);
    let nearest = millionths as f64 / SCALE_F64;
    (millionths < SHORT_MAX && nearest.to_bits() == magnitude.to_bits()).then_some(millionths)
}

#[inline]
fn whole(magnitude: f64) -> Option<u64> {
    let whole = truncate(magnitude);
    ((whole as f64).to_bits() == magnitude.to_bits()).then_some(whole)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the fraction is to go, there is no sign, and the largest is below 10^22, which the cast caps"
)]
const fn truncate(magnitude: f64) -> u64 {
    magnitude as u64
}

fn put_whole(line: &mut Vec<u8>, mut number: u64) {
    let mut text = [0; DIGITS_MAX];
    let mut start = text.len();
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(&text[start..]);
}

/// Appends the point and the millionths, without the zeros at the end but for the first.
fn put_decimals(line: &mut Vec<u8>, mut millionths: u64) {
    let mut text = *b".000000";
    for digit in text[1..].iter_mut().rev() {
        *digit = b'0' + (millionths % 10) as u8;
        millionths /= 10;
    }
    let last = text.iter().rposition(|digit| *digit != b'0').unwrap_or(0);
    line.extend_from_slice(&text[..=last.max(1)]);
}

#[cold]
fn put_by_library(line: &mut Vec<u8>, number: std::fmt::Arguments<'_>) {
    // Writing into a vector does not fail.
    let _ = line.write_fmt(number);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: f64) -> String {
        let mut line = Vec::new();
        put(&mut line, value);
        String::from_utf8(line).unwrap()
    }

    #[track_caller]
    fn assert_comes_back(value: f64) {
        let text = written(value);
        assert!(text.len() <= 24, "{text}");
        let read: f64 =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(read.to_bits(), value.to_bits(), "{text}");
        // serde_json finds the shortest digits as well, and writes exponents with a sign and a zero.
        let shortest = serde_json::to_string(&value).unwrap();
        let shortest = shortest.replace("e+", "e").replace("e-0", "e-");
        // Of two that are as short and as near, either is right: 884369743094081.25 has no more room.
        assert_eq!(text.len(), shortest.len(), "{text} and {shortest}");
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (85.5, "85.5"),
            (-85.25, "-85.25"),
            (0.1, "0.1"),
            (1e-5, "0.00001"),
            (123_456.789_012, "123456.789012"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1_758_116_723_123.0, "1758116723123.0"),
            (9_007_199_254_740_993.0, "9007199254740992.0"),
            (9.999_999_999_999_998e15, "9999999999999998.0"),
            (1e16, "1e16"),
            (9.9e-6, "9.9e-6"),
            (1.0 / 3.0, "0.3333333333333333"),
            (f64::MAX, "1.7976931348623157e308"),
            (-5e-324, "-5e-324"),
        ] {
            assert_eq!(written(value), expected);
            assert_comes_back(value);
        }
    }

    #[test]
    fn the_ends_of_the_short_path_come_back() {
        for millionths in
            [1, 9, 10, 11, 999_999, 1_000_000, SHORT_MAX - 1, SHORT_MAX, SHORT_MAX + 1]
        {
            let near = millionths as f64 / SCALE_F64;
            for value in [near, near.next_up(), near.next_down()] {
                assert_comes_back(value);
                assert_comes_back(-value);
            }
        }
        for exponent in -330..=310 {
            let power: f64 = format!("1e{exponent}").parse().unwrap();
            for value in [power, power.next_up(), power.next_down()] {
                if value.is_finite() {
                    assert_comes_back(value);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000, failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn every_double_comes_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            assert_comes_back(value);
        }

        #[test]
        fn every_decimal_that_a_sensor_gives_comes_back(
            digits in -10_000_000_000_000_000_i64..10_000_000_000_000_000,
            decimals in 0_i32..=10,
        ) {
            assert_comes_back(digits as f64 / 10_f64.powi(decimals));
        }
    }
}
