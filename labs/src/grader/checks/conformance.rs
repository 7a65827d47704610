//! Suites that others wrote: llhttp's requests and `JSONTestSuite`. They are data beside the
//! workspace; where they are missing, the check says so and is not run.

use std::fmt::Write as _;

use testkit::json_suite::{self, Case, Verdict};
use testkit::llhttp;

use crate::grader::bytes;
use crate::grader::check::{Check, Failure, Tried};
use crate::grader::phase::Phase;
use crate::grader::session::Session;
use crate::grader::table::asks;
use crate::grader::target::Target;
use crate::grader::template::Setting;

/// Wrong verdicts that are shown. Behind them there is usually one cause.
const SHOWN: usize = 5;

pub(in crate::grader) fn checks() -> Vec<Check> {
    vec![
        asks(
            "conformance/json",
            "takes and refuses the bodies of JSONTestSuite as RFC 8259 demands",
            Phase::Zero,
            Setting::Roomy,
            json,
            "the JSON reader forgives what is no JSON, or refuses some of it; skipped fields are \
             checked too",
        )
        .unless(&[lacks_json]),
        asks(
            "conformance/llhttp",
            "takes and refuses llhttp's own requests as RFC 9112 demands",
            Phase::One,
            Setting::Roomy,
            requests,
            "the reader of requests forgives what two readers could understand differently",
        )
        .unless(&[lacks_requests]),
    ]
}

fn lacks_json(_: &Target) -> Option<String> {
    let missing = json_suite::find().is_none();
    missing.then(|| {
        format!(
            "{} cases skipped: ../shared/suites/JSONTestSuite is not there",
            json_suite::count()
        )
    })
}

fn lacks_requests(_: &Target) -> Option<String> {
    let missing = !llhttp::is_there();
    missing.then(|| {
        format!(
            "{} cases skipped: ../shared/suites/llhttp-requests.json is not there",
            llhttp::SCORED
        )
    })
}

fn json(session: &Session) -> Tried {
    let cases = json_suite::find().unwrap_or_default();
    let mut wrong = Vec::new();
    for case in &cases {
        // One client asks for all of them, and a limit is not what is asked about.
        let id = wrong.len() + case.body.len();
        let request = [head(&case.body, id).as_bytes(), &case.body].concat();
        let response = session.exchange(&request)?;
        if !is_right(case, response.status) {
            wrong.push(format!(
                "{}: {} to {}",
                case.name,
                response.status,
                bytes::readable(&case.body)
            ));
        }
    }
    verdict(
        "the bodies of JSONTestSuite",
        cases.len(),
        &wrong,
        "202 to y_, 400 to n_, one of them to i_",
    )
}

fn head(body: &[u8], client: usize) -> String {
    format!(
        "POST /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\nX-Client-Id: suite-{client}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
}

/// What the RFC leaves open may be taken or refused, as long as it is answered.
fn is_right(case: &Case, status: u16) -> bool {
    match (case.is_open(), case.verdict) {
        (true, _) => [202, 400].contains(&status),
        (false, Verdict::Taken) => status == 202,
        (false, Verdict::Refused) => status == 400,
    }
}

fn requests(session: &Session) -> Tried {
    let wrong = llhttp::wrong_at(session.address, session.phase.has_keep_alive());
    let expected = "an answer to what is good, 4xx or the end to what is not";
    verdict("llhttp's requests", llhttp::SCORED, &wrong.unwrap_or_default(), expected)
}

fn verdict(suite: &str, count: usize, wrong: &[String], expected: &str) -> Tried {
    if wrong.is_empty() {
        return Ok(Some(format!("{count} of {count} cases")));
    }
    let mut came_back = format!("{} of {count} are wrong:", wrong.len());
    for case in wrong.iter().take(SHOWN) {
        let _ = write!(came_back, "\n{case}");
    }
    Err(Failure::new(suite, came_back, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_open_may_be_taken_or_refused_and_nothing_else() {
        let case = |name: &str, verdict| Case { name: name.into(), body: vec![], verdict };
        for (name, verdict, right) in [
            ("y_a", Verdict::Taken, &[202][..]),
            ("n_a", Verdict::Refused, &[400]),
            ("i_a", Verdict::Taken, &[202, 400]),
            ("i_a", Verdict::Refused, &[202, 400]),
        ] {
            let found: Vec<u16> = [200, 202, 400, 500]
                .into_iter()
                .filter(|it| is_right(&case(name, verdict), *it))
                .collect();
            assert_eq!(found, right, "{name}");
        }
    }

    #[test]
    fn the_first_wrong_ones_are_shown_and_all_are_counted() {
        let wrong: Vec<String> = (0..9).map(|case| format!("case {case}")).collect();
        let failure = verdict("x", 10, &wrong, "y").unwrap_err();
        assert!(failure.came_back.starts_with("9 of 10 are wrong:\ncase 0\n"), "{failure:?}");
        assert!(failure.came_back.ends_with("\ncase 4"), "{failure:?}");
        assert_eq!(verdict("x", 10, &[], "y"), Ok(Some("10 of 10 cases".into())));
    }
}
