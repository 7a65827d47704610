//! Lab test: every `console` command of the README does what the README shows.

use testkit::{DataFolder, readme};

const PHASE1: &str = env!("CARGO_BIN_EXE_craft1-phase1");

#[test]
fn every_command_of_the_readme_prints_what_it_shows() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &[]);
    let count = readme::run(include_str!("../README.md"), &folder, &server);
    assert!(count >= 10, "only {count} examples");
}
