//! What a learner reads when a check fails.

use super::*;
use crate::catalog::Catalog;
use crate::checking::scoring::Tried;
use crate::course::Course;

fn lab(id: &str) -> Lab {
    let root = Course::of_workspace().unwrap().root;
    Catalog::read(&root.join("labs/catalog")).unwrap().find(id).unwrap().clone()
}

fn line(lab: &Lab, name: &str, outcome: Outcome) -> Line {
    Line::new(lab, lab.page.check(name).unwrap(), outcome, 7)
}

fn text(lab: &Lab, report: &Report, has_colour: bool) -> String {
    let mut out = Vec::new();
    report.write(lab, &mut out, has_colour).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_still_to_be_written_has_no_likely_cause() {
    let lab = lab("c1f-spsc");
    let failed = |said: &str| {
        let failure = Failure { test: "t".into(), said: said.into() };
        line(&lab, "threads", Outcome::Failed { tests: vec![failure] })
    };
    assert_eq!(failed("not yet implemented: c1f-spsc: push").likely_cause, None);
    assert!(failed("not yet implemented: another-lab").likely_cause.is_some());
    assert!(failed("left: 1, right: 2").likely_cause.is_some());
    let said = "thread panicked: not yet implemented: c1f-spsc: pop".into();
    let crashed = Outcome::Crashed { test: "t".into(), how: "signal 6".into(), said };
    assert_eq!(line(&lab, "threads", crashed).likely_cause, None);
}

#[test]
fn each_way_to_fail_is_told() {
    let lab = lab("p0-request-log");
    let said = "assertion `left == right` failed\n  left: []\n right: [\"POST /metrics 202\"]";
    let failure = Failure { test: "a_request_has_a_line".into(), said: said.into() };
    let mut report = Report::new(&lab, 7);
    report.passed = false;
    report.checks = vec![
        line(&lab, "lines", Outcome::Failed { tests: vec![failure] }),
        line(&lab, "refused", Outcome::Hung { test: "waits".into(), deadline_s: 90 }),
        line(
            &lab,
            "hostile",
            Outcome::Crashed { test: "dies".into(), how: "signal 6".into(), said: "abort".into() },
        ),
        line(&lab, "silent", Outcome::Missing { tests: vec!["gone".into()] }),
        line(&lab, "contract", Outcome::Passed),
    ];
    insta::assert_snapshot!(text(&lab, &report, false));
    insta::assert_snapshot!(
        "a_report_for_programs",
        serde_json::to_string_pretty(&report).unwrap()
    );
    let coloured = text(&lab, &report, true);
    assert_eq!(coloured.matches("\u{1b}[0m").count(), report.checks.len(), "a word each");
}

#[test]
fn a_score_tells_what_was_found_and_hints_at_the_rest() {
    let lab = lab("c1p1-smuggling");
    let mutants = lab.page.work.mutants().iter().enumerate().map(|(index, mutant)| Tried {
        name: mutant.name.clone(),
        found_by: (index == 1).then(|| "refuses_a_sign".to_owned()).into_iter().collect(),
    });
    let alarm = Failure { test: "always".into(), said: "no".into() };
    let score = Score { tests: 3, false_alarms: vec![alarm], mutants: mutants.collect() };
    assert!(!score.is_full());
    let report = Report { passed: false, score: Some(score), ..Report::new(&lab, 7) };
    insta::assert_snapshot!(text(&lab, &report, false));
}

#[test]
fn a_long_failure_is_cut_and_says_so() {
    let lab = lab("p0-request-log");
    let lines: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let failure = Failure { test: "long".into(), said: lines.join("\n") };
    let outcome = Outcome::Failed { tests: vec![failure] };
    let report = Report { checks: vec![line(&lab, "lines", outcome)], ..Report::new(&lab, 7) };
    assert!(
        text(&lab, &report, false)
            .contains("\n          19\n          … 60 lines …\n          80\n")
    );
}
