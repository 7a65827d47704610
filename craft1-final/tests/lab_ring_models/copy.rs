//! The rings, and the limiter's table, in a crate of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fs, io};

use crate::planted::Edit;

/// The crate, in cargo's folder for what tests write, under a name of its test's own. What was compiled
/// is used again.
pub(crate) struct Rings {
    folder: PathBuf,
}

/// How the copy is compiled.
#[derive(Clone, Copy)]
enum Build {
    /// With loom in place of the standard library.
    Models,
    Doctests,
}

impl Rings {
    /// Without a mistake.
    pub(crate) fn as_they_are(name: &str) -> Self {
        let copy = Self { folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join(name) };
        fs::create_dir_all(copy.folder.join("src")).unwrap();
        fs::write(copy.folder.join("Cargo.toml"), manifest()).unwrap();
        // The same versions. Cargo takes out what this crate does not need.
        fs::copy(workspace().join("Cargo.lock"), copy.folder.join("Cargo.lock")).unwrap();
        let library = "pub mod ring;\npub mod rate_limit {\n    mod packed;\n    mod table;\n}\n";
        fs::write(copy.folder.join("src/lib.rs"), library).unwrap();
        copy.write_phase2();
        copy.restore();
        copy
    }

    /// What the table needs of phase 2: the arithmetic of a window, and no clock, lock or thread.
    fn write_phase2(&self) {
        let (from, to) = (workspace().join("craft1-phase2/src"), self.folder.join("phase2/src"));
        fs::create_dir_all(&to).unwrap();
        fs::write(self.folder.join("phase2/Cargo.toml"), PHASE2_MANIFEST).unwrap();
        fs::write(to.join("lib.rs"), "pub mod counter;\npub mod limit;\n").unwrap();
        for file in ["counter.rs", "limit.rs"] {
            copy_tree(&from, &to, Path::new(file)).unwrap();
        }
    }

    /// Takes every mistake out.
    pub(crate) fn restore(&self) {
        copy_tree(&source(), &self.folder.join("src"), Path::new("ring.rs")).unwrap();
        copy_tree(&source(), &self.folder.join("src"), Path::new("ring")).unwrap();
        copy_tree(&source(), &self.folder.join("src"), Path::new("rate_limit")).unwrap();
    }

    /// Makes a mistake.
    pub(crate) fn plant(&self, edits: &[Edit]) {
        let folder = self.folder.join("src");
        for edit in edits {
            fs::write(folder.join(edit.file), edited(&folder, edit).unwrap()).unwrap();
        }
    }

    pub(crate) fn assert_models_pass(&self) {
        let output = self.test(Build::Models, &["--lib"]);
        assert!(output.status.success(), "{}", text(&output));
    }

    pub(crate) fn assert_doctests_pass(&self) {
        let output = self.test(Build::Doctests, &["--doc"]);
        assert!(output.status.success(), "{}", text(&output));
    }

    /// Whether the copy compiles and the model of this name does not pass, for this reason.
    pub(crate) fn model_fails(&self, name: &str, symptom: &str) -> bool {
        let compiled = self.test(Build::Models, &["--lib", "--no-run"]);
        assert!(compiled.status.success(), "{}", text(&compiled));
        let output = self.test(Build::Models, &["--lib", "--", "--exact", name]);
        let text = text(&output);
        assert!(text.contains("running 1 test"), "no model {name}: {text}");
        !output.status.success() && text.contains(symptom)
    }

    /// Whether the copy compiles and a doctest whose name has this in it does not pass.
    pub(crate) fn doctest_fails(&self, name: &str) -> bool {
        let output = self.test(Build::Doctests, &["--doc", "--", name]);
        let text = text(&output);
        assert!(text.contains("running "), "{text}");
        text.contains("FAILED") && !output.status.success()
    }

    fn test(&self, build: Build, arguments: &[&str]) -> Output {
        let (flags, target) = match build {
            Build::Models => ("--cfg loom", "target/models"),
            Build::Doctests => ("", "target/doctests"),
        };
        let mut cargo = Command::new(env!("CARGO"));
        cargo.arg("test").args(arguments).current_dir(&self.folder);
        cargo.env("RUSTFLAGS", flags).env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo.env("CARGO_TARGET_DIR", self.folder.join(target)).env("RUST_BACKTRACE", "0");
        cargo.output().unwrap()
    }
}

/// The text of a file in this folder, with the mistake in it.
pub(crate) fn edited(folder: &Path, edit: &Edit) -> Result<String, String> {
    let text = fs::read_to_string(folder.join(edit.file)).map_err(|error| error.to_string())?;
    match text.matches(edit.right).count() {
        1 => Ok(text.replace(edit.right, edit.wrong)),
        count => Err(format!("{} has {count} times `{}`", edit.file, edit.right)),
    }
}

/// Where the rings are.
pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// With the versions of the workspace's table.
fn manifest() -> String {
    let workspace = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let versions = workspace.split_once("[workspace.dependencies]").unwrap().1;
    let versions = versions.split_once("\n[").unwrap().0;
    format!(
        r#"[package]
name = "craft1-final"
version = "0.0.0"
edition = "2024"

[dependencies]
craft1-phase2 = {{ path = "phase2" }}
crossbeam-utils.workspace = true
thiserror.workspace = true

[target.'cfg(loom)'.dependencies]
loom.workspace = true

[dev-dependencies]
proptest.workspace = true

[profile.dev]
# Most of the time goes into running models.
opt-level = 3

[workspace]
[workspace.dependencies]{versions}
"#
    )
}

const PHASE2_MANIFEST: &str = r#"[package]
name = "craft1-phase2"
version = "0.0.0"
edition = "2024"

[dependencies]
humantime.workspace = true
thiserror.workspace = true
"#;

/// Copies a file, or a folder with all that is in it. A file that is equal stays as it is, so that
/// cargo has nothing to compile.
fn copy_tree(from: &Path, to: &Path, path: &Path) -> io::Result<()> {
    let (source, target) = (from.join(path), to.join(path));
    if source.is_dir() {
        fs::create_dir_all(target)?;
        for entry in fs::read_dir(source)? {
            copy_tree(from, to, &path.join(entry?.file_name()))?;
        }
        return Ok(());
    }
    let text = fs::read(source)?;
    if fs::read(&target).is_ok_and(|there| there == text) {
        Ok(())
    } else {
        fs::write(target, text)
    }
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}
