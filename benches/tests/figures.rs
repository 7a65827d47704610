//! The documents of this repository say nothing about speed that no record holds, and nothing stale.

use benches::build::workspace_directory;
use benches::measure::Measure;
use benches::record::{Record, results_directory};
use benches::render::{Rendering, stored_records};
use benches::statistics::Verdict;

#[test]
fn every_figure_has_its_record_and_is_up_to_date() {
    let records = stored_records(&results_directory()).expect("readable records");
    let rendering = Rendering::of(workspace_directory(), records).expect("readable documents");
    let failures: Vec<String> = rendering.failures().iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "run cargo compare render:\n{}", failures.join("\n"));
}

/// `second-quick` is part of `phases-and-rivals`, measured again: a difference that one of them calls
/// significant has the same direction in the other, and both call the same server, run twice, equal.
#[test]
fn two_records_of_the_same_servers_agree() {
    let load = |name| Record::load(&results_directory(), name).expect("a readable record");
    let (first, second) = (load("phases-and-rivals"), load("second-quick"));
    let mut compared = 0;
    for again in &second.workloads {
        let workload = first.workload(&again.id).expect("the same workload");
        assert_eq!((workload.is_quiet(), again.is_quiet()), (Some(true), Some(true)));
        for measure in [Measure::CpuPerRequest, Measure::RequestsPerSecond] {
            for (one, other) in pairs(&second) {
                let versus = [workload, again]
                    .map(|record| record.cell(one, other, measure).and_then(|cell| cell.versus));
                let [Some(a), Some(b)] = versus else { panic!("{one} and {other} have both run") };
                if [a, b].iter().any(|versus| versus.verdict == Verdict::Significant) {
                    let id = &again.id;
                    assert_eq!(a.ratio > 1.0, b.ratio > 1.0, "{id}, {measure:?}: {one}, {other}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 0, "nothing was compared");
}

fn pairs(record: &Record) -> Vec<(&str, &str)> {
    let ids: Vec<&str> = record.subjects.iter().map(|subject| subject.id.as_str()).collect();
    let all = ids
        .iter()
        .enumerate()
        .flat_map(|(at, one)| ids[at + 1..].iter().map(move |other| (*one, *other)));
    all.collect()
}
