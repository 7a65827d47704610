//! Labs that measure with `cargo compare` ask for what there is, so that a learner who waits for a
//! measurement gets one.

use std::{fs, process::Command};

use benches::{
    ablation, build::workspace_directory, record::results_directory, render::stored_records,
    subject, workload,
};
use toml::Value;

/// Labs that measure with this instrument: id, arguments, both sides.
fn labs_with(instrument: &str) -> Vec<(String, Vec<String>, [String; 2])> {
    let folders = fs::read_dir(workspace_directory().join("labs/catalog")).unwrap();
    let found = folders.filter_map(|folder| {
        let folder = folder.unwrap();
        let text = fs::read_to_string(folder.path().join("lab.toml")).unwrap();
        let page: Value = toml::from_str(&text).unwrap();
        let measure = page.get("measure")?;
        let arguments = measure["with"].get(instrument)?["arguments"].as_array().unwrap();
        let texts = arguments.iter().map(|it| it.as_str().unwrap().to_owned());
        let sides = ["of", "to"].map(|side| measure[side].as_str().unwrap().to_owned());
        Some((folder.file_name().into_string().unwrap(), texts.collect(), sides))
    });
    let found: Vec<_> = found.collect();
    assert!(!found.is_empty(), "no lab measures with {instrument}");
    found
}

/// What takes part in such a comparison.
fn subjects(arguments: &[String]) -> Vec<&str> {
    let place = arguments.iter().position(|argument| argument == "--toggle");
    if let Some(place) = place {
        let toggle = ablation::find(&arguments[place + 1]).unwrap();
        return toggle.subjects().iter().map(|subject| subject.id).collect();
    }
    let names = arguments.iter().flat_map(|argument| argument.split(','));
    names.filter_map(|name| subject::find(name).ok()).map(|subject| subject.id).collect()
}

#[test]
fn a_lab_that_compares_servers_compares_both_of_its_sides() {
    for (lab, arguments, sides) in labs_with("compare") {
        for side in sides {
            let (subject, load) = side.split_once('/').unwrap_or((&side, ""));
            assert!(subjects(&arguments).contains(&subject), "{lab}: {subject} does not take part");
            if !load.is_empty() {
                workload::find(load).unwrap();
                let mut asked = arguments.iter().flat_map(|argument| argument.split(','));
                assert!(asked.any(|name| name == load), "{lab}: {load} is not asked for");
            }
        }
    }
}

#[test]
fn cargo_compare_takes_the_arguments_of_each_lab() {
    for (instrument, first) in [("compare", None), ("layers", Some("layers"))] {
        for (lab, arguments, _) in labs_with(instrument) {
            // A command line that is wrong is refused before anything is built.
            let output = Command::new(env!("CARGO_BIN_EXE_compare"))
                .args(first)
                .args(&arguments)
                .arg("--json")
                .env("CARGO", "/no/such/cargo")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("cannot run cargo"), "{lab}: {said}");
        }
    }
}

/// What a layer is called is only known once it has run, so both have to be in a stored record.
#[test]
fn a_lab_that_times_layers_names_two_that_were_recorded() {
    let records = stored_records(&results_directory()).unwrap();
    let mut known = Vec::new();
    for group in records.iter().flat_map(|record| &record.layers) {
        known.extend(group.benchmarks.iter().map(|it| format!("{}/{}", group.id, it.id)));
    }
    for (lab, _, sides) in labs_with("layers") {
        for side in sides {
            assert!(known.contains(&side), "{lab}: {side} is not among {known:#?}");
        }
    }
}
