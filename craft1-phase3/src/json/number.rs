//! Numbers (RFC 8259, section 6), exact to the bit.
//!
//! What always holds: a number becomes the double that is nearest to it, the one that the standard
//! library's `parse` gives, and one that is beyond the range of doubles is refused.
//!
//! Nearly every number is settled by one multiplication or division. A whole number up to 2^53 and
//! a power of ten up to 10^22 are doubles without an error, and the processor rounds the result of
//! one operation to the nearest double (IEEE 754), so there is only one rounding, as there should be
//! (William Clinger, "How to Read Floating Point Numbers Accurately", 1990). The others go to the
//! standard library.

#![expect(clippy::inline_always, reason = "a call takes the cursor out of its registers")]

use super::cursor::Cursor;
use super::error::{Checked, Syntax, refuse};

/// 10^0 to 10^22: the powers of ten that are doubles. 5^22 is the last power of five below 2^53.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Every whole number up to here is a double.
const WHOLE_MAX: i64 = 1 << f64::MANTISSA_DIGITS;

/// As many decimal digits as always fit into an `i64`, which becomes a double in one instruction.
const DIGITS_MAX: usize = i64::MAX.ilog10() as usize;

/// Exponents are counted up to here. No body is long enough for the digits that could balance it.
const EXPONENT_MAX: i32 = 1 << 28;

/// Whether what is next can only be a number.
#[inline(always)]
pub(super) fn begins(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.peek(), Some(b'-' | b'0'..=b'9'))
}

/// Reads a number.
#[inline(always)]
pub(super) fn read(cursor: &mut Cursor<'_>) -> Checked<f64> {
    let before = *cursor;
    let decimal = Decimal::read(cursor)?;
    match decimal.magnitude() {
        Some(magnitude) if decimal.is_negative => Ok(-magnitude),
        Some(magnitude) => Ok(magnitude),
        None => read_hard(before, *cursor),
    }
}

/// Reads a number as a whole one: `None` where it is written in another way, or does not fit.
pub(super) fn read_whole(cursor: &mut Cursor<'_>) -> Checked<Option<i64>> {
    let Decimal { is_negative, mantissa, digit_count, is_whole, .. } = Decimal::read(cursor)?;
    // There is no whole number for `-0`.
    let fits = digit_count <= DIGITS_MAX && !(is_negative && mantissa == 0);
    Ok((is_whole && fits).then_some(if is_negative { -mantissa } else { mantissa }))
}

/// Reads a number, and forgets it. That it can be a double is checked all the same.
pub(super) fn skip(cursor: &mut Cursor<'_>) -> Checked<()> {
    read(cursor).map(drop)
}

/// Takes exponents and digits of any length: in linear time, by the algorithms of Daniel Lemire and
/// Michael Eisel ("Number Parsing at a Gigabyte per Second", 2021) and of Nigel Tao.
#[cold]
fn read_hard(mut start: Cursor<'_>, end: Cursor<'_>) -> Checked<f64> {
    let offset = start.position();
    match start.take_text(end.position() - offset).parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => refuse(offset, Syntax::Overflow),
    }
}

/// A number as it is written: ± mantissa × 10^exponent.
#[derive(Debug)]
struct Decimal {
    is_negative: bool,
    /// All digits as one whole number. Of no use where they are more than [`DIGITS_MAX`].
    mantissa: i64,
    /// How many digits there are, zeros in front included.
    digit_count: usize,
    exponent: i32,
    /// Whether it has neither a fraction nor an exponent.
    is_whole: bool,
}

impl Decimal {
    /// `number = [ "-" ] int [ frac ] [ exp ]`
    #[inline(always)]
    fn read(cursor: &mut Cursor<'_>) -> Checked<Self> {
        let is_negative = cursor.take("-");
        let mut mantissa = 0;
        // int = "0" / ( digit1-9 *DIGIT ): a digit behind a zero belongs to no number.
        let mut digit_count =
            if cursor.take("0") { 1 } else { digits(cursor, &mut mantissa)?.len() };
        let (mut exponent, mut is_whole) = (0, true);
        if cursor.take(".") {
            let whole = mantissa;
            let decimals = digits(cursor, &mut mantissa)?;
            if decimals == "0" {
                // So many programs write a whole number as a double.
                mantissa = whole;
            } else {
                digit_count += decimals.len();
                exponent = -i32::try_from(decimals.len()).unwrap_or(EXPONENT_MAX);
            }
            is_whole = false;
        }
        if let Some(b'e' | b'E') = cursor.peek() {
            exponent += cursor.aside(read_exponent)?;
            is_whole = false;
        }
        Ok(Self { is_negative, mantissa, digit_count, exponent, is_whole })
    }

    /// Its value without the sign, where one operation gives it.
    #[inline(always)]
    fn magnitude(&self) -> Option<f64> {
        if self.digit_count > DIGITS_MAX {
            return None;
        }
        let mantissa = self.mantissa as f64;
        if self.exponent == 0 {
            // The conversion itself rounds to the nearest double.
            return Some(mantissa);
        }
        let power = POWERS_OF_TEN.get(self.exponent.unsigned_abs() as usize)?;
        let is_exact = self.mantissa <= WHOLE_MAX;
        is_exact.then(|| if self.exponent < 0 { mantissa / power } else { mantissa * power })
    }
}

/// `exp = e [ "-" / "+" ] 1*DIGIT`
#[cold]
fn read_exponent(cursor: &mut Cursor<'_>) -> Checked<i32> {
    cursor.take_text(1);
    let is_negative = cursor.take("-");
    if !is_negative {
        cursor.take("+");
    }
    let exponent = digits(cursor, &mut 0)?.parse().unwrap_or(EXPONENT_MAX).min(EXPONENT_MAX);
    Ok(if is_negative { -exponent } else { exponent })
}

/// Takes one digit or more, and writes them behind `mantissa`.
#[inline(always)]
fn digits<'a>(cursor: &mut Cursor<'a>, mantissa: &mut i64) -> Checked<&'a str> {
    let mut rest = cursor.rest();
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        // More digits than fit are taken as well; whoever asks for the value looks at their count.
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
        rest = behind;
    }
    match cursor.take_text(cursor.rest().len() - rest.len()) {
        "" => cursor.refuse(Syntax::Digit),
        digits => Ok(digits),
    }
}

#[cfg(test)]
mod tests {
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
}
