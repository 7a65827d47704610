//! What `--help` says is read by people, so a person has looked at it.

use std::process::Command;

#[test]
fn help_is_for_a_newcomer() {
    let output = Command::new(env!("CARGO_BIN_EXE_craft1-final")).arg("--help").output().unwrap();
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}
