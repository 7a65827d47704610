//! A moment in whole milliseconds, and its text form: RFC 3339 (Klyne and Newman, 2002).
//!
//! What always holds: a [`Timestamp`] lies between 1970 and the end of year 9999, so it can always
//! be written with a year of four digits, and the order of the texts is the order of the moments.
//!
//! Reading is left to chrono, whose reader is a little wider than the RFC. Where they differ:
//!
//! | input | chrono | here |
//! |---|---|---|
//! | a space in place of the `T` | taken | refused: the grammar of section 5.6 has a `T` |
//! | U+2212 (minus sign) before an offset | taken | refused: the grammar has a hyphen |
//! | second 60 in any minute | taken | only at the end of a month in UTC, as section 5.7 says |
//! | a fraction of any length | taken | up to 64 bytes in all |
//!
//! Also worth knowing: `t` and `z` may be lower case, as section 5.6 allows. The offset `-00:00`
//! (UTC is known, local time is not, section 4.3) names the same moment as `Z`.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike, FixedOffset, Timelike, Utc};

use crate::limits::{TIMESTAMP_TEXT_BYTES_MAX, TIMESTAMP_UNIX_MS_MAX, TIMESTAMP_UNIX_MS_MIN};

/// A moment: milliseconds since the start of 1970 in UTC, leap seconds not counted.
///
/// Displayed as `2025-09-17T13:45:23.123Z`, always 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    unix_ms: i64,
}

impl Timestamp {
    /// The earliest moment, 1970-01-01T00:00:00.000Z.
    pub const MIN: Self = Self { unix_ms: TIMESTAMP_UNIX_MS_MIN };

    /// The latest moment, 9999-12-31T23:59:59.999Z.
    pub const MAX: Self = Self { unix_ms: TIMESTAMP_UNIX_MS_MAX };

    /// Length of the text form, in bytes.
    pub const RFC3339_LEN: usize = 24;

    /// Takes Unix milliseconds from [`Timestamp::MIN`] to [`Timestamp::MAX`].
    pub const fn from_unix_ms(unix_ms: i64) -> Result<Self, InvalidTimestamp> {
        if unix_ms < TIMESTAMP_UNIX_MS_MIN || unix_ms > TIMESTAMP_UNIX_MS_MAX {
            return Err(InvalidTimestamp::OutOfRange);
        }
        Ok(Self { unix_ms })
    }

    /// Reads an RFC 3339 date and time with `Z` or a numeric offset.
    ///
    /// Digits beyond the millisecond are cut, not rounded, so that a moment never moves into the
    /// future. A leap second, `23:59:60`, is the same moment as the second that follows it, because
    /// Unix time has no number of its own for it. It is taken at the end of every month, whether or
    /// not there was one: a list of past leap seconds would be wrong from the next one on.
    ///
    /// ```
    /// use metrics_model::Timestamp;
    ///
    /// let moment = Timestamp::parse_rfc3339("2025-09-17T15:45:23.1239+02:00")?;
    /// assert_eq!(moment.unix_ms(), 1_758_116_723_123);
    /// assert_eq!(moment.to_string(), "2025-09-17T13:45:23.123Z");
    /// # Ok::<(), metrics_model::InvalidTimestamp>(())
    /// ```
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTimestamp> {
        if text.len() > TIMESTAMP_TEXT_BYTES_MAX {
            return Err(InvalidTimestamp::TooLong);
        }
        if !text.is_ascii() || text.contains(' ') {
            return Err(InvalidTimestamp::NotRfc3339);
        }
        let moment =
            DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTimestamp::NotRfc3339)?;
        let timestamp = Self::from_unix_ms(moment.timestamp_millis())?;
        if is_leap_second(&moment) && !timestamp.is_first_second_of_a_month() {
            return Err(InvalidTimestamp::MisplacedLeapSecond);
        }
        Ok(timestamp)
    }

    /// Milliseconds since the start of 1970 in UTC.
    pub const fn unix_ms(self) -> i64 {
        self.unix_ms
    }

    /// The text form in a fixed array, for a writer that does not want to allocate.
    pub fn to_rfc3339(self) -> [u8; Self::RFC3339_LEN] {
        let utc = self.to_utc();
        let mut text = *b"0000-00-00T00:00:00.000Z";
        put_digits(&mut text[0..4], utc.year().unsigned_abs());
        put_digits(&mut text[5..7], utc.month());
        put_digits(&mut text[8..10], utc.day());
        put_digits(&mut text[11..13], utc.hour());
        put_digits(&mut text[14..16], utc.minute());
        put_digits(&mut text[17..19], utc.second());
        put_digits(&mut text[20..23], utc.timestamp_subsec_millis());
        text
    }

    fn is_first_second_of_a_month(self) -> bool {
        let utc = self.to_utc();
        utc.day() == 1 && utc.num_seconds_from_midnight() == 0
    }

    fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.unix_ms).expect("chrono's range contains ours")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_rfc3339();
        f.pad(str::from_utf8(&text).expect("only ASCII is put into the text"))
    }
}

/// Takes what a clock says, cut to the millisecond.
impl TryFrom<SystemTime> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(time: SystemTime) -> Result<Self, InvalidTimestamp> {
        let since_1970 =
            time.duration_since(UNIX_EPOCH).map_err(|_| InvalidTimestamp::OutOfRange)?;
        let unix_ms =
            i64::try_from(since_1970.as_millis()).map_err(|_| InvalidTimestamp::OutOfRange)?;
        Self::from_unix_ms(unix_ms)
    }
}

/// chrono keeps second 60 as second 59 with a fraction of one second or more.
fn is_leap_second(moment: &DateTime<FixedOffset>) -> bool {
    moment.nanosecond() >= 1_000_000_000
}

/// Fills `digits` with the decimal form of `number`, zeros in front.
fn put_digits(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Why something is not a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTimestamp {
    /// The moment lies before 1970 or after 9999, in UTC.
    #[error("outside {} to {}", Timestamp::MIN, Timestamp::MAX)]
    OutOfRange,
    /// The text does not follow the grammar, or there is no such day or time.
    #[error("not an RFC 3339 date and time")]
    NotRfc3339,
    /// The text is longer than [`TIMESTAMP_TEXT_BYTES_MAX`].
    #[error("longer than {TIMESTAMP_TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// Second 60 somewhere else than at the end of a month in UTC.
    #[error("second 60 is not at the end of a month in UTC")]
    MisplacedLeapSecond,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(text: &str) -> Result<i64, InvalidTimestamp> {
        Timestamp::parse_rfc3339(text).map(Timestamp::unix_ms)
    }

    #[test]
    fn the_range_is_1970_to_the_end_of_9999() {
        assert_eq!(Timestamp::from_unix_ms(-1), Err(InvalidTimestamp::OutOfRange));
        assert_eq!(Timestamp::from_unix_ms(0), Ok(Timestamp::MIN));
        assert_eq!(Timestamp::from_unix_ms(253_402_300_799_999), Ok(Timestamp::MAX));
        assert_eq!(Timestamp::from_unix_ms(253_402_300_800_000), Err(InvalidTimestamp::OutOfRange));
        assert_eq!(Timestamp::from_unix_ms(i64::MIN), Err(InvalidTimestamp::OutOfRange));
        assert_eq!(Timestamp::from_unix_ms(i64::MAX), Err(InvalidTimestamp::OutOfRange));
        assert_eq!(
            InvalidTimestamp::OutOfRange.to_string(),
            "outside 1970-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn the_range_of_texts_is_judged_in_utc() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(parse("1969-12-31T23:00:00-01:00"), Ok(0));
        assert_eq!(parse("9999-12-31T23:59:59.999999Z"), Ok(Timestamp::MAX.unix_ms()));
        for text in [
            "1969-12-31T23:59:59.9999Z",
            "1970-01-01T00:59:59.999+01:00",
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T23:59:60Z",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), Err(InvalidTimestamp::OutOfRange), "{text}");
        }
    }

    #[test]
    fn reads_what_the_grammar_allows() {
        for text in [
            "2025-09-17T13:45:23Z",
            "2025-09-17t13:45:23z",
            "2025-09-17T13:45:23.0Z",
            "2025-09-17T13:45:23.000000000000000000000Z",
            "2025-09-17T13:45:23+00:00",
            "2025-09-17T13:45:23-00:00",
            "2025-09-17T19:15:23+05:30",
            "2025-09-16T13:46:23-23:59",
            "2025-09-18T13:44:23+23:59",
        ] {
            assert_eq!(parse(text), Ok(1_758_116_723_000), "{text}");
        }
        assert_eq!(parse("2024-02-29T00:00:00Z"), Ok(1_709_164_800_000));
    }

    #[test]
    fn refuses_what_the_grammar_does_not_have() {
        for text in [
            "",
            "2025-09-17",
            "2025-09-17T13:45:23",
            "2025-09-17T13:45Z",
            "2025-09-17 13:45:23Z",
            "2025-09-17T13:45:23 Z",
            " 2025-09-17T13:45:23Z",
            "2025-09-17T13:45:23Z ",
            "2025-09-17T13:45:23Zulu",
            "2025-09-17T13:45:23.Z",
            "2025-09-17T13:45:23,5Z",
            "2025-09-17T13:45:23+0200",
            "2025-09-17T13:45:23+02",
            "2025-09-17T13:45:23+24:00",
            "2025-09-17T13:45:23+00:60",
            "2025-09-17T13:45:23\u{2212}02:00",
            "2025-09-17T13:45:23 UTC",
            "20250917T134523Z",
            "+2025-09-17T13:45:23Z",
            "-2025-09-17T13:45:23Z",
            "12025-09-17T13:45:23Z",
            "2025-9-17T13:45:23Z",
            "2025-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-09-00T00:00:00Z",
            "2025-09-17T24:00:00Z",
            "2025-09-17T13:60:00Z",
            "2025-09-17T13:45:61Z",
            "٢٠٢٥-09-17T13:45:23Z",
            "1758116723000",
        ] {
            assert_eq!(parse(text), Err(InvalidTimestamp::NotRfc3339), "{text}");
        }
    }

    #[test]
    fn digits_beyond_the_millisecond_are_cut() {
        assert_eq!(parse("2025-09-17T13:45:23.1Z"), Ok(1_758_116_723_100));
        assert_eq!(parse("2025-09-17T13:45:23.1239999999999Z"), Ok(1_758_116_723_123));
        assert_eq!(parse("2025-09-17T13:45:23.0009Z"), Ok(1_758_116_723_000));
    }

    #[test]
    fn a_text_may_have_64_bytes() {
        let with_digits = |count| format!("2025-09-17T13:45:23.{}Z", "0".repeat(count));
        assert_eq!(with_digits(43).len(), 64);
        assert_eq!(parse(&with_digits(42)), Ok(1_758_116_723_000));
        assert_eq!(parse(&with_digits(43)), Ok(1_758_116_723_000));
        assert_eq!(parse(&with_digits(44)), Err(InvalidTimestamp::TooLong));
    }

    #[test]
    fn a_leap_second_is_the_second_that_follows_it() {
        let new_year_2017 = parse("2017-01-01T00:00:00Z").unwrap();
        assert_eq!(parse("2016-12-31T23:59:60Z"), Ok(new_year_2017));
        assert_eq!(parse("2016-12-31T23:59:60.999Z"), Ok(new_year_2017 + 999));
        assert_eq!(parse("2016-12-31T15:59:60-08:00"), Ok(new_year_2017));
        assert_eq!(parse("2017-01-01T05:29:60+05:30"), Ok(new_year_2017));
        assert_eq!(parse("2015-06-30T23:59:60Z"), parse("2015-07-01T00:00:00Z"));
    }

    #[test]
    fn second_60_is_refused_elsewhere_than_at_the_end_of_a_month_in_utc() {
        for text in [
            "2016-12-31T12:00:60Z",
            "2016-12-31T22:59:60Z",
            "2017-01-01T00:00:60Z",
            "2016-12-30T23:59:60Z",
            "2016-12-31T23:59:60-08:00",
        ] {
            assert_eq!(parse(text), Err(InvalidTimestamp::MisplacedLeapSecond), "{text}");
        }
    }

    #[test]
    fn display_has_24_bytes_and_honours_padding() {
        assert_eq!(Timestamp::MIN.to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(format!("{:>26}|", Timestamp::MIN), "  1970-01-01T00:00:00.000Z|");
    }

    #[test]
    fn a_clock_reading_is_cut_to_the_millisecond() {
        let read = |since_1970| Timestamp::try_from(UNIX_EPOCH + since_1970);
        assert_eq!(read(Duration::from_micros(1_999)), Timestamp::from_unix_ms(1));
        assert_eq!(
            Timestamp::try_from(UNIX_EPOCH - Duration::from_nanos(1)),
            Err(InvalidTimestamp::OutOfRange)
        );
        assert_eq!(read(Duration::from_hours(24 * 366 * 8030)), Err(InvalidTimestamp::OutOfRange));
    }
}
