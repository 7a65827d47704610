//! A copy of the repository, and `cargo lab` in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use labs::course::Course;
use labs::tree::Tree;
use serde_json::Value;

/// Where it is.
pub(crate) struct Copy {
    pub(crate) folder: PathBuf,
    files: Tree,
}

impl Copy {
    /// As git would clone it if all were committed, and as if nobody had done a lab in it.
    pub(crate) fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("walk");
        let files = Tree::read(&Course::of_workspace().unwrap().root).unwrap();
        let _ = fs::remove_dir_all(folder.join("mylabs"));
        let copy = Self { folder, files };
        for (path, text) in copy.files.iter() {
            if fs::read_to_string(copy.folder.join(path)).is_ok_and(|there| there == text) {
                continue;
            }
            copy.write(path, text);
        }
        copy
    }

    /// Whether all files are as they were.
    pub(crate) fn is_untouched(&self) -> bool {
        self.files.iter().all(|(path, text)| self.read(path) == text)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.join(path)).unwrap()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// `cargo lab` with these arguments.
    pub(crate) fn lab(&self, arguments: &[&str]) -> Said {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["lab"]).args(arguments).current_dir(&self.folder);
        let output = self.alone(&mut cargo).output().unwrap();
        Said { what: arguments.join(" "), output }
    }

    /// Nothing of the workspace that runs this test.
    pub(crate) fn alone<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("CARGO_TARGET_DIR", self.folder.join("target")).env("CARGO_NET_OFFLINE", "true")
    }
}

/// What it said.
pub(crate) struct Said {
    what: String,
    output: Output,
}

impl Said {
    /// Standard output, if it ended with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: i32) -> String {
        let (said, complained) = (text(&self.output.stdout), text(&self.output.stderr));
        let ended = self.output.status.code();
        assert_eq!(ended, Some(status), "cargo lab {}\n{said}\n{complained}", self.what);
        said
    }

    /// Standard error, if it ended with this status.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: i32) -> String {
        self.expect(status);
        text(&self.output.stderr)
    }

    #[track_caller]
    pub(crate) fn expect_json(&self, status: i32) -> Value {
        serde_json::from_str(&self.expect(status)).unwrap()
    }

    /// JSON, if it ended with one of these.
    #[track_caller]
    pub(crate) fn json_of(&self, statuses: [i32; 2]) -> Value {
        let ended = self.output.status.code().unwrap_or_default();
        self.expect_json(if ended == statuses[1] { statuses[1] } else { statuses[0] })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
