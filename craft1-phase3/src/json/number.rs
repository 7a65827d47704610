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
    // ANCHOR: hard
    let offset = start.position();
    match start.take_text(end.position() - offset).parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => refuse(offset, Syntax::Overflow),
    }
    // ANCHOR_END: hard
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
        // ANCHOR: decimal
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
        // ANCHOR_END: decimal
    }

    /// Its value without the sign, where one operation gives it.
    #[inline(always)]
    fn magnitude(&self) -> Option<f64> {
        // ANCHOR: magnitude
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
        // ANCHOR_END: magnitude
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
#[path = "number_tests.rs"]
mod tests;
