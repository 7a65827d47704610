//! Cargo compiles tests, and says which programs came of it and what there is to complain about.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

use cargo_metadata::diagnostic::DiagnosticLevel;
use cargo_metadata::{Artifact, Message};

use crate::catalog::Target;
use crate::workshop::WorkshopError;

/// What cargo made.
#[derive(Debug, Default)]
pub struct Built {
    /// The programs of the tests.
    pub programs: BTreeMap<Target, PathBuf>,
    /// What the compiler warns of, as it says it.
    pub warnings: Vec<String>,
}

/// Why there are no programs.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The code is not Rust that compiles. The text is the compiler's.
    #[error("it does not compile\n\n{0}")]
    DoesNotCompile(String),
    /// Cargo itself does not want to.
    #[error("cargo does not compile it: {0}")]
    Refused(String),
    /// Cargo is not there.
    #[error("cannot run cargo: {0}")]
    Cargo(#[from] std::io::Error),
    /// The folder cannot be prepared.
    #[error(transparent)]
    Workshop(#[from] WorkshopError),
}

/// Compiles these tests.
pub fn tests(mut cargo: Command, targets: &[Target]) -> Result<Built, BuildError> {
    cargo.args(["test", "--no-run"]);
    let mut targets: Vec<&Target> = targets.iter().collect();
    targets.sort();
    targets.dedup();
    for target in targets {
        cargo.args(target.arguments());
    }
    run(cargo)
}

/// Compiles models, for the machine that loom makes up.
pub fn models(mut cargo: Command) -> Result<Built, BuildError> {
    cargo.args(["test", "--no-run", "--lib"]);
    cargo.env("RUSTFLAGS", "--cfg loom").env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(cargo)
}

fn run(mut cargo: Command) -> Result<Built, BuildError> {
    let output = cargo.args(["--quiet", "--message-format=json"]).output()?;
    let messages = Message::parse_stream(&*output.stdout).filter_map(Result::ok);
    let (mut built, mut errors) = (Built::default(), Vec::new());
    for message in messages {
        match message {
            Message::CompilerArtifact(artifact) => built.programs.extend(program(artifact)),
            Message::CompilerMessage(message) => {
                let text = message.message.rendered.unwrap_or(message.message.message);
                match message.message.level {
                    DiagnosticLevel::Error | DiagnosticLevel::Ice => errors.push(text),
                    DiagnosticLevel::Warning => built.warnings.push(text),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    match (output.status.success(), errors.is_empty()) {
        (true, _) => Ok(built),
        (false, false) => Err(BuildError::DoesNotCompile(errors.concat())),
        (false, true) => Err(BuildError::Refused(complaint(&output))),
    }
}

fn program(artifact: Artifact) -> Option<(Target, PathBuf)> {
    if !artifact.profile.test {
        return None;
    }
    let target = match () {
        () if artifact.target.is_lib() => Target::Lib,
        () if artifact.target.is_bin() => Target::Bin,
        () => Target::Test(artifact.target.name),
    };
    Some((target, artifact.executable?.into()))
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}
