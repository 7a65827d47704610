//! Where the programs are that commands are for.
//!
//! What always holds: they are those of the sources as they are now, because cargo builds what is
//! stale. It is asked for the tests of all default members, as the default lane asks, so that within
//! that lane nothing has to be built: what cargo compiles depends on what it is asked for.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::page::root;

/// Every program of the default members, by name.
static PROGRAMS: LazyLock<BTreeMap<String, PathBuf>> = LazyLock::new(build);

/// The program of this name.
pub(crate) fn find(name: &str) -> Option<&'static PathBuf> {
    PROGRAMS.get(name)
}

/// What cargo says of a thing that it made.
#[derive(Debug, Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Target,
    profile: Profile,
}

#[derive(Debug, Deserialize)]
struct Profile {
    /// Whether it is made of unit tests.
    test: bool,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

fn build() -> BTreeMap<String, PathBuf> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["test", "--no-run", "--locked", "--message-format=json-render-diagnostics"])
        .current_dir(root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs this test");
    assert!(output.status.success(), "the programs do not build");
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let made = messages.filter_map(|line| serde_json::from_slice::<Message>(line).ok());
    let program = |Message { executable, target, profile }: Message| {
        let is_program = target.kind.iter().any(|kind| kind == "bin") && !profile.test;
        Some((target.name, executable.filter(|_| is_program)?))
    };
    made.filter_map(program).collect()
}
