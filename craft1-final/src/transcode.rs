//! A body of JSON straight to the lines of `metrics.jsonl`.
//!
//! What always holds: the lines, the count and every refusal are those of phase 3, which reads a
//! body to a batch (`json.rs`) and writes the batch to lines (`line.rs`). A test compares the two.
//!
//! The idea is that a stored line says nearly what was sent, in the same words. So the body is only
//! checked, and what is stored of it is copied in runs that are as long as possible: for a metric
//! without white space and timestamp, one copy. No number is computed, and nothing is allocated.
//! A run is cut where the two differ:
//!
//! | sent | stored |
//! |---|---|
//! | white space between tokens | nothing |
//! | `85` or `85.50` | `85.0` or `85.5` |
//! | `"type":"gauge"` | nothing: it is the default |
//! | `"timestamp":…` | in front, always as text of 24 bytes |
//!
//! What is spelled in another way (fields in another order, escapes, exponents, text that is not
//! ASCII, fields that nobody asks for) and everything that is wrong goes the long way through a
//! batch. So this file has no error messages, and never has the last word on a refusal.

#![expect(
    clippy::inline_always,
    reason = "a call takes the place in the body out of its registers"
)]

mod source;
mod text;

use craft1_phase1::service::{BadBody, Delivery};
use craft1_phase3::{json, line};
use metrics_model::Timestamp;
use metrics_model::limits::{METRICS_PER_BATCH_MAX, NAME_BYTES_MAX, TAG_VALUE_BYTES_MAX};

use source::{Number, Source};

/// Tags of a metric that goes the short way. They are compared each with each, and most have fewer.
const TAGS_MAX: usize = 8;

/// What every line begins with, the timestamp in the middle.
const BEFORE_TIMESTAMP: &[u8; 14] = br#"{"timestamp":""#;
const BEHIND_TIMESTAMP: &[u8; 2] = br#"","#;
const HEAD_LEN: usize = BEFORE_TIMESTAMP.len() + Timestamp::RFC3339_LEN + BEHIND_TIMESTAMP.len();

/// The time for metrics that bring none, spelled once for many requests.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    at: Timestamp,
    line_head: [u8; HEAD_LEN],
}

impl From<Timestamp> for Arrival {
    fn from(at: Timestamp) -> Self {
        let mut line_head = [0; HEAD_LEN];
        let (before, rest) = line_head.split_at_mut(BEFORE_TIMESTAMP.len());
        let (timestamp, behind) = rest.split_at_mut(Timestamp::RFC3339_LEN);
        before.copy_from_slice(BEFORE_TIMESTAMP);
        timestamp.copy_from_slice(&at.to_rfc3339());
        behind.copy_from_slice(BEHIND_TIMESTAMP);
        Self { at, line_head }
    }
}

/// Reads the body of `POST /metrics`, appends a line for each of its metrics and counts them.
///
/// `client` is who sent it: 1 to 255 bytes without a control character.
///
/// ```
/// use craft1_final::transcode::{self, Arrival};
/// use metrics_model::Timestamp;
///
/// let mut lines = Vec::new();
/// let body = br#"{"name": "cpu_usage", "value": 75.50}"#;
/// let count = transcode::lines(body, &mut lines, &Arrival::from(Timestamp::MIN), None)?;
/// let expected = r#"{"timestamp":"1970-01-01T00:00:00.000Z","name":"cpu_usage","value":75.5}"#;
/// assert_eq!((count, String::from_utf8(lines)?), (1, format!("{expected}\n")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of phase 3. `lines` is as it was then.
pub fn lines(
    body: &[u8],
    lines: &mut Vec<u8>,
    arrival: &Arrival,
    client: Option<&str>,
) -> Result<usize, BadBody> {
    let start = lines.len();
    if let Some(count) = copy(body, lines, arrival, client) {
        return Ok(count);
    }
    lines.truncate(start);
    let delivery = Delivery { batch: json::parse(body)?, client };
    line::encode(lines, &delivery, arrival.at);
    Ok(delivery.batch.len())
}

/// The short way; `None` is no verdict. Whatever stands in `lines` then is of no use.
fn copy(
    body: &[u8],
    lines: &mut Vec<u8>,
    Arrival { line_head, .. }: &Arrival,
    client: Option<&str>,
) -> Option<usize> {
    if client.is_some_and(|client| text::plain_len(client.as_bytes()) < client.len()) {
        return None;
    }
    let mut copy = Copy { source: Source::new(body), lines, line_head, client };
    copy.source.skip_blanks();
    copy.source.take(b"{")?;
    copy.source.skip_blanks();
    let count = match copy.source.take(br#""metrics""#) {
        Some(()) => copy.list()?,
        None => copy.metric().map(|()| 1)?,
    };
    copy.source.skip_blanks();
    copy.source.is_at_end().then_some(count)
}

/// Members in the order in which they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Nothing,
    Name,
    Value,
    Kind,
    Tags,
}

struct Copy<'a> {
    source: Source<'a>,
    lines: &'a mut Vec<u8>,
    line_head: &'a [u8; HEAD_LEN],
    client: Option<&'a str>,
}

/// A place to go back to: what was copied and what was not yet, when a member began.
#[derive(Debug, Clone, Copy)]
struct Mark {
    lines_len: usize,
    run_start: usize,
    member_start: usize,
}

impl Copy<'_> {
    /// What comes behind `"metrics"`, up to the end of the object that it stands in.
    fn list(&mut self) -> Option<usize> {
        let mut count = 0;
        self.source.skip_blanks();
        self.source.take(b":")?;
        self.source.skip_blanks();
        self.source.take(b"[")?;
        loop {
            self.source.skip_blanks();
            self.source.take(b"{")?;
            if count == METRICS_PER_BATCH_MAX {
                return None;
            }
            self.metric()?;
            count += 1;
            self.source.skip_blanks();
            if self.source.take(b",").is_none() {
                break;
            }
        }
        self.source.take(b"]")?;
        self.source.skip_blanks();
        self.source.take(b"}")?;
        Some(count)
    }

    /// What comes behind the brace that opens a metric, up to and with the one that closes it.
    #[inline]
    fn metric(&mut self) -> Option<()> {
        let line_start = self.lines.len();
        self.lines.extend_from_slice(self.line_head);
        self.source.begin_run();
        let (mut last, mut has_timestamp) = (Member::Nothing, false);
        if let Some(number) = self.source.name_and_value() {
            self.settle(number);
            if self.source.take(b"}").is_some() {
                self.finish();
                return Some(());
            }
            last = Member::Value;
            self.cut_blanks();
            self.source.take(b",")?;
        }
        loop {
            // The lines end in a comma here, or will once the run is copied.
            self.cut_blanks();
            let mark = self.mark();
            let is_cut = if last < Member::Name && self.key(br#""name""#)? {
                last = Member::Name;
                self.name()?;
                false
            } else if last == Member::Name && self.key(br#""value""#)? {
                last = Member::Value;
                self.number()?;
                false
            } else if last == Member::Value && self.key(br#""type""#)? {
                last = Member::Kind;
                self.is_default_kind()?
            } else if last >= Member::Value && last < Member::Tags && self.key(br#""tags""#)? {
                last = Member::Tags;
                self.tags()?;
                false
            } else if !has_timestamp && self.key(br#""timestamp""#)? {
                has_timestamp = true;
                self.timestamp(line_start)?;
                true
            } else {
                return None;
            };
            if is_cut {
                self.cut_since(mark);
            }
            self.cut_blanks();
            if self.source.take(b",").is_none() {
                if is_cut {
                    self.lines.pop();
                }
                break;
            }
            if is_cut {
                self.source.begin_run();
            }
        }
        self.source.take(b"}")?;
        (last >= Member::Value).then(|| self.finish())
    }

    /// Takes a key and the colon behind it, if it is this one.
    #[inline]
    fn key(&mut self, key: &[u8]) -> Option<bool> {
        if self.source.take(key).is_none() {
            return Some(false);
        }
        self.cut_blanks();
        self.source.take(b":")?;
        self.cut_blanks();
        Some(true)
    }

    #[inline]
    fn name(&mut self) -> Option<()> {
        let name = self.source.text()?;
        (1..=NAME_BYTES_MAX).contains(&name.len()).then_some(())
    }

    #[inline]
    fn number(&mut self) -> Option<()> {
        let number = self.source.number()?;
        self.settle(number);
        Some(())
    }

    /// Gives a number that was read its stored form.
    #[inline(always)]
    fn settle(&mut self, number: Number) {
        if number.wants_decimal {
            self.copy_run();
            self.lines.extend_from_slice(b".0");
        } else if number.zeros_len > 0 {
            self.copy_run();
            self.source.skip(number.zeros_len);
            self.source.begin_run();
        }
    }

    fn is_default_kind(&mut self) -> Option<bool> {
        match self.source.text()? {
            b"gauge" => Some(true),
            b"counter" | b"histogram" => Some(false),
            _ => None,
        }
    }

    fn tags(&mut self) -> Option<()> {
        self.source.take(b"{")?;
        let mut keys: [&[u8]; TAGS_MAX] = [b""; TAGS_MAX];
        for count in 0..TAGS_MAX {
            self.cut_blanks();
            let key = self.source.text()?;
            if !(1..=NAME_BYTES_MAX).contains(&key.len()) || keys[..count].contains(&key) {
                return None;
            }
            keys[count] = key;
            self.cut_blanks();
            self.source.take(b":")?;
            self.cut_blanks();
            if self.source.text()?.len() > TAG_VALUE_BYTES_MAX {
                return None;
            }
            self.cut_blanks();
            if self.source.take(b",").is_none() {
                return self.source.take(b"}");
            }
        }
        None
    }

    /// Puts the timestamp of a metric in the place of the arrival.
    fn timestamp(&mut self, line_start: usize) -> Option<()> {
        let timestamp = match self.source.whole_number() {
            Some(unix_ms) => Timestamp::from_unix_ms(unix_ms).ok()?,
            None => Timestamp::parse_rfc3339(str::from_utf8(self.source.text()?).ok()?).ok()?,
        };
        let place = line_start + BEFORE_TIMESTAMP.len();
        self.lines[place..][..Timestamp::RFC3339_LEN].copy_from_slice(&timestamp.to_rfc3339());
        Some(())
    }

    /// Ends the line behind the brace that closes a metric.
    #[inline]
    fn finish(&mut self) {
        self.copy_run();
        if let Some(client) = self.client {
            self.lines.pop();
            self.lines.extend_from_slice(br#","client":""#);
            self.lines.extend_from_slice(client.as_bytes());
            self.lines.extend_from_slice(b"\"}");
        }
        self.lines.push(b'\n');
    }

    #[inline(always)]
    fn cut_blanks(&mut self) {
        if self.source.is_at_blank() {
            self.cut_at_blank();
        }
    }

    #[cold]
    fn cut_at_blank(&mut self) {
        self.copy_run();
        self.source.skip_blanks();
        self.source.begin_run();
    }

    /// Copies what has been read since the run began, and begins another.
    #[inline]
    fn copy_run(&mut self) {
        self.lines.extend_from_slice(self.source.run());
        self.source.begin_run();
    }

    fn mark(&self) -> Mark {
        let (run_start, member_start) = self.source.places();
        Mark { lines_len: self.lines.len(), run_start, member_start }
    }

    /// Takes back what was copied of the member that began at `mark`, and goes on behind it.
    fn cut_since(&mut self, Mark { lines_len, run_start, member_start }: Mark) {
        self.lines.truncate(lines_len);
        self.lines.extend_from_slice(self.source.between(run_start, member_start));
        self.source.begin_run();
    }
}

#[cfg(test)]
#[path = "transcode_tests.rs"]
mod tests;
