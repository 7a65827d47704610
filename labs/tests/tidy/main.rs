//! The rules that keep the repository one project, whoever writes which part.
//!
//! Each rule is a function from a tree of files, or from what cargo says, to findings. The tests
//! here run the rules on this repository. The tests beside each rule run it on a small tree that
//! breaks it, because a rule that never complains is no rule.
//!
//! | file | rules |
//! |---|---|
//! | `anchors` | regions of files that the book shows and labs cut out |
//! | `direction` | who may depend on whom |
//! | `replaced` | no phase imports what it replaces, and none hands imports on |
//! | `files` | how a file opens, how long it may be, that no two are equal |
//! | `functions` | how long a function may be |
//! | `exceptions` | unsafe code and exceptions from lints have their reasons |
//! | `places` | no path of somebody's machine, and no registry but the official one |
//! | `phases` | what every phase has beside its sources |

mod anchors;
mod direction;
mod exceptions;
mod files;
mod finding;
mod functions;
mod phases;
mod places;
mod replaced;
mod tokens;

use std::sync::LazyLock;

use cargo_metadata::Metadata;
use labs::course::{self, Course};
use labs::tree::Tree;

use finding::assert_none;

/// The repository as git would add it.
static REPOSITORY: LazyLock<Tree> = LazyLock::new(|| {
    let workspace = METADATA.workspace_root.as_std_path();
    Tree::read(workspace).unwrap_or_else(|error| panic!("{error}"))
});

static METADATA: LazyLock<Metadata> =
    LazyLock::new(|| course::workspace().unwrap_or_else(|error| panic!("{error}")));

/// The folders of the craft's phases, the first one first.
fn phase_folders() -> Vec<String> {
    let course = Course::of_workspace().unwrap();
    course.phases().iter().map(|phase| phase.package.name.to_string()).collect()
}

#[test]
fn the_repository_is_seen_as_it_is() {
    for path in ["Cargo.toml", ".cargo/config.toml", ".ci/run", "labs/tests/tidy/main.rs"] {
        assert!(REPOSITORY.get(path).is_some(), "{path}");
    }
    let crates = direction::crates(&METADATA);
    let phase1 = crates.iter().find(|it| it.folder == "craft1-phase1").unwrap();
    let imports = phase1.imports.iter().map(|import| (&*import.name, import.for_tests));
    assert_eq!(imports.collect::<Vec<_>>(), [("metrics-model", false), ("testkit", true)]);
}

#[test]
fn crates_import_only_what_the_staircase_allows() {
    assert_none(&direction::check(&direction::crates(&METADATA)));
}

#[test]
fn no_phase_imports_a_module_that_it_replaces() {
    assert_none(&replaced::imports(&REPOSITORY, &phase_folders()));
}

#[test]
fn no_phase_hands_on_what_it_imports() {
    assert_none(&replaced::reexports(&REPOSITORY, &phase_folders()));
}

#[test]
fn no_two_files_are_equal() {
    assert_none(&files::equal(&REPOSITORY));
}

#[test]
fn every_rust_file_says_first_what_it_is() {
    assert_none(&files::opening(&REPOSITORY));
}

#[test]
fn files_stay_within_their_length() {
    assert_none(&files::lengths(&REPOSITORY, &files::LONGER));
}

#[test]
fn functions_stay_within_their_length() {
    assert_none(&functions::lengths(&REPOSITORY));
}

#[test]
fn anchors_make_regions() {
    assert_none(&anchors::whole(&REPOSITORY));
}

#[test]
fn unsafe_code_says_why_it_is_sound() {
    assert_none(&exceptions::unsafe_code(&REPOSITORY));
}

#[test]
fn exceptions_from_lints_have_their_reason() {
    assert_none(&exceptions::lints(&REPOSITORY));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    assert_none(&exceptions::manifests(&REPOSITORY));
}

#[test]
fn no_file_names_a_place_on_somebodys_machine() {
    assert_none(&places::machine_paths(&REPOSITORY, &places::MEANT));
}

#[test]
fn every_dependency_comes_from_the_official_registry() {
    assert_none(&places::registries(&REPOSITORY));
}

#[test]
fn every_phase_has_a_page_lab_tests_and_benchmarks() {
    let mut folders = phase_folders();
    folders.push("phase0".to_owned());
    assert_none(&phases::complete(&REPOSITORY, &folders));
}
