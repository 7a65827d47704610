//! A place in the body, and the tokens of JSON that are spelled as usual.
//!
//! What always holds: a token that is not taken moves nothing, and whatever is taken is ASCII and
//! well formed (RFC 8259). A run is what was read since the last [`Source::begin_run`].

use metrics_model::limits::NAME_BYTES_MAX;

use super::text;

/// Two different decimals of up to 15 digits are never the same double, so the shortest digits of
/// their doubles are their own.
const DIGITS_MAX: usize = 15;

/// Below it every whole number is a double of its own: 2^53.
const EXACT_END: &[u8; 16] = b"9007199254740992";

/// What is stored without an exponent has its first digit among so many decimals: 0.00001.
const LEADING_ZEROS_MAX: usize = 4;

#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    body: &'a [u8],
    position: usize,
    run_start: usize,
}

/// How a number that was read differs from its stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    /// It is whole, and spelled without a decimal.
    pub(super) wants_decimal: bool,
    /// Zeros that follow it and mean nothing. They are not taken yet.
    pub(super) zeros_len: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { body, position: 0, run_start: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.position == self.body.len()
    }

    #[inline(always)]
    fn rest(&self) -> &'a [u8] {
        &self.body[self.position..]
    }

    #[inline(always)]
    pub(super) fn take(&mut self, token: &[u8]) -> Option<()> {
        self.rest().starts_with(token).then(|| self.position += token.len())
    }

    /// RFC 8259, section 2: the four characters between tokens. Other control characters are
    /// believed to be some, and refused when [`Source::skip_blanks`] leaves them.
    #[inline(always)]
    pub(super) fn is_at_blank(&self) -> bool {
        self.rest().first().is_some_and(|byte| *byte <= b' ')
    }

    #[inline(always)]
    pub(super) fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.rest().first() {
            self.position += 1;
        }
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, len: usize) {
        self.position += len;
    }

    /// How a metric begins that is spelled without white space: with its name and its value.
    #[inline(always)]
    pub(super) fn name_and_value(&mut self) -> Option<Number> {
        let mut ahead = *self;
        ahead.take(br#""name":"#)?;
        let name = ahead.text()?;
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) {
            return None;
        }
        ahead.take(br#","value":"#)?;
        let number = ahead.number()?;
        *self = ahead;
        Some(number)
    }

    /// A string without escapes, and without its quotes.
    #[inline(always)]
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest().strip_prefix(b"\"")?;
        let (text, behind) = rest.split_at(text::plain_len(rest));
        behind.starts_with(b"\"").then(|| self.position += text.len() + 2)?;
        Some(text)
    }

    /// A number without an exponent whose digits are those that are stored.
    #[inline(always)]
    pub(super) fn number(&mut self) -> Option<Number> {
        let rest = self.rest();
        let sign_len = usize::from(rest.starts_with(b"-"));
        let rest = &rest[sign_len..];
        let whole_len = digits_len(rest);
        let (whole, behind) = rest.split_at(whole_len);
        let decimals = match behind {
            [b'.', decimals @ ..] => &decimals[..digits_len(decimals)],
            _ => b"",
        };
        let point_len = usize::from(!decimals.is_empty());
        let is_over = !matches!(behind[point_len + decimals.len()..], [b'.' | b'e' | b'E', ..]);
        let zeros_len = match decimals {
            [] | [_] | [.., b'1'..=b'9'] => 0,
            [_, more @ ..] => {
                more.len()
                    - more.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1)
            }
        };
        let kept = &decimals[..decimals.len() - zeros_len];
        if !is_over || !is_stored_as_spelled(whole, kept) {
            return None;
        }
        self.position += sign_len + whole_len + point_len + kept.len();
        Some(Number { wants_decimal: decimals.is_empty(), zeros_len })
    }

    /// A number of Unix milliseconds: digits and nothing else.
    pub(super) fn whole_number(&mut self) -> Option<i64> {
        let rest = self.rest();
        let (digits, behind) = rest.split_at(digits_len(rest));
        let is_spelled_as_usual = matches!(digits, [b'1'..=b'9', ..])
            && digits.len() <= DIGITS_MAX
            && !matches!(behind, [b'.' | b'e' | b'E', ..]);
        is_spelled_as_usual.then(|| self.position += digits.len())?;
        Some(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    #[inline(always)]
    pub(super) fn begin_run(&mut self) {
        self.run_start = self.position;
    }

    #[inline(always)]
    pub(super) fn run(&self) -> &'a [u8] {
        self.between(self.run_start, self.position)
    }

    /// Where the run began, and where it is now.
    #[inline(always)]
    pub(super) fn places(&self) -> (usize, usize) {
        (self.run_start, self.position)
    }

    #[inline(always)]
    pub(super) fn between(&self, start: usize, end: usize) -> &'a [u8] {
        &self.body[start..end]
    }
}

/// Whether a number has these digits in its stored form, too; the last decimal is no zero, unless it
/// is the only one.
#[inline(always)]
fn is_stored_as_spelled(whole: &[u8], decimals: &[u8]) -> bool {
    let digits_len = whole.len() + decimals.len();
    match (whole, decimals) {
        ([b'0'], [b'0', ..]) => {
            let zeros_len = decimals.iter().take_while(|digit| **digit == b'0').count();
            decimals.len() == 1 || zeros_len <= LEADING_ZEROS_MAX && digits_len <= DIGITS_MAX
        }
        ([b'0'] | [b'1'..=b'9', ..], _) if digits_len <= DIGITS_MAX => true,
        ([b'1'..=b'9', ..], [] | [b'0']) => is_below_exact_end(whole),
        _ => false,
    }
}

/// Numbers of the same length are in the order of their digits.
#[inline]
fn is_below_exact_end(digits: &[u8]) -> bool {
    digits.len() <= DIGITS_MAX || digits.len() == EXACT_END.len() && digits < EXACT_END.as_slice()
}

#[inline]
fn digits_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_says_how_its_stored_form_differs() {
        for (text, taken, wants_decimal, zeros_len) in [
            ("85.5", 4, false, 0),
            ("-85.5,", 5, false, 0),
            ("85", 2, true, 0),
            ("0", 1, true, 0),
            ("-0}", 2, true, 0),
            ("0.0", 3, false, 0),
            ("85.50", 4, false, 1),
            ("85.000", 4, false, 2),
            ("0.00001", 7, false, 0),
            ("123456789012345", 15, true, 0),
            ("12345678901234.5", 16, false, 0),
            ("123456789012345.0", 17, false, 0),
            ("-9007199254740991", 17, true, 0),
        ] {
            let mut source = Source::new(text.as_bytes());
            let number = source.number();
            assert_eq!(number, Some(Number { wants_decimal, zeros_len }), "{text}");
            assert_eq!(source.position, taken, "{text}");
        }
    }

    #[test]
    fn a_number_that_is_no_number_or_is_stored_otherwise_is_not_taken() {
        for text in [
            "",
            "-",
            "+1",
            ".5",
            "01",
            "-01.5",
            "1.",
            "1.e5",
            "1e5",
            "1.5E-3",
            "1.2.3",
            "0.000001",
            "12345678901234567",
            "1.234567890123456",
            "NaN",
            "\"1\"",
        ] {
            let mut source = Source::new(text.as_bytes());
            assert_eq!((source.number(), source.position), (None, 0), "{text}");
        }
    }

    #[test]
    fn a_text_ends_at_its_quote_and_has_nothing_to_unescape() {
        let mut source = Source::new(br#""cpu_usage":"#);
        assert_eq!(source.text(), Some(&b"cpu_usage"[..]));
        assert_eq!(source.rest(), b":");
        for text in ["", "cpu\"", "\"cpu", "\"c\\u0070u\"", "\"c\tu\"", "\"c\u{7f}\"", "\"é\""] {
            let mut source = Source::new(text.as_bytes());
            assert_eq!((source.text(), source.position), (None, 0), "{text}");
        }
    }
}
