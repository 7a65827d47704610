//! A data file of its own for each test, and servers that store into it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, thread, time::Duration, time::Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::{DEADLINE, Server};

/// A temporary folder with one data file. It is gone when the test ends.
#[derive(Debug)]
pub struct DataFolder(TempDir);

impl DataFolder {
    /// An empty folder.
    ///
    /// # Panics
    /// If the system has no room for one.
    #[expect(clippy::new_without_default, reason = "it makes a folder, which no default should")]
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where servers store: `metrics.jsonl`, which is not there before the first of them.
    pub fn data_file(&self) -> PathBuf {
        self.path().join("metrics.jsonl")
    }

    /// `program` on a free port, storing here, with `options` behind.
    pub fn command(&self, program: &str, options: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(["--port", "0", "--data-file"]).arg(self.data_file()).args(options);
        command
    }

    /// Starts what [`DataFolder::command`] describes.
    ///
    /// # Panics
    /// As [`Server::start`].
    #[track_caller]
    pub fn start(&self, program: &str, options: &[&str]) -> Server {
        Server::start(&mut self.command(program, options))
    }

    /// Every line that is stored, as JSON.
    ///
    /// # Panics
    /// If one is not JSON.
    #[track_caller]
    pub fn stored(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.data_file()).expect("a data file");
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        text.lines().map(parse).collect()
    }
}

/// Asks again and again until the answer is yes.
///
/// # Panics
/// If it is still no after [`DEADLINE`]; `what` says what was waited for.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
