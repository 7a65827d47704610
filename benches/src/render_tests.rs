//! Rendering as a whole: over folders, and over Markdown that nobody would write.

use std::{collections::BTreeMap, fs, path::Path};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::sample;

const PAGE: &str = "\
# Results

It needs <!-- record: sample figure=cpu_us_per_request workload=single subject=fast -->?<!-- /record --> CPU-µs.

<!-- record: sample table=staircase workload=single --><!-- /record -->

<!-- record: sample chart=percentiles workload=single -->
old
<!-- /record -->

The end.
";

fn records() -> BTreeMap<String, Record> {
    BTreeMap::from([("sample".to_owned(), sample::record())])
}

fn folder(file: &str, text: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    root
}

fn rendering(root: &TempDir) -> Rendering {
    Rendering::of(root.path(), vec![sample::record()]).unwrap()
}

fn failures(text: &str) -> Vec<String> {
    let root = folder("README.md", text);
    rendering(&root).failures().iter().map(ToString::to_string).collect()
}

#[test]
fn fills_figures_tables_and_charts_and_is_then_content() {
    let root = folder("docs/page.md", PAGE);
    let first = rendering(&root);
    assert!(!first.failures().is_empty());
    first.write(root.path()).unwrap();
    let text = fs::read_to_string(root.path().join("docs/page.md")).unwrap();
    assert!(text.contains("-->49.50<!-- /record --> CPU-µs."), "{text}");
    assert!(text.contains("| slow | 99.01<br>"), "{text}");
    assert!(text.contains("](src/images/results/sample-single-percentiles.svg)"), "{text}");
    assert!(text.starts_with("# Results\n") && text.ends_with("\n\nThe end.\n"), "{text}");
    assert!(root.path().join("docs/src/images/results/sample-single-percentiles.svg").is_file());
    let second = rendering(&root);
    assert_eq!(second.failures(), []);
    assert_eq!(second.changes, BTreeMap::new());
}

#[test]
fn a_changed_record_makes_its_pages_stale() {
    let root = folder("README.md", PAGE);
    rendering(&root).write(root.path()).unwrap();
    let mut record = sample::record();
    record.workloads[0].runs.iter_mut().for_each(|run| run.server.cpu_us = Some(1e6));
    let stale = Rendering::of(root.path(), vec![record]).unwrap().failures();
    let lines: Vec<usize> = stale.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [3, 5], "the figure and the table, but not the latency: {stale:?}");
}

#[test]
fn names_file_and_line_of_what_it_cannot_repair() {
    assert_eq!(
        failures("a\n\nb <!-- record: absent figure=threads --><!-- /record -->\n"),
        ["README.md:3: there is no record \"absent\""]
    );
    assert_eq!(
        failures("It answers 12,345 requests/s.\n"),
        [
            "README.md:1: \"12,345 requests/s\" looks measured and has no record; mark it, or say <!-- not a measurement -->"
        ]
    );
    let begins = "<!-- record: sample figure=threads workload=single subject=fast --><!-- /record --> threads\n";
    assert!(failures(begins)[0].contains("cannot begin a line"));
    let within = "Here: <!-- record: sample table=environment --><!-- /record -->\n";
    assert!(failures(within)[0].contains("begins a line"));
}

#[test]
fn a_chart_that_nobody_asks_for_is_named() {
    let root = folder("docs/src/images/results/old.svg", "<svg/>");
    assert_eq!(
        rendering(&root).failures()[0].to_string(),
        "docs/src/images/results/old.svg:1: no chart= marker asks for this file; remove it"
    );
}

#[test]
fn files_that_git_ignores_are_left_alone() {
    let root = folder("target/README.md", "It answers 12,345 requests/s.\n");
    fs::write(root.path().join(".gitignore"), "/target\n").unwrap();
    assert_eq!(rendering(&root).failures(), []);
}

fn piece() -> impl Strategy<Value = String> {
    let marker = |fields: &str| format!("<!-- record: sample {fields} -->{{}}<!-- /record -->");
    let figure = marker("figure=latency_p99 workload=batch subject=slow");
    let table = marker("table=costs workload=single");
    let chart = marker("chart=threads workload=batch");
    prop_oneof![
        "[ -~\n]{0,40}",
        "(# |- |> |```|    |\\| |<|\\*|`|\n\n)[a-z0-9 ]{0,10}\n?",
        "[a-z ]{0,9}".prop_map(move |old| figure.replace("{}", &old)),
        "[a-z\n|`*-]{0,20}".prop_map(move |old| format!("\n\n{}\n\n", table.replace("{}", &old))),
        Just(format!("\n\n{}\n\n", chart.replace("{}", ""))),
        Just("<!-- /record -->".to_owned()),
        Just("µs <!-- record: sample figure=threads".to_owned()),
    ]
}

/// What rendering must not touch: a file without the contents of the regions that were filled.
fn outside(text: &str) -> Vec<String> {
    let (regions, _) = regions(text);
    let mut parts = Vec::new();
    let mut done = 0;
    for region in regions {
        parts.push(text[done..region.content.start].to_owned());
        done = region.content.end;
    }
    parts.push(text[done..].to_owned());
    parts
}

proptest! {
    // A picture is drawn in most cases, and twice; more cases would take longer than they tell.
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn rendering_twice_is_rendering_once_and_nothing_outside_is_touched(
        pieces in prop::collection::vec(piece(), 0..12)
    ) {
        let text = pieces.concat();
        let records = records();
        let once = Page::of(Path::new("a.md"), &text, &records).text;
        let twice = Page::of(Path::new("a.md"), &once, &records).text;
        prop_assert_eq!(&twice, &once);
        prop_assert_eq!(outside(&once), outside(&text));
    }
}
