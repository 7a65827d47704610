//! The folder of a snapshot on disk.
//!
//! What always holds: what somebody changed is not overwritten unless they say so, and a file that
//! is not ours is never touched. A list in the folder says what is ours and how we left it.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use crate::tree::Tree;

/// The list: a line a file, a fingerprint of its text and its path.
const LIST: &str = ".snapshot";

/// What was done to a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Files whose text is new.
    pub written: usize,
    /// Files that were as they are to be, or that somebody changed and keeps. They were left alone,
    /// so that cargo does not build them again.
    pub unchanged: usize,
    /// Files of the snapshot before that are not in this one.
    pub removed: usize,
}

/// What becomes of files that somebody changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// Nothing is written, and they are named.
    Refused,
    /// They stay as they are, and all others are written.
    Kept,
    /// They are overwritten.
    Lost,
}

/// Makes `folder` hold `files`.
pub fn write(folder: &Path, files: &Tree, changes: Changes) -> Result<Written, WriteError> {
    let before = List::read(folder)?;
    let edited = before.changed(folder)?;
    if !edited.is_empty() && changes == Changes::Refused {
        return Err(WriteError::Changed { folder: folder.to_owned(), files: edited.join(", ") });
    }
    let is_kept = |path: &str| changes == Changes::Kept && edited.iter().any(|it| it == path);
    let mut written = Written::default();
    let old = before.0.keys().filter(|path| files.get(path).is_none() && !is_kept(path));
    for path in old {
        let file = folder.join(path);
        if file.exists() {
            fs::remove_file(&file).map_err(|error| WriteError::io(&file, error))?;
            written.removed += 1;
        }
    }
    for (path, text) in files.iter() {
        if is_kept(path) || text_of(&folder.join(path))?.as_deref() == Some(text) {
            written.unchanged += 1;
        } else {
            write_file(&folder.join(path), text)?;
            written.written += 1;
        }
    }
    write_file(&folder.join(LIST), &List::of(files).render())?;
    Ok(written)
}

/// What we wrote last time, each file with its fingerprint.
#[derive(Debug, Default)]
struct List(BTreeMap<String, u64>);

impl List {
    fn of(files: &Tree) -> Self {
        Self(files.iter().map(|(path, text)| (path.to_owned(), fingerprint(text))).collect())
    }

    /// Reads the list of a folder. One that is not there or empty has none; any other must have one.
    fn read(folder: &Path) -> Result<Self, WriteError> {
        let foreign = || WriteError::NotASnapshot { folder: folder.to_owned() };
        match text_of(&folder.join(LIST))? {
            Some(list) => Self::parse(&list).ok_or_else(foreign),
            None if is_empty(folder)? => Ok(Self::default()),
            None => Err(foreign()),
        }
    }

    fn parse(list: &str) -> Option<Self> {
        let line = |line: &str| {
            let (fingerprint, path) = line.split_once(' ')?;
            // Files will be removed by this list, so it must not lead out of its folder.
            let is_inside = |part| matches!(part, Component::Normal(_));
            let fingerprint = u64::from_str_radix(fingerprint, 16).ok()?;
            Path::new(path).components().all(is_inside).then(|| (path.to_owned(), fingerprint))
        };
        list.lines().map(line).collect::<Option<_>>().map(Self)
    }

    fn render(&self) -> String {
        let lines = self.0.iter().map(|(path, fingerprint)| format!("{fingerprint:016x} {path}"));
        lines.chain([String::new()]).collect::<Vec<_>>().join("\n")
    }

    /// The files that are no longer as we left them. One that is gone holds nothing to lose.
    fn changed(&self, folder: &Path) -> Result<Vec<String>, WriteError> {
        let mut changed = Vec::new();
        for (path, before) in &self.0 {
            let text = text_of(&folder.join(path))?;
            if text.is_some_and(|text| fingerprint(&text) != *before) {
                changed.push(path.clone());
            }
        }
        Ok(changed)
    }
}

/// Why a snapshot was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It would be lost.
    #[error("{} has changes in {files}: add --force to overwrite them", folder.display())]
    Changed {
        /// Where.
        folder: PathBuf,
        /// Which files.
        files: String,
    },
    /// Something else is there.
    #[error("{} is not empty and not a snapshot: choose another folder", folder.display())]
    NotASnapshot {
        /// Where.
        folder: PathBuf,
    },
    /// The system does not let us.
    #[error("cannot write {}: {error}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl WriteError {
    fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.to_owned(), error }
    }
}

/// FNV-1a with 64 bits, by Fowler, Noll and Vo. It notices that a text was edited; nobody is kept
/// from forging one.
fn fingerprint(text: &str) -> u64 {
    let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// The text of a file, or nothing where there is none. What is no longer text is changed text.
fn text_of(path: &Path) -> Result<Option<String>, WriteError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(WriteError::io(path, error)),
    }
}

fn is_empty(folder: &Path) -> Result<bool, WriteError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(WriteError::io(folder, error)),
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), WriteError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| WriteError::io(folder, error))?;
    fs::write(path, text).map_err(|error| WriteError::io(path, error))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        files.iter().copied().collect()
    }

    /// A folder with a snapshot of two files.
    fn snapshot() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let written =
            write(folder.path(), &tree(&[("src/a.rs", "a"), ("b", "b")]), Changes::Refused)
                .unwrap();
        assert_eq!(written, Written { written: 2, unchanged: 0, removed: 0 });
        folder
    }

    #[test]
    fn a_second_snapshot_touches_only_what_differs() {
        let folder = snapshot();
        let next = tree(&[("src/a.rs", "a"), ("src/c.rs", "c")]);
        let written = write(folder.path(), &next, Changes::Refused).unwrap();
        assert_eq!(written, Written { written: 1, unchanged: 1, removed: 1 });
        let mut there = Tree::read(folder.path()).unwrap();
        there.remove(LIST);
        assert_eq!(there, next);
    }

    #[test]
    fn what_somebody_changed_stays_unless_they_say_so() {
        let folder = snapshot();
        let file = folder.path().join("src/a.rs");
        fs::write(&file, "mine").unwrap();
        let next = tree(&[("src/a.rs", "next")]);
        let error = write(folder.path(), &next, Changes::Refused).unwrap_err();
        assert!(
            error.to_string().ends_with("has changes in src/a.rs: add --force to overwrite them")
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        assert!(folder.path().join("b").exists(), "nothing else was touched either");
        write(folder.path(), &next, Changes::Lost).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "next");
    }

    #[test]
    fn what_somebody_changed_can_be_kept_while_the_rest_is_renewed() {
        let folder = snapshot();
        let text = |path| fs::read_to_string(folder.path().join(path)).unwrap();
        fs::write(folder.path().join("src/a.rs"), "mine").unwrap();
        for next in ["next", "after next"] {
            let files = tree(&[("src/a.rs", next), ("b", next)]);
            write(folder.path(), &files, Changes::Kept).unwrap();
            assert_eq!((text("src/a.rs"), text("b")), ("mine".to_owned(), next.to_owned()));
        }
        write(folder.path(), &tree(&[]), Changes::Kept).unwrap();
        assert_eq!(text("src/a.rs"), "mine", "also where it is no longer among the files");
        assert!(!folder.path().join("b").exists());
    }

    #[test]
    fn a_file_that_is_not_ours_stays_even_by_force() {
        let folder = snapshot();
        let notes = folder.path().join("notes.md");
        fs::write(&notes, "mine").unwrap();
        write(folder.path(), &tree(&[("b", "next")]), Changes::Lost).unwrap();
        assert_eq!(fs::read_to_string(notes).unwrap(), "mine");
    }

    #[test]
    fn a_file_that_is_gone_comes_back() {
        let folder = snapshot();
        fs::remove_file(folder.path().join("b")).unwrap();
        let written = write(folder.path(), &tree(&[("b", "b")]), Changes::Refused).unwrap();
        assert_eq!(written, Written { written: 1, unchanged: 0, removed: 1 });
    }

    #[test]
    fn a_folder_with_something_else_is_refused_even_by_force() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Cargo.toml"), "mine").unwrap();
        let error =
            write(folder.path(), &tree(&[("Cargo.toml", "ours")]), Changes::Lost).unwrap_err();
        assert!(error.to_string().contains("not a snapshot"), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join("Cargo.toml")).unwrap(), "mine");
    }

    #[test]
    fn a_list_that_leads_out_of_its_folder_is_none() {
        let folder = snapshot();
        for path in ["../b", "/b", "src/../../b"] {
            fs::write(folder.path().join(LIST), format!("{:016x} {path}\n", 0)).unwrap();
            let error = write(folder.path(), &tree(&[]), Changes::Lost).unwrap_err();
            assert!(error.to_string().contains("not a snapshot"), "{path}: {error}");
        }
    }
}
