//! Lab test: every `console` command of the README does what the README shows.

use testkit::{DataFolder, readme};

const PHASE4: &str = env!("CARGO_BIN_EXE_craft1-phase4");

#[test]
fn every_command_of_the_readme_prints_what_it_shows() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &[]);
    let count = readme::run(include_str!("../README.md"), &folder, &server);
    assert!(count >= 6, "only {count} examples");
}
