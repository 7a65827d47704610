//! Every bound of the wire contract, each with its reason.
//!
//! What always holds: whatever a client sends, the memory and the time that it costs have an upper
//! bound that can be read on this page. That a system should put a limit on everything is a rule
//! of `TigerBeetle`'s "Tiger Style".

/// Longest name of a metric, in bytes of UTF-8.
///
/// A length up to 255 fits in one byte, and it is what common file systems allow a file name
/// (`NAME_MAX`), so other tools that keep names will rarely have to shorten one.
pub const NAME_BYTES_MAX: usize = 255;

/// Most metrics in one batch.
///
/// A batch is taken or refused as a whole, so this bounds how much work one request can demand
/// before others get their turn, and how much one bad item can hold up.
pub const METRICS_PER_BATCH_MAX: usize = 1_000;

/// Most tags on one metric.
///
/// Each distinct set of tags is a series of its own to store and to query. The bound also keeps
/// the search for repeated keys cheap without a hash table: at most 32 × 31 / 2 = 496 comparisons.
pub const TAGS_PER_METRIC_MAX: usize = 32;

/// Longest key of a tag, in bytes of UTF-8. Keys follow the rule of names.
pub const TAG_KEY_BYTES_MAX: usize = NAME_BYTES_MAX;

/// Longest value of a tag, in bytes of UTF-8.
///
/// Enough for a path or a URL. Longer text is a log line, which is not what tags are for.
pub const TAG_VALUE_BYTES_MAX: usize = 1_024;

/// Largest request body, in bytes: 1 MiB.
///
/// About 1 KiB for each metric of a full batch, which is several times what a metric with a
/// handful of tags needs. It is the bound that bites first when every field is at its own limit:
/// one metric can then take 40 KiB.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Longest timestamp written as text, in bytes.
///
/// RFC 3339 sets no bound on the digits of a fraction. Date, time and offset take 26 bytes with
/// the point, so 38 digits remain: far more than any clock has.
pub const TIMESTAMP_TEXT_BYTES_MAX: usize = 64;

/// Earliest timestamp, in Unix milliseconds: 1970-01-01T00:00:00.000Z.
///
/// What comes before is no measurement but a clock that was never set, or a sign error.
pub const TIMESTAMP_UNIX_MS_MIN: i64 = 0;

/// Latest timestamp, in Unix milliseconds: 9999-12-31T23:59:59.999Z.
///
/// RFC 3339 writes a year with exactly four digits.
pub const TIMESTAMP_UNIX_MS_MAX: i64 = 253_402_300_799_999;
