//! A page that shows what a learner did: one file, without anything from elsewhere.
//!
//! What always holds: whatever a learner wrote is text there and nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::catalog::Lab;
use crate::progress::{Done, Measured, Prediction, Progress, State};

/// The page. `labs` are those of the course, in order.
pub fn page(labs: &[&Lab], progress: &Progress, now: &str) -> String {
    let passed = labs.iter().filter(|lab| progress.state(&lab.id) == State::Passed).count();
    let minutes: u32 = labs
        .iter()
        .filter(|lab| progress.state(&lab.id) == State::Passed)
        .map(|lab| u32::from(lab.page.minutes.get()))
        .sum();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Systems Craft: what I did" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Systems Craft: what I did" }
                p { (passed) " of " (labs.len()) " labs passed, about " (minutes) " minutes of work. "
                    "As of " (now) "." }
                @for lab in labs {
                    @if let Some(done) = progress.labs.get(&lab.id) { (section(lab, done)) }
                }
            }
        }
    }
    .into_string()
}

const STYLE: &str = include_str!("portfolio.css");

fn section(lab: &Lab, done: &Done) -> Markup {
    html! {
        section {
            h2 { (lab.page.title) " " small { code { (lab.id) } } }
            p.state {
                (lab.page.work.kind()) " of " (lab.page.package) ": "
                @match (&done.passed, &done.gave_up) {
                    (Some(when), None) => { "passed " (when) }
                    (Some(when), Some(gave_up)) => { "passed " (when) ", after reading the solution " (gave_up) }
                    (None, Some(when)) => { "given up " (when) }
                    (None, None) => { "begun" }
                }
                ", " (done.checks) " checks, " (done.hints.len()) " of 3 hints"
            }
            @if !done.predictions.is_empty() || !done.measurements.is_empty() {
                table {
                    thead { tr { th { "when" } th { "what" } th.number { "times" } th { "from to" } } }
                    tbody {
                        @for it in &done.predictions { (predicted(it)) }
                        @for it in &done.measurements { (measured(it)) }
                    }
                }
            }
            @if let Some(learnt) = &done.learnt { blockquote { (learnt) } }
        }
    }
}

fn predicted(prediction: &Prediction) -> Markup {
    html! {
        tr { td { (prediction.at) } td { "predicted, because " (prediction.reason) }
             td.number { (prediction.number) } td {} }
    }
}

fn measured(it: &Measured) -> Markup {
    let spread = format!("{:.2} to {:.2} in {} rounds", it.min, it.max, it.rounds);
    html! {
        tr { td { (it.at) } td { "measured: " (it.what) }
             td.number { (format!("{:.2}", it.ratio)) } td { (spread) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::course::Course;

    #[test]
    fn what_a_learner_wrote_is_text_and_nothing_else() {
        let root = Course::of_workspace().unwrap().root;
        let catalog = Catalog::read(&root.join("labs/catalog")).unwrap();
        let lab = catalog.find("c1p2-pool-size").unwrap();
        let evil = "</p><script>alert(1)</script>\"'&";
        let mut progress = Progress::default();
        let done = progress.lab(&lab.id);
        done.started = Some(evil.into());
        done.passed = Some(evil.into());
        done.gave_up = Some(evil.into());
        done.learnt = Some(evil.into());
        done.predictions.push(Prediction { at: evil.into(), number: 1.5, reason: evil.into() });
        let (what, at) = (evil.into(), evil.into());
        done.measurements.push(Measured { at, what, ratio: 2.0, min: 1.9, max: 2.1, rounds: 5 });
        let page = page(&[lab], &progress, evil);
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 8);
        assert!(page.contains("1 of 1 labs passed, about 30 minutes"));
        assert!(page.contains("2.00") && page.contains("1.90 to 2.10 in 5 rounds"));
    }
}
