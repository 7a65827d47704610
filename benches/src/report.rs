//! One self-contained HTML page from records: no network, no script, light and dark.
//!
//! What always holds: each chart has a table with the same figures beside it; nothing is averaged
//! away, so every round is there as a dot and as a row; what lies inside the noise is called so;
//! and text enters the page as text (the markup is [`maud`]'s, which escapes).

pub mod charts;
pub(crate) mod environment;
mod ranking;
mod section;
mod summary;
pub mod table;
pub mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    chart::{STYLE, THEME},
    record::{Integrity, Record},
};

/// It needs nothing from elsewhere, and the browser is told so.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// The page that shows these records, one after the other.
pub fn page(records: &[Record]) -> String {
    let title = title(records);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href=(ICON);
                style { (PreEscaped(THEME)) (PreEscaped(STYLE)) (PreEscaped(include_str!("report/page.css"))) }
            }
            body {
                header { p.brand { "Systems Craft " span.dim { "comparison report" } } h1 { (title) } }
                @if records.len() > 1 { (contents(records)) }
                main { @for record in records { (section::record(record, records.len() > 1)) } }
                footer { (how_to_read()) }
            }
        }
    };
    markup.into_string()
}

const ICON: &str = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>\
<rect width='16' height='16' rx='4' fill='%232563eb'/>\
<path d='M4 12V9m4 3V4m4 8V7' stroke='%23fff' stroke-width='2' stroke-linecap='round'/></svg>";

/// More names than this in a heading say nothing.
const TITLE_NAMES_MAX: usize = 4;

fn title(records: &[Record]) -> String {
    let [record] = records else { return format!("{} comparisons", records.len()) };
    let is_variant = |id: &str| {
        let mut steps = record.ablations.iter().flat_map(|ablation| &ablation.steps);
        steps.any(|step| step.subject == id)
    };
    let ids = record.subjects.iter().map(|subject| subject.id.as_str());
    let ids: Vec<&str> = ids.filter(|id| !is_variant(id)).collect();
    match ids.as_slice() {
        [] => match record.ablations.as_slice() {
            [] => "Nothing was compared".to_owned(),
            [ablation, ..] => format!("Ablation: {}", ablation.toggle),
        },
        [only] => format!("{only}, measured"),
        [first, others @ ..] if others.len() <= TITLE_NAMES_MAX => {
            format!("{first} against {}", listed(others))
        }
        [first, others @ ..] => format!("{first} against {} others", others.len()),
    }
}

fn contents(records: &[Record]) -> Markup {
    html! {
        nav.chips aria-label="Records" {
            @for record in records { a href=(format!("#{}", record.name)) { (record.name) } }
        }
    }
}

fn how_to_read() -> Markup {
    html! {
        h2 { "How to read this page" }
        p {
            "Every dot is one run of a server that was started fresh for it; dots at the same height \
             ran in the same round. The thick line is the median of the rounds. In every round the \
             first server ran twice; its second series is drawn as rings. What the two differ by is \
             the noise of this machine, drawn as a grey band around each median."
        }
        p {
            "Servers are compared round by round, as multiples of each other, so that a machine that \
             slows down for a while slows both. A difference counts only when its multiples separate \
             from those of the twin and their median is outside the band. Everything else is called \
             inside the noise, whatever the medians say."
        }
        p {
            "Trust the server's processor time first: it is read from the operating system for the \
             server alone, so that a busy neighbour disturbs it least. Throughput and latency depend \
             on everything else that the machine does. Failed requests are in no rate and in no \
             latency; they are counted by themselves."
        }
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [others @ .., last] => {
            let others: Vec<&str> = others.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", others.join(", "), last.as_ref())
        }
    }
}

/// Whether a server kept what it accepted, in words.
fn integrity_text(integrity: &Integrity) -> String {
    use load_gen::table::grouped;
    match integrity {
        Integrity::StoresNothing => "stores nothing".to_owned(),
        Integrity::Kept { stored } => format!("all {} lines", grouped(*stored)),
        Integrity::Lost { accepted, stored } => {
            format!("lost {} of {}", grouped(accepted.saturating_sub(*stored)), grouped(*accepted))
        }
        Integrity::Invented { sent, stored } => {
            format!("{} lines of {} metrics sent", grouped(*stored), grouped(*sent))
        }
        Integrity::UncleanEnd { how } => format!("did not end cleanly: {how}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn text_of_a_record_never_becomes_markup() {
        let mut record = sample::record();
        let hostile = r#"<img src=x onerror="alert(1)">"#;
        record.subjects[0].about = hostile.to_owned();
        record.provenance.command = hostile.to_owned();
        record.provenance.machine.cpu = hostile.to_owned();
        record.workloads[0].about = hostile.to_owned();
        record.ablations[0].question = hostile.to_owned();
        record.ablations[0].steps[1].change = hostile.to_owned();
        record.workloads[0].runs[0].integrity = Integrity::UncleanEnd { how: hostile.to_owned() };
        let page = page(&[record]);
        assert!(!page.contains("<img") && page.contains("&lt;img"));
    }

    #[test]
    fn needs_nothing_from_elsewhere() {
        let page = page(&[sample::record()]);
        for reference in ["src=", "@import", "url(h", "href=\"h", "<script"] {
            assert!(!page.contains(reference), "{reference}");
        }
    }

    #[test]
    fn equal_records_give_equal_pages() {
        assert_eq!(page(&[sample::record()]), page(&[sample::record()]));
    }

    #[test]
    fn lists_as_people_do() {
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed::<&str>(&[]), "");
    }
}
