//! The wire contract: the rows of testkit, each with its likely cause.

use std::fmt::Write as _;
use std::time::Duration;

use testkit::contract::{Mismatch, Row, rows};

use crate::grader::bytes;
use crate::grader::check::{Check, Failure, Run, Tried};
use crate::grader::phase::Phase;
use crate::grader::session::{ANSWER_MAX, Session, why};
use crate::grader::template::Setting;

pub(in crate::grader) fn checks() -> Vec<Check> {
    rows().into_iter().map(check).collect()
}

fn check(row: Row) -> Check {
    Check {
        name: format!("contract/{}", slug(row.claim)),
        claim: row.claim.to_owned(),
        span: Phase::span(row.needs),
        obstacles: &[],
        teaches: likely(row.claim),
        run: Run::Asks(Setting::Roomy, Box::new(move |session| try_row(&row, session, ANSWER_MAX))),
    }
}

fn try_row(row: &Row, session: &Session, deadline: Duration) -> Tried {
    match row.try_at(session.address, deadline) {
        Ok(()) => Ok(None),
        Err(mismatch) => Err(failure(row, &mismatch)),
    }
}

fn failure(row: &Row, mismatch: &Mismatch) -> Failure {
    let split = match mismatch.piece_len {
        len if len == row.request.len() => "in one piece".to_owned(),
        1 => "byte by byte".to_owned(),
        len => format!("in pieces of {len} bytes"),
    };
    let end = if row.then_finish { ", then the end of our side" } else { "" };
    let came_back = match &mismatch.answers {
        Ok(answers) => answers.iter().map(bytes::response).collect::<Vec<_>>().join("\n"),
        Err(error) => why(error),
    };
    let statuses: Vec<String> = row.statuses.iter().map(ToString::to_string).collect();
    let mut expected = statuses.join(", then ");
    if !row.contains.is_empty() {
        let _ = write!(expected, " with {}", row.contains.join(" and "));
    }
    let is_about_form = mismatch.answers.is_ok() && !mismatch.reason.starts_with("expected");
    if is_about_form {
        let _ = write!(expected, " in good form, not {}", mismatch.reason);
    }
    Failure::new(format!("{}, {split}{end}", bytes::readable(&row.request)), came_back, expected)
}

/// Words in small letters with hyphens: what can be typed.
fn slug(claim: &str) -> String {
    let claim = claim.replace(" -", " minus ");
    let words = claim.split(|it: char| !it.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// What usually causes it: the first row whose words are in the claim.
fn likely(claim: &str) -> &'static str {
    let known = CAUSES.iter().find(|(words, _)| claim.contains(words));
    known.map_or(ANY_CAUSE, |(_, cause)| cause)
}

const ANY_CAUSE: &str =
    "the rule is a row of this name in support/testkit/src/contract.rs; compare it with your code";

/// Words of a claim, and the likely cause where it does not hold. The first that fits counts.
const CAUSES: [(&str, &str); 41] = [
    (
        "bare line feed",
        "lines are split at \\n: a line ends in \\r\\n and nothing else (RFC 9112, 2.2)",
    ),
    ("bare carriage return", "only \\r\\n is looked for, and a lone \\r is taken into the value"),
    (
        "empty line before",
        "the reader takes the first line, even an empty one, for the request line",
    ),
    ("half a head", "the end of the client's side in the middle of a head is not seen as one"),
    (
        "half a body",
        "what has arrived is taken for the body: wait for Content-Length bytes, and refuse an end before",
    ),
    ("two lengths", "only the first (or the last) Content-Length is looked at"),
    ("list of lengths", "a parser of lists stands behind Content-Length: it is one number"),
    (
        "length with",
        "the number parser forgives a sign or blanks: a length is digits and nothing else",
    ),
    ("negative length", "the number parser takes a sign: a length is digits and nothing else"),
    ("empty length", "an empty Content-Length is taken for none or for zero"),
    ("hexadecimal length", "the number parser guesses the base: a length is decimal digits"),
    (
        "beside a transfer encoding",
        "one of the two wins: this is how requests are smuggled, refuse both",
    ),
    ("other transfer encodings", "an unknown Transfer-Encoding is ignored: answer 501"),
    (
        "blank before the colon",
        "names are trimmed: a blank before the colon is refused (RFC 9112, 5.1)",
    ),
    (
        "folded",
        "a line that begins with a blank is joined to the one before: that is obsolete (5.2)",
    ),
    ("Host", "the Host field is not counted: HTTP/1.1 has exactly one"),
    (
        "control character in a value",
        "values are taken as they come: only visible characters, blanks and tabs",
    ),
    ("NUL", "values are taken as they come: only visible characters, blanks and tabs"),
    ("without a length", "a POST without a length is taken for one with an empty body: answer 411"),
    (
        "length beyond 64 bits",
        "the number overflows, or a large one is taken for bad syntax: it is too large, 413",
    ),
    (
        "longer body before",
        "the body is read before its length is looked at: answer 413 from the head alone",
    ),
    (
        "fields",
        "fields are not counted, or the limit is off by one: 100, Host and all others included",
    ),
    ("header section", "the length of the head is not bounded as a whole: 32 KiB"),
    (
        "target",
        "the limit of the target is off by one, or it is the limit of the line: 8 KiB, then 414",
    ),
    (
        "two blanks",
        "the request line is split at any white space: there is exactly one blank (RFC 9112, 3)",
    ),
    (
        "version",
        "the version is not checked: HTTP/1.0 and HTTP/1.1 are known, other HTTP/ versions get 505",
    ),
    ("twice", "the JSON reader keeps the last of two equal keys without a word"),
    ("NaN", "the JSON reader knows NaN, which JSON does not"),
    ("Infinity", "the JSON reader knows Infinity, which JSON does not"),
    ("beyond the range", "1e999 becomes infinity and is taken: a value is finite"),
    ("UTF-8", "bytes are decoded with replacement, or not at all: a body is UTF-8"),
    ("surrogate", "a lone surrogate is taken into the name: it is no character"),
    (
        "nested",
        "the JSON reader calls itself for each level: bound the depth before the stack does",
    ),
    (
        "bytes, not characters",
        "the length of a name is counted in characters: it is 255 bytes of UTF-8",
    ),
    ("white space around", "the reader wants its keys without blanks around them"),
    ("item", "the error does not name the first bad item: metrics[N] in detail, counted from 0"),
    ("batch", "a batch has 1 to 1,000 metrics, is taken whole or refused whole"),
    (
        "timestamp",
        "a timestamp is Unix milliseconds as an integer, or RFC 3339 with a zone, 1970 to 9999",
    ),
    ("tag", "tags are up to 32 pairs of texts: keys of 1 to 255 bytes, values of up to 1,024"),
    (
        "methods",
        "the route is looked up with its method, so another method is not found: answer 405 with Allow",
    ),
    (
        "telemetry",
        "GET /metrics is Prometheus text: Content-Type text/plain; version=0.0.4, and # TYPE lines",
    ),
];

#[cfg(test)]
mod tests {
    use testkit::Response;

    use super::*;

    fn row(claim: &str) -> Row {
        rows().into_iter().find(|row| row.claim == claim).unwrap()
    }

    #[test]
    fn a_claim_can_be_typed() {
        assert_eq!(slug("refuses a bare line feed (2.2)"), "refuses-a-bare-line-feed-2-2");
        assert_eq!(slug("refuses -Infinity"), "refuses-minus-infinity");
    }

    #[test]
    fn the_likely_cause_is_that_of_the_claim() {
        assert!(likely("refuses a bare line feed (2.2)").contains("split at \\n"));
        assert!(likely("refuses a negative length (6.2)").contains("takes a sign"));
        assert_eq!(likely("something new"), ANY_CAUSE);
        for (words, _) in CAUSES {
            assert!(rows().iter().any(|row| row.claim.contains(words)), "no claim says {words:?}");
        }
    }

    #[test]
    fn a_failure_shows_the_bytes_the_answer_and_what_was_expected() {
        let row = row("refuses a bare line feed (2.2)");
        let answer = Response { status: 200, fields: vec![], body: b"{}".to_vec() };
        let reason = "expected [400]".to_owned();
        let mismatch = Mismatch { piece_len: 1, answers: Ok(vec![answer]), reason };
        let failure = failure(&row, &mismatch);
        assert_eq!(failure.sent, r#""GET /health HTTP/1.1\nHost: test\n\n", byte by byte"#);
        assert_eq!((&*failure.came_back, &*failure.expected), ("200, body \"{}\"", "400"));
    }

    #[test]
    fn an_answer_in_bad_form_is_said_to_be_one() {
        let row = row("knows no other path");
        let reason = "no Content-Type".to_owned();
        let answers = Ok(vec![Response { status: 404, fields: vec![], body: vec![] }]);
        let mismatch = Mismatch { piece_len: row.request.len(), answers, reason };
        let failure = failure(&row, &mismatch);
        assert!(failure.sent.ends_with(", in one piece"), "{failure:?}");
        assert_eq!(failure.expected, "404 in good form, not no Content-Type");
    }
}
