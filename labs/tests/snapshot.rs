//! The snapshot of every phase is a crate that compiles without a warning and keeps the wire
//! contract.
//!
//! The phases are those that cargo finds; what one can do stands in its own contract test. All
//! snapshots share a target folder, so that what they depend on is compiled once.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use labs::course::{Course, Phase};
use testkit::DataFolder;
use testkit::contract::{self, Capability};

/// Tests here write the same folders, so only one at a time.
static FOLDERS: Mutex<()> = Mutex::new(());

/// A folder that stays from run to run, so that only what changed is compiled again.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("snapshots").join(name)
}

/// Writes the snapshot of a phase as a person would, over whatever an earlier run left behind.
fn write(phase: &Phase) -> PathBuf {
    let folder = folder(&phase.package.name);
    let output = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["snapshot", &phase.id, "--force", "--to"])
        .arg(&folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// Runs cargo in a snapshot, which must give no cause for a warning, neither by its code nor by its
/// manifest.
#[track_caller]
fn cargo(snapshot: &Path, arguments: &[&str]) {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked", "--target-dir"])
        .arg(folder("target"))
        .env("RUSTFLAGS", "-D warnings")
        .env("RUSTDOCFLAGS", "-D warnings")
        .current_dir(snapshot)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let is_clean = output.status.success() && !said.contains("warning: ");
    assert!(is_clean, "cargo {arguments:?} in {}\n{said}", snapshot.display());
}

/// What a phase says it has: the capabilities that stand in `const HAS` of its contract test.
fn capabilities(phase: &Phase) -> Vec<Capability> {
    let file = phase.folder().join("tests/lab_contract.rs");
    let text =
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    has(&text).unwrap_or_else(|| panic!("{} has no `const HAS: [Capability; …]`", file.display()))
}

fn has(text: &str) -> Option<Vec<Capability>> {
    let (_, from_list) = text.split_once("const HAS: [Capability; ")?;
    let (list, _) = from_list.split_once("];")?;
    let is_letter = |it: char| it.is_alphanumeric();
    let names: BTreeSet<&str> = list.split(|it| !is_letter(it)).collect();
    let rows = contract::rows();
    let known = rows.into_iter().filter_map(|row| row.needs);
    Some(known.filter(|capability| names.contains(&*format!("{capability:?}"))).collect())
}

#[test]
fn the_snapshot_of_every_phase_compiles_and_keeps_the_wire_contract() {
    let _one_at_a_time = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let course = Course::of_workspace().unwrap();
    for phase in course.phases() {
        println!("{}", phase.package.name);
        let snapshot = write(phase);
        cargo(&snapshot, &["build"]);
        let program = folder("target").join("debug").join(&*phase.package.name);
        let data = DataFolder::new();
        let server = data.start(program.to_str().unwrap(), &[]);
        contract::run(server.address(), &capabilities(phase)).assert();
        server.stop().assert_success();
        assert!(!data.stored().is_empty());
    }
    assert!(!course.phases().is_empty());
}

#[test]
#[ignore = "slow lane: compiles the tests of every phase again, inside its snapshot"]
fn the_tests_and_the_documentation_of_every_snapshot_are_in_order() {
    let _one_at_a_time = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    for phase in Course::of_workspace().unwrap().phases() {
        println!("{}", phase.package.name);
        let snapshot = write(phase);
        cargo(&snapshot, &["doc", "--no-deps", "--document-private-items"]);
        cargo(&snapshot, &["test"]);
    }
}

#[test]
fn what_a_phase_has_is_read_from_its_contract_test() {
    let text = "const HAS: [Capability; 2] = [Capability::Ready,\n    Capability::Chunked];\n\
                fn other() { Capability::Page }";
    let found: BTreeSet<String> =
        has(text).unwrap().into_iter().map(|capability| format!("{capability:?}")).collect();
    assert_eq!(found, BTreeSet::from(["Chunked", "Ready"].map(String::from)));
    assert!(has("const HAD: [Capability; 0] = [];").is_none());
}
