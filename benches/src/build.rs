//! Builds a subject and finds its program.
//!
//! Where cargo puts a binary depends on environment and configuration, so cargo is asked:
//! `--message-format=json` names every executable it made (The Cargo Book, "External tools").

use std::{
    env,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;
use thiserror::Error;

use crate::subject::{Program, Subject};

/// Builds the subject in release mode, or looks for a program of the system. Cargo's progress goes
/// to standard error, as it does when it is called by hand.
pub fn executable(subject: &Subject) -> Result<PathBuf, BuildError> {
    match (subject.program, subject.build_arguments()) {
        (Program::Workspace { binary, .. }, Some(arguments)) => build(binary, &arguments),
        (Program::Workspace { .. } | Program::Nginx, _) => find_program("nginx"),
    }
}

/// Builds an example of a package in release mode.
pub(crate) fn example(package: &str, name: &str) -> Result<PathBuf, BuildError> {
    build(name, &["build", "--release", "--locked", "--package", package, "--example", name])
}

fn build(binary: &str, arguments: &[&str]) -> Result<PathBuf, BuildError> {
    let mut process = cargo()
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(BuildError::NoCargo)?;
    let output = process.stdout.take().expect("it was piped");
    let found = executable_in(BufReader::new(output), binary);
    let status = process.wait().map_err(BuildError::NoCargo)?;
    if !status.success() {
        return Err(BuildError::Failed { command: arguments.join(" ") });
    }
    found
        .map_err(BuildError::NoCargo)?
        .ok_or_else(|| BuildError::NoExecutable { binary: binary.into() })
}

/// The cargo that called us, in this workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace_directory());
    command
}

/// Reads to the end, or cargo would be stopped by a full pipe.
fn executable_in(messages: impl BufRead, binary: &str) -> io::Result<Option<PathBuf>> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
        target: Option<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    let mut found = None;
    for line in messages.lines() {
        let Ok(message) = serde_json::from_str::<Message>(&line?) else { continue };
        if message.target.is_some_and(|target| target.name == binary) {
            found = message.executable.or(found);
        }
    }
    Ok(found)
}

/// Looks through `PATH` and where systems keep servers.
pub(crate) fn find_program(name: &'static str) -> Result<PathBuf, BuildError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut candidates = env::split_paths(&path).chain(system).map(|folder| folder.join(name));
    candidates.find(|file| file.is_file()).ok_or(BuildError::NotInstalled { name })
}

/// The root of this workspace.
pub fn workspace_directory() -> &'static Path {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    benches.parent().unwrap_or(benches)
}

/// Why there is no program to start.
#[derive(Debug, Error)]
pub enum BuildError {
    /// Cargo cannot be run.
    #[error("cannot run cargo")]
    NoCargo(#[source] io::Error),
    /// Cargo has said why.
    #[error("`cargo {command}` failed")]
    Failed {
        /// Its arguments.
        command: String,
    },
    /// Cargo made something else.
    #[error("cargo made no program called {binary}")]
    NoExecutable {
        /// What was expected.
        binary: String,
    },
    /// A program of the system that this system does not have.
    #[error("{name} is not installed")]
    NotInstalled {
        /// What was looked for.
        name: &'static str,
    },
}

impl BuildError {
    /// Whether the rest of a comparison can go on without it.
    pub fn is_skippable(&self) -> bool {
        matches!(self, Self::NotInstalled { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_executable_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}"#,
            "\nnot a message\n",
            r#"{"reason":"compiler-artifact","target":{"name":"limit"},"executable":"/t/limit"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
            "\n",
        );
        let found = executable_in(messages.as_bytes(), "limit").unwrap();
        assert_eq!(found, Some(PathBuf::from("/t/limit")));
        assert_eq!(executable_in(messages.as_bytes(), "axum").unwrap(), None);
    }

    #[test]
    fn a_program_that_is_nowhere_is_named_and_can_be_skipped() {
        let error = find_program("no-such-program-anywhere").unwrap_err();
        assert!(error.is_skippable());
        assert_eq!(error.to_string(), "no-such-program-anywhere is not installed");
        find_program("sh").unwrap();
    }
}
